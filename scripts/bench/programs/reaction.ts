/**
 * reaction ADDRESS PORT VIRTUAL ROUNDS: somebody else keeps the table by the health of a server of ours, which falls ill and gets well.
 * Prints how long it takes from the first bad answer until its rule is gone, and from the first good one until it is there: microseconds,
 * as JSON. The table is looked at every millisecond.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { IpvsSync, type ServiceKey } from 'ipvs'
import { machineTime, MoodyServer } from '../moods.js'

const [address, port, virtual, rounds] = process.argv.slice(2)
const service: ServiceKey = { protocol: 'tcp', address: virtual, port: 80 }
const PATIENCE = 60_000_000

const ipvs = IpvsSync.open()
await using server = await MoodyServer.start(address, Number(port))
const isThere = (): boolean => ipvs.destinations(service).length > 0

async function becomes(wanted: boolean): Promise<number> {
  for (const from = machineTime(); ;) {
    const moment = machineTime()
    if (isThere() === wanted) return moment
    if (moment - from > PATIENCE) throw new Error(`the rule was not ${wanted ? 'there' : 'gone'} within a minute`)
    await sleep(1)
  }
}

console.log('ready')
// Whoever keeps the table is started now.
for (let left = 600; ; left--) {
  try {
    if (isThere()) break
  } catch (error) {
    if (left === 0) throw error
  }
  await sleep(100)
}
const moments: number[] = []
for (let round = 0; round < Number(rounds); round++) {
  for (const mood of ['bad', 'good'] as const) {
    // Any moment of the pace of the checks.
    await sleep(400 + 400 * Math.random())
    server.become(mood)
    moments.push(await becomes(mood === 'good'))
  }
}
const times = await server.times()
const taken = moments.map((moment, number) => moment - times[number])
console.log(JSON.stringify({ gone: taken.filter((_, number) => number % 2 === 0), there: taken.filter((_, number) => number % 2 === 1) }))
ipvs.close()
