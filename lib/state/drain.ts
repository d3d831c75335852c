import { setTimeout as wait } from 'node:timers/promises'
import { fullDestinationId, serviceId } from '../model/keys.js'
import type { DestinationKey, ServiceKey } from '../model/types.js'
import type { DesiredState } from './desired.js'
import type { TableHandle } from './handle.js'
import type { ApplySettings } from './options.js'
import { look } from './plan.js'
import type { Sender } from './send.js'
import type { DrainingDestination, DrainOptions, PlannedOperation } from './types.js'

/** Draining destinations whose removal was refused, or not sent. */
function left(draining: readonly DrainingDestination[], sender: Sender<PlannedOperation>): DrainingDestination[] {
  const failed = new Set(sender.planned.filter((_, number) => !sender.isDone(number)).map((operation) =>
    operation.type === 'removeDestination' ? fullDestinationId(operation.service, operation.destination)
      : operation.type === 'removeService' ? serviceId(operation.service) : ''))
  return draining.filter(
    ({ service, destination }) => failed.has(serviceId(service)) || failed.has(fullDestinationId(service, destination)),
  )
}

/**
 * Removes destinations as their connections end, until none is left or the time limit has passed. After each look it yields the
 * destinations that are still there; at the end, those that stay at weight 0.
 *
 * @param draining destinations at weight 0
 */
export async function* drain(
  handle: TableHandle, desired: DesiredState, settings: ApplySettings, { interval, timeout }: Required<DrainOptions>,
  sender: Sender<PlannedOperation>, draining: DrainingDestination[],
): AsyncGenerator<DrainingDestination[], void, undefined> {
  // If an operation of a service was refused, its old destinations are not replaced, so they stay.
  const stuck = draining.filter(({ service }) => sender.keeps(service))
  const first = draining.filter(({ service }) => !sender.keeps(service))
  if (first.length === 0) return
  const mine = new Set(first.map(({ service, destination }) => fullDestinationId(service, destination)))
  const services = new Set(first.map(({ service }) => serviceId(service)))
  const end = performance.now() + timeout * 1000
  const report = (waiting: DrainingDestination[]): void =>
    settings.onProgress({ phase: 'draining', completed: sender.completed, total: sender.planned.length, draining: waiting })
  let looking = 0
  for (let waiting = first; ;) {
    yield [...stuck, ...waiting]
    report(waiting)
    // Reading a large table takes long. At most a fifth of the time goes into it.
    const pause = Math.min(Math.max(interval * 1000, 4 * looking), end - performance.now())
    await wait(Math.max(0, pause), undefined, { signal: settings.signal })
    const begin = performance.now()
    const over = begin >= end
    const isOver = (service: ServiceKey, destination: DestinationKey): boolean => over && mine.has(fullDestinationId(service, destination))
    const { staged } = await look(handle, desired, settings, isOver, settings.signal)
    looking = performance.now() - begin
    // Changes by others are left alone, and destinations that they bring to weight 0 are not waited for. But if they give a weight again to
    // a destination that this `apply` drains, it is brought to 0 again.
    const retire = staged.retire.filter((operation) => operation.type === 'removeService' ? services.has(serviceId(operation.service))
      : 'destination' in operation && mine.has(fullDestinationId(operation.service, operation.destination)))
    await sender.send(sender.add(retire), sender.planned.length)
    waiting = staged.draining.filter(({ service, destination }) => mine.has(fullDestinationId(service, destination)))
    if (waiting.length > 0 && !over) continue
    yield [...stuck, ...left(first, sender)]
    report([])
    return
  }
}
