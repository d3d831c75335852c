/**
 * decide SERVICES DESTINATIONS ROUNDS: a director keeps a table, in which the server of one more service falls ill and gets well. Prints
 * how long it takes from each answer that decides until the kernel has said that the rule is gone, or there: microseconds, as JSON.
 */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Ipvs } from 'ipvs'
import { Director, type DirectedService } from 'ipvs/director'
import { machineTime, MoodyServer } from '../moods.js'
import { destination, serviceKey, weightAfter } from '../workload.js'

const [services, destinations, rounds] = process.argv.slice(2).map(Number)
const [ADDRESS, PORT] = ['127.0.0.2', 8080] as const
const table = Array.from({ length: services }, (_, s): DirectedService => ({
  ...serviceKey(s), scheduler: 'rr', destinations: Array.from({ length: destinations }, (_, d) => destination(d, weightAfter.add)),
}))
const decided: DirectedService = {
  protocol: 'tcp', address: '198.19.255.1', port: 80, scheduler: 'rr', destinations: [{ address: ADDRESS, port: PORT, forward: 'nat' }],
  checks: [{ type: 'http', urls: [{ path: '/' }], interval: 0.05, retryInterval: 0.05, failures: 1, warmup: 0, timeout: 30 }],
}

await using server = await MoodyServer.start(ADDRESS, PORT)
const ipvs = await Ipvs.open()
const director = new Director({ ipvs, configuration: { services: [...table, decided] } })
await director.inForce()
// The table is looked at once more after it was made.
await once(director, 'converged')
const gone: number[] = []
const there: number[] = []
for (let round = 0; round < rounds; round++) {
  for (const [mood, moments] of [['bad', gone], ['good', there]] as const) {
    // In the listener: a promise would take its own time.
    const applied = new Promise<number>((resolve) => director.once('applied', () => resolve(machineTime())))
    server.become(mood)
    moments.push(await applied)
    // The look that sees whether all is as it should be is not to meet the next decision.
    await once(director, 'converged')
    await sleep(20)
  }
}
const times = await server.times()
console.log(JSON.stringify({
  gone: gone.map((moment, round) => moment - times[2 * round]),
  there: there.map((moment, round) => moment - times[2 * round + 1]),
}))
await director.close()
await ipvs.close()
