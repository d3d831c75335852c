/**
 * follower URL PREFIX ID REMEMBER SERVICES [NAMESPACE]: one director of the fleet that the program `fleet` measures, which starts it and
 * hears its messages. It keeps the table of a network namespace, or stands before a table of so many services that answers at once. It ends
 * when its parent does.
 */
import { once } from 'node:events'
import { Ipvs } from 'ipvs'
import { Director } from 'ipvs/director'
import { AnsweringHandle, internal, openAnswering } from '../answering-handle.js'
import { machineTime } from '../moods.js'

/** Microseconds from the start until all services were there and validated, until they were in force, and of the processor until then. */
export interface First {
  listed: number
  inForce: number
  processor: number
}

/** When a change was there, when it was packed for the kernel, and when the kernel had it: microseconds of the machine's clock. */
export interface Change {
  event: number
  packed: number
  inForce: number
}

const [url, prefix, id, remember, services, namespace] = process.argv.slice(2)
const { FleetMember } = await internal<typeof import('../../../lib/command/director/fleet-member.js')>('command/director/fleet-member.js')
const { EtcdClient } = await internal<typeof import('../../../lib/sources/etcd/client.js')>('sources/etcd/client.js')
const { keysBelow, servicesBelow } = await internal<typeof import('../../../lib/sources/etcd/keys.js')>('sources/etcd/keys.js')

const change: Change = { event: 0, packed: 0, inForce: 0 }
const followed = keysBelow(servicesBelow(prefix)).key

// The clock is read before the follower does anything about an event.
const watch = Object.getOwnPropertyDescriptor(EtcdClient.prototype, 'watch')!.value as InstanceType<typeof EtcdClient>['watch']
EtcdClient.prototype.watch = async function* (range, ...rest) {
  for await (const answer of watch.call(this, range, ...rest)) {
    if (range.key === followed && answer.events !== undefined) change.event = machineTime()
    yield answer
  }
}

function openTable(): Ipvs {
  const handle = new AnsweringHandle({ services: Number(services), destinations: 2 })
  handle.onChange = () => { change.packed = machineTime() }
  return openAnswering(Ipvs, handle)
}

const ended = once(process, 'disconnect')
const begun = machineTime()
let listed = 0
await using ipvs = namespace === undefined ? openTable() : await Ipvs.open({ netns: namespace })
await using director = new Director({ ipvs, interval: 3_600, remember })
await using member = new FleetMember({ type: 'etcd', cluster: { endpoints: url, timeout: 60 }, prefix, id, rule: 'majority' }, undefined, ({ event, message }) => {
  if (event === 'etcd-listed') listed = machineTime() - begun
  else if (event === 'problem' || event === 'uncopied') throw new Error(message)
  else if (event === 'configuration') process.send!({ ...change, inForce: machineTime() } satisfies Change)
})
director.on('failed', ({ error, result }) => { throw error instanceof Error ? error : result!.refused[0].error })
await member.lead(director, ipvs, (configuration) => configuration)
const { user, system } = process.cpuUsage()
process.send!({ listed, inForce: machineTime() - begun, processor: user + system } satisfies First)
await ended
