/**
 * checks TCP_PORT HTTP_PORT COUNT PERIOD SECONDS: checks COUNT servers by TCP and COUNT by HTTP, each every PERIOD seconds, at addresses of
 * 127.1.0.0/16. Prints, as JSON, what became of it, the processor's time in seconds, the longest that the main thread's event loop was held
 * in microseconds, and the process's memory in bytes.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { CheckedDestination } from '../../../lib/checks/index.js'
import { longestDelay } from '../longest-delay.js'

// The room has no door of its own: the package's own file, as seen from where this is compiled to.
const { Checker } = await import(
  new URL('../../../../dist/checks/index.js', import.meta.url).href,
) as typeof import('../../../lib/checks/index.js')

const [tcp, http, count, period, seconds] = process.argv.slice(2).map(Number)
const checker = await Checker.start()
let changes = 0
checker.on('changes', (some) => changes += some.length)
const pace = { interval: period, warmup: period, timeout: 1.5 }
const destinations = Array.from({ length: count }, (_, n): CheckedDestination[] => {
  const address = `127.1.${n >> 8}.${n & 255}`
  return [
    { id: `tcp ${n}`, address, port: tcp, weight: 1, checks: [{ type: 'tcp', ...pace }] },
    { id: `http ${n}`, address, port: http, weight: 1, checks: [{ type: 'http', urls: [{ path: '/' }], ...pace }] },
  ]
}).flat()
checker.replace(destinations)
// Starting, compiling and the first round are not what a day costs.
await sleep(period * 1000)
const before = (await checker.status([])).counts
const used = process.cpuUsage()
await sleep(seconds * 1000)
const { user, system } = process.cpuUsage(used)
const after = (await checker.status([])).counts
// To look at the loop costs time of the processor too.
const held = await longestDelay(() => sleep(2 * period * 1000))
console.log(JSON.stringify({
  good: after.good - before.good,
  bad: after.bad - before.bad,
  untried: after.untried - before.untried,
  changes,
  late: after.late - before.late,
  processor: (user + system) / 1e6,
  held,
  memory: process.memoryUsage.rss(),
}))
await checker.close()
