import type { DirectedService, DirectorConfiguration } from '../../configuration/index.js'
import { idOf } from './services.js'

/** What has changed in the services since a reader took a change last. */
export interface ServicesUpdate {
  /** The revision of etcd that the services have with it. */
  revision: number
  /** Services that are new, or otherwise than before. */
  services: DirectedService[]
  /** Services that are not there any more, as they were. */
  removed: DirectedService[]
}

/** What one reader has not taken yet, by what tells services apart. */
type Untaken = Map<string, { service: DirectedService, isThere: boolean }>

/** The services as they were handed out last. Who follows their changes gets only these, however many services there are. */
export class Published {
  /** The revision of etcd that the services have; `undefined` before there are any. */
  revision: number | undefined
  /** By name. */
  readonly #services = new Map<string, DirectedService>()
  readonly #readers = new Set<Untaken>()
  /** All services, made when it is asked for. */
  #configuration: DirectorConfiguration | undefined

  /**
   * Hands out changes.
   *
   * @param changed services by name; `undefined` for a name that has none any more
   */
  add(changed: ReadonlyMap<string, DirectedService | undefined>, revision: number): void {
    this.revision = revision
    this.#configuration = undefined
    const before = [...changed.keys()].flatMap((name) => this.#services.get(name) ?? [])
    for (const [name, service] of changed) {
      if (service === undefined) this.#services.delete(name)
      else this.#services.set(name, service)
    }
    for (const untaken of this.#readers) {
      // Names can exchange their services: what goes from one may come to another.
      for (const service of before) untaken.set(idOf(service), { service, isThere: false })
      for (const service of changed.values()) if (service !== undefined) untaken.set(idOf(service), { service, isThere: true })
    }
  }

  /** All services, in the order of their names. Those that have not changed are the same objects as before. */
  configuration(): DirectorConfiguration {
    return this.#configuration ??= { services: [...this.#services.keys()].sort().map((name) => this.#services.get(name)!) }
  }

  /** A reader of changes. The first that it takes is all services. */
  reader(): { take: () => ServicesUpdate, leave: () => void } {
    const untaken: Untaken = new Map([...this.#services.values()].map((service) => [idOf(service), { service, isThere: true }]))
    this.#readers.add(untaken)
    return {
      take: () => {
        const all = [...untaken.values()]
        untaken.clear()
        const those = (there: boolean): DirectedService[] => all.flatMap(({ service, isThere }) => isThere === there ? service : [])
        return { revision: this.revision!, services: those(true), removed: those(false) }
      },
      leave: () => void this.#readers.delete(untaken),
    }
  }
}
