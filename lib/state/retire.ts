import { objection } from '../client/draft.js'
import { endpointWords, serviceId, serviceWords } from '../model/keys.js'
import type { DestinationInput, ListedDestination, Service, ServiceKey } from '../model/types.js'
import { configurationOf } from './configuration.js'
import { connectionsGone, connectionsOf, TIME_WAIT, turnsClientsAway } from './draining.js'
import type { PlanSettings } from './options.js'
import type { StagedPlan } from './staged.js'
import type { PlannedOperation } from './types.js'

/** Says of a draining destination whether its time limit has passed. */
export type Expired = (service: ServiceKey, destination: ListedDestination) => boolean

/** Decides how destinations leave that are not desired: at once, or drained first. Warns of what that means to clients. */
export class Retirement {
  /** Services whose clients are said to be refused. */
  readonly #warned = new Set<string>()
  /** A service over TCP with a draining destination whose closed connections are waited for, and seen to be in TIME_WAIT. */
  #timeWait: ServiceKey | undefined

  constructor(private readonly staged: StagedPlan, private readonly settings: PlanSettings, private readonly expired: Expired) {}

  /**
   * Why a destination can be removed now, in words. `undefined` where it drains: then it is in the plan's list of those, and brought to
   * weight 0 if it is not there yet.
   *
   * @param service the configuration that the service is going to have
   */
  reason(key: ServiceKey, service: Service, destination: ListedDestination): string | undefined {
    const { staged, settings: { drain } } = this
    if (drain === undefined) return 'the destination is not desired'
    if (this.expired(key, destination)) return 'the destination is not desired, and its time to drain has passed'
    if (destination.weight === 0) {
      if (connectionsGone(destination, drain.until, service.persistence)) return 'the destination is not desired, and drained'
    } else {
      const lowered: PlannedOperation = {
        type: 'updateDestination', service: key, destination: { ...configurationOf(destination), weight: 0 },
        reason: `the destination is not desired: weight ${destination.weight} → 0, to drain it`,
      }
      const obstacle = objection(lowered)
      if (obstacle !== undefined) return `the destination is not desired, and cannot be brought to weight 0 to drain it: ${obstacle}`
      staged.retire.push(lowered)
    }
    this.#warnOfRefusedClients(service, key, endpointWords(destination))
    this.#note(key, service, destination, drain.until)
    staged.draining.push({
      service: key,
      destination: { address: destination.address, port: destination.port },
      ...connectionsOf(destination),
    })
    return undefined
  }

  /** Keeps in mind which warnings a draining destination calls for. */
  #note(key: ServiceKey, { persistence }: Service, { forward }: ListedDestination, until: 'all' | 'established'): void {
    const { staged } = this
    if (persistence !== null) staged.affinity ??= key
    if ('protocol' in key && key.protocol !== 'tcp') return
    const waitsForClosed = until === 'all' || persistence !== null
    if (waitsForClosed && forward === 'nat') this.#timeWait ??= key
    if (!waitsForClosed && (forward === 'dr' || forward === 'tun')) staged.oneWay ??= key
  }

  /** Warns of a service that changes and has desired destinations at weight 0. */
  warnOfZeroWeights(service: Service, key: ServiceKey, destinations: readonly DestinationInput[]): void {
    const zero = destinations.find(({ weight }) => weight === 0)
    if (zero !== undefined) this.#warnOfRefusedClients(service, key, endpointWords(zero))
  }

  #warnOfRefusedClients(service: Service, key: ServiceKey, destination: string): void {
    const advice = turnsClientsAway(service)
    if (advice === undefined || this.#warned.has(serviceId(key))) return
    this.#warned.add(serviceId(key))
    this.staged.warnings.push({
      code: 'refuses-clients', service: key,
      message: `${serviceWords(key)}: scheduler '${service.scheduler}' refuses clients that hash to a destination of weight 0 (${destination}); ${advice}`,
    })
  }

  /** @param tcpFin the timeout for closed connections, as it is going to be */
  warnOfInactiveConnections(tcpFin: number): void {
    const { affinity, warnings } = this.staged
    if (affinity !== undefined && this.settings.drain?.until === 'established') {
      warnings.push({
        code: 'inactive-connections', service: affinity,
        message: `${serviceWords(affinity)}: a persistence template stays until the last of its connections is forgotten, closed ones too; `
          + 'until \'established\' waits as long as \'all\' where a service has persistence',
      })
    }
    const timeWait = this.#timeWait
    if (timeWait !== undefined && tcpFin !== TIME_WAIT) {
      warnings.push({
        code: 'inactive-connections', service: timeWait,
        message: `${serviceWords(timeWait)}: with nat, the kernel remembers closed connections for ${TIME_WAIT} seconds, whatever timeouts.tcpFin says (${tcpFin}); `
          + 'until \'established\' does not wait for them where a service has no persistence',
      })
    }
  }
}
