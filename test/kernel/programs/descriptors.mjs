// Opens a handle while the process has a number of descriptors left, reads /proc through it, and prints the outcome.
// Arguments: a form, how many.
import { closeSync, openSync } from 'node:fs'
import { Ipvs, IpvsSync } from 'ipvs'

const [form, left] = process.argv.slice(2)
const open = async () => form === 'IpvsSync' ? IpvsSync.open() : Ipvs.open()
// Everything is loaded, and every file that Node itself opens for it.
const first = await open()
await first.totals()
await first.close()

const taken = []
try {
  for (;;) taken.push(openSync('/dev/null'))
} catch (error) {
  if (error.code !== 'EMFILE') throw error
}
for (let n = 0; n < Number(left); n++) closeSync(taken.pop())

let answer
try {
  const ipvs = await open()
  if (taken.length > 0) closeSync(taken.pop())
  await ipvs.totals()
  await ipvs.close()
  answer = { opened: true }
} catch ({ name, code, message, operation }) {
  answer = { opened: false, name, code, message, operation }
}
for (const descriptor of taken) closeSync(descriptor)
console.log(JSON.stringify(answer))
