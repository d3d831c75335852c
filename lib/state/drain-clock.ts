import { destinationId, serviceId } from '../model/keys.js'
import type { DestinationKey, ServiceKey } from '../model/types.js'
import type { DrainingDestination } from './types.js'

interface DrainingService {
  readonly key: ServiceKey
  /** When each destination was first seen to drain, in milliseconds of `performance.now()`. */
  readonly since: Map<string, number>
}

/** Knows when each destination was first seen to drain. */
export class DrainClock {
  #services = new Map<string, DrainingService>()

  /** The keys of services with draining destinations, by id. */
  keys(): Map<string, ServiceKey> {
    return new Map([...this.#services].map(([id, { key }]) => [id, key]))
  }

  get isEmpty(): boolean {
    return this.#services.size === 0
  }

  /** Milliseconds since a destination was first seen to drain; 0 if it does not drain. */
  age(service: ServiceKey, destination: DestinationKey): number {
    const since = this.#services.get(serviceId(service))?.since.get(destinationId(destination))
    return since === undefined ? 0 : performance.now() - since
  }

  /**
   * Takes note of what drains now.
   *
   * @param draining destinations that a look found draining
   * @param only the services that were looked at. If it is missing, all were
   * @param begins whether a destination that did not drain before counts as draining from now on
   */
  note(draining: readonly DrainingDestination[], only: ReadonlyMap<string, ServiceKey> | undefined, begins: boolean): void {
    const before = this.#services
    if (only === undefined) this.#services = new Map()
    const former = only === undefined ? before : new Map<string, DrainingService>()
    if (only !== undefined) for (const id of only.keys()) {
      const service = before.get(id)
      if (service === undefined) continue
      former.set(id, service)
      before.delete(id)
    }
    for (const { service: key, destination } of draining) {
      const id = serviceId(key)
      const destinationKey = destinationId(destination)
      const since = former.get(id)?.since.get(destinationKey) ?? (begins ? performance.now() : undefined)
      if (since === undefined) continue
      let service = this.#services.get(id)
      if (service === undefined) this.#services.set(id, service = { key, since: new Map() })
      service.since.set(destinationKey, since)
    }
  }
}
