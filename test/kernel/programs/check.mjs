// check.mjs CHECK [NAMESPACE]: checks 127.0.0.1 once and prints the answer. With the path of a namespace, it starts a checker there instead
// and prints the outcome.
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
