// check.mjs CHECK: checks 127.0.0.1 once; prints the answer. With a second argument: starts a checker in the namespace with that path, and prints what became of it.
import { openSync } from 'node:fs'
import { check } from '../../../dist/checks/check.js'
import { Checker } from '../../../dist/checks/checker.js'

const [given, netns] = process.argv.slice(2)
if (netns === undefined) console.log(JSON.stringify(await check({ address: '127.0.0.1', port: 0 }, JSON.parse(given))))
else {
  try {
    const checker = await Checker.start({ netns: openSync(netns, 'r') })
    console.log('started')
    await checker.close()
  } catch (error) {
    console.log(error.message)
  }
}
