/**
 * reload ROUNDS FILE OTHER: a director directs by a keepalived.conf, whose text becomes that of another and its own again in turn; they
 * differ in one weight. Prints medians as JSON, in microseconds: what the reading takes, in its own thread, and how long it takes from
 * there until the kernel has the changed rule; the longest that the event loop was held meanwhile, and in as much time without a reload.
 * Then milliseconds that the checks were late by, how many there were, and how many were bad.
 */
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Ipvs } from 'ipvs'
import { median } from 'ipvs/bench'
import { Director } from 'ipvs/director'
import { longestDelay } from '../longest-delay.js'

// The room has no door of its own: the package's own file, as seen from where this is compiled to.
const { ConfigurationReader } = await import(
  new URL('../../../../dist/sources/thread.js', import.meta.url).href,
) as typeof import('../../../lib/sources/thread.js')

const [rounds, file, other] = process.argv.slice(2)
const texts = [file, other].map((path) => readFileSync(path))
const reader = new ConfigurationReader({ type: 'keepalived', file })
const { configuration } = await reader.read()
const ipvs = await Ipvs.open()
const director = new Director({ ipvs })
await director.take(configuration!)
await once(director, 'converged')
const before = await director.checks()
const [reading, taking, held]: [number[], number[], number[]] = [[], [], []]
for (let round = 0; round < Number(rounds); round++) {
  writeFileSync(file, texts[(round + 1) % 2])
  await longestDelay(async () => {
    const start = performance.now()
    const { configuration } = await reader.read()
    const then = performance.now()
    reading.push((then - start) * 1000)
    const applied = once(director, 'applied')
    await director.take(configuration!)
    await applied
    taking.push((performance.now() - then) * 1000)
  }).then((longest) => held.push(longest))
  await sleep(200)
}
const idle: number[] = []
for (let round = 0; round < Number(rounds); round++) idle.push(await longestDelay(() => sleep((median(reading) + median(taking)) / 1000)))
const after = await director.checks()
console.log(JSON.stringify({
  reading: median(reading), taking: median(taking), worst: Math.max(...taking), held: median(held), idle: median(idle),
  late: after.late - before.late, checks: after.good + after.bad - before.good - before.bad, bad: after.bad - before.bad,
}))
await director.close()
await ipvs.close()
