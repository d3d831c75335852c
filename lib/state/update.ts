import { canonicalKey } from '../client/draft.js'
import { pause, worked } from '../client/pause.js'
import { object, refuseUnknown, type Known } from '../arguments/validate.js'
import { conflict, invalidType } from '../model/errors.js'
import { keyOf, serviceId, serviceWords } from '../model/keys.js'
import type { ServiceKey } from '../model/types.js'
import { entryOf, located, namedServices, type DesiredEntry, type DesiredState } from './desired.js'
import type { DesiredService, DesiredUpdate } from './types.js'

const UPDATE: Known = { what: 'an update', names: new Set(['services', 'removed']) }

/**
 * What changes in a desired state, by the id of the service: its canonical key, and the desired entry; `undefined` for a service that is no
 * longer desired.
 */
export type Changes = Map<string, { key: ServiceKey, entry: DesiredEntry | undefined }>

/** Reads an update. Of its services, it only looks at the keys. */
export function readUpdate(given: DesiredUpdate): Changes {
  const update = object(given, 'update')
  refuseUnknown(update, 'update', UPDATE)
  const { services = [], removed = [] } = update
  if (!Array.isArray(services)) throw invalidType('update.services', 'an array of services', services)
  const changes: Changes = new Map()
  for (const [id, key] of namedServices(removed, 'update.removed')) changes.set(id, { key, entry: undefined })
  services.forEach((service: DesiredService, number) => {
    const place = `update.services[${number}]`
    const key = located(place, 'service', () => canonicalKey(service))
    const id = serviceId(key)
    if (changes.has(id)) throw conflict(place, `names ${serviceWords(key)} a second time`)
    changes.set(id, { key, entry: entryOf(service, 'update.services', number) })
  })
  return changes
}

/** Merges several updates. Of each service, it keeps what the last of them says. */
export function merged(updates: readonly Changes[]): Changes {
  if (updates.length === 1) return updates[0]
  const all: Changes = new Map()
  for (const changes of updates) for (const [id, change] of changes) all.set(id, change)
  return all
}

/** A desired state that has only the changed services. */
export const stateOf = (changes: Changes): DesiredState => ({
  services: [...changes.values()].flatMap(({ entry }) => entry ?? []), timeouts: undefined, daemons: undefined,
  only: new Map([...changes].map(([id, { key }]) => [id, key])),
})

/**
 * The id of a desired service. An entry of another program can be desired as it is listed, even if its key cannot be packed. Its id is then
 * made of the text as given.
 */
function idOf(service: DesiredService): string {
  try {
    return serviceId(canonicalKey(service))
  } catch {
    return serviceId(keyOf(service))
  }
}

/** A desired state without mistakes. An update changes it service by service, without copying it or going through all of it. */
export class KeptState {
  readonly state: DesiredState
  readonly #services: Map<string, DesiredEntry>

  private constructor({ timeouts, daemons }: DesiredState, services: Map<string, DesiredEntry>) {
    this.#services = services
    this.state = { services: { [Symbol.iterator]: () => services.values() }, timeouts, daemons }
  }

  static async of(state: DesiredState): Promise<KeptState> {
    const services = new Map<string, DesiredEntry>()
    for (const entry of state.services) {
      services.set(idOf(entry.service), entry)
      if (worked()) await pause()
    }
    return new KeptState(state, services)
  }

  change(changes: Changes): void {
    for (const [id, { entry }] of changes) {
      if (entry === undefined) this.#services.delete(id)
      else this.#services.set(id, entry)
    }
  }

  /** The desired state of some services. */
  about(only: ReadonlyMap<string, ServiceKey>): DesiredState {
    return { services: [...only.keys()].flatMap((id) => this.#services.get(id) ?? []), timeouts: undefined, daemons: undefined, only }
  }
}
