/**
 * fleet SERVICES PUTS [NAMESPACE…]: three directors follow as many services in an etcd of its own, and then one service after the other is
 * changed. The directors keep the tables of these network namespaces; without any, each stands before a table that answers at once. Prints
 * how long each took to begin and, of each put, how long it took to be answered and to reach all three: microseconds, as JSON.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { internal } from '../answering-handle.js'
import { Etcd } from '../etcd.js'
import { machineTime } from '../moods.js'
import { destination, serviceKey, weightAfter } from '../workload.js'
import type { Change, First } from './follower.js'

/** What is printed. */
export interface FleetFigures {
  firsts: First[]
  puts: {
    /** Until etcd has answered. */
    answered: number
    /** From the first director that has the event until the last one has packed the change, and has it in force. */
    packed: number
    inForce: number
    /** The same from the put. */
    putToPacked: number
    putToInForce: number
  }[]
}

const [services, puts] = process.argv.slice(2, 4).map(Number)
const namespaces = process.argv.slice(4)
const PREFIX = '/bench'
const DIRECTORS = 3
/** Puts until the code is compiled. */
const WARM = 20
/** Milliseconds after which a director that has begun has nothing more to do: it sums its table up twice. */
const SETTLED = 8_000

const { EtcdClient } = await internal<typeof import('../../../lib/sources/etcd/client.js')>('sources/etcd/client.js')
const { encoded, servicesBelow } = await internal<typeof import('../../../lib/sources/etcd/keys.js')>('sources/etcd/keys.js')
const { etcdSettings } = await internal<typeof import('../../../lib/sources/etcd/options.js')>('sources/etcd/options.js')
const { planWrite, write } = await internal<typeof import('../../../lib/sources/etcd/write.js')>('sources/etcd/write.js')

// The table that answers at once has services of this scheduler. In a kernel, mh is what fleets have.
const scheduler = namespaces.length === 0 ? 'rr' : 'mh'
const service = (index: number, weight: number) => ({
  ...serviceKey(index), scheduler, destinations: [0, 1].map((number) => destination(number, weight)),
})

await using etcd = await Etcd.start()
const client = new EtcdClient(etcdSettings({ endpoints: etcd.url, timeout: 60 }, 'the options'))
const all = Array.from({ length: services }, (_, index) => service(index, weightAfter.add))
await write(client, PREFIX, await planWrite(client, PREFIX, all))

const followers: ChildProcess[] = []
/** The next message of a director. */
async function next<Message>(follower: ChildProcess): Promise<Message> {
  const ended = once(follower, 'exit').then(([status]) => { throw new Error(`a director ended with status ${status}`) })
  const [message] = await Promise.race([once(follower, 'message'), ended]) as [Message]
  return message
}

const firsts: First[] = []
for (let number = 0; number < DIRECTORS; number++) {
  const id = `director-${number}`
  const args = [etcd.url, PREFIX, id, join(etcd.folder, id), String(services), ...namespaces.slice(number, number + 1)]
  const follower = fork(fileURLToPath(new URL('follower.js', import.meta.url)), args)
  followers.push(follower)
  firsts.push(await next<First>(follower))
  await sleep(SETTLED)
}

const figures: FleetFigures = { firsts, puts: [] }
for (let number = 0; number < WARM + puts; number++) {
  // The table that answers at once has nothing but copies of its first service.
  const changed = service(namespaces.length === 0 ? 0 : number * 7_919 % services, 2 + number % 100)
  const key = encoded(`${servicesBelow(PREFIX)}tcp-${changed.address}-80`)
  const value = encoded(JSON.stringify(changed))
  const changes = Promise.all(followers.map((follower) => next<Change>(follower)))
  const at = machineTime()
  await client.call('kv/put', { key, value })
  const answered = machineTime() - at
  const reached = await changes
  const event = Math.min(...reached.map((change) => change.event))
  const packed = Math.max(...reached.map((change) => change.packed))
  const inForce = Math.max(...reached.map((change) => change.inForce))
  if (number < WARM) continue
  figures.puts.push({ answered, packed: packed - event, inForce: inForce - event, putToPacked: packed - at, putToInForce: inForce - at })
}
console.log(JSON.stringify(figures))
for (const follower of followers) {
  const ended = once(follower, 'exit')
  follower.disconnect()
  await ended
}
client.close()
