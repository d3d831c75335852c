import { objection } from '../client/draft.js'
import { endpointWords, serviceId, serviceWords } from '../model/keys.js'
import type { DestinationInput, ListedDestination, Service, ServiceKey } from '../model/types.js'
import type { Sysctl } from '../proc/sysctl.js'
import { configurationOf } from './configuration.js'
import type { PlanSettings } from './options.js'
import type { DrainingServices, StagedPlan } from './staged.js'
import type { DrainOptions, PlannedOperation, PlanWarning } from './types.js'

/** Schedulers that map a client to one destination, and turn the client away if that destination has weight 0. Each has the remedy. */
const HASHING = new Map([
  ['sh', { flag: 'sh-fallback', advice: 'schedulerFlags [\'sh-fallback\'] makes it move them on' }],
  ['mh', { flag: 'mh-fallback', advice: 'schedulerFlags [\'mh-fallback\'] makes it move them on' }],
  ['dh', { flag: '', advice: 'it has no fallback: another scheduler moves them on' }],
])

/** What to do about a scheduler that turns clients away at weight 0; `undefined` if the scheduler moves them on. */
export function turnsClientsAway({ scheduler, schedulerFlags }: Pick<Service, 'scheduler' | 'schedulerFlags'>): string | undefined {
  const hashing = HASHING.get(scheduler)
  return hashing === undefined || schedulerFlags.includes(hashing.flag) ? undefined : hashing.advice
}

type Connections = Pick<ListedDestination, 'activeConnections' | 'inactiveConnections' | 'persistentConnections'>

const connectionsOf = ({ activeConnections, inactiveConnections, persistentConnections }: Connections): Connections =>
  ({ activeConnections, inactiveConnections, persistentConnections })

/**
 * Whether a destination has no more connections that draining waits for. Templates do not count if the service has persistence no more: the
 * kernel does not use them, it only keeps them until they expire.
 */
export const connectionsGone = (
  { activeConnections, inactiveConnections, persistentConnections }: Connections,
  until: DrainOptions['until'],
  persistence: Service['persistence'],
): boolean =>
  activeConnections === 0 && (persistence === null || persistentConnections === 0) && (until === 'established' || inactiveConnections === 0)

/**
 * Seconds for which the kernel remembers a TCP connection in TIME_WAIT, whatever the timeouts are (`tcp_timeouts`). The kernel sees that
 * state only if answers come through the director (NAT).
 */
const TIME_WAIT = 120

type Settings = Record<'expire_quiescent_template' | 'expire_nodest_conn' | 'conn_reuse_mode', number | undefined>

/**
 * Settings that decide what draining means to clients: when to warn, and the words. A setting that the kernel does not have is `undefined`.
 */
const SYSCTLS: { about?: keyof DrainingServices, matters: (settings: Settings) => boolean, message: string }[] = [
  {
    about: 'affinity',
    matters: (settings) => settings.expire_quiescent_template === 0,
    message:
      'clients with a persistence template go on coming to a destination at weight 0 until it expires; net.ipv4.vs.expire_quiescent_template=1 moves them on',
  },
  {
    // Otherwise `is_new_conn_expected` does not take a connection in FIN_WAIT for closed. A director that sees only one direction of the
    // traffic sees no later state.
    about: 'oneWay',
    matters: ({ expire_nodest_conn: expire, conn_reuse_mode: reuse }) => expire === 0 && reuse !== undefined && (reuse & 2) === 0,
    message:
      "with dr and tun, closed connections are remembered for timeouts.tcpFin seconds, and until 'established' does not wait for that: a client that comes again from the " +
      'same source port meanwhile is dropped; net.ipv4.vs.expire_nodest_conn=1, or conn_reuse_mode=3, schedules it anew',
  },
  {
    matters: (settings) => settings.expire_nodest_conn === 0,
    message:
      'connections that are left when a destination is removed hang until they time out; net.ipv4.vs.expire_nodest_conn=1 ends them at their next packet',
  },
  {
    matters: (settings) => settings.conn_reuse_mode === 0,
    message:
      'a client that uses a source port again comes to the destination it had, at weight 0 too; net.ipv4.vs.conn_reuse_mode=1 schedules it anew',
  },
]

/** The warnings about the namespace's settings, for a plan that drains destinations. */
export async function sysctlWarnings(sysctl: Pick<Sysctl, 'get'>, services: DrainingServices): Promise<PlanWarning[]> {
  const settings: Settings = { expire_quiescent_template: undefined, expire_nodest_conn: undefined, conn_reuse_mode: undefined }
  for (const name of Object.keys(settings) as (keyof Settings)[]) settings[name] = await sysctl.get(name).catch(() => undefined)
  const warnings: PlanWarning[] = []
  for (const { about, matters, message } of SYSCTLS) {
    const service = about === undefined ? undefined : services[about]
    if ((about !== undefined && service === undefined) || !matters(settings)) continue
    warnings.push({ code: 'sysctl', message: service === undefined ? message : `${serviceWords(service)}: ${message}` })
  }
  return warnings
}

/** Says whether the time limit of a draining destination has passed. */
export type Expired = (service: ServiceKey, destination: ListedDestination) => boolean

/** Decides how undesired destinations are removed: at once, or after they have drained. Warns of what that means to clients. */
export class Retirement {
  /** Services that have had the warning about refused clients. */
  readonly #warned = new Set<string>()
  /** A service that can have TCP, with a draining destination whose closed connections are waited for and are seen to be in TIME_WAIT. */
  #timeWait: ServiceKey | undefined

  constructor(private readonly staged: StagedPlan, private readonly settings: PlanSettings, private readonly expired: Expired) {}

  /**
   * Says why a destination can be removed now. Returns `undefined` if it has to drain. It then joins the plan's list of draining
   * destinations, and is brought to weight 0 unless it already has that weight.
   *
   * @param service the configuration that the service has after the plan
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

  /** Takes note of the warnings that a draining destination calls for. */
  #note(key: ServiceKey, { persistence }: Service, { forward }: ListedDestination, until: 'all' | 'established'): void {
    const { staged } = this
    if (persistence !== null) staged.affinity ??= key
    if ('protocol' in key && key.protocol !== 'tcp') return
    const waitsForClosed = until === 'all' || persistence !== null
    if (waitsForClosed && forward === 'nat') this.#timeWait ??= key
    if (!waitsForClosed && (forward === 'dr' || forward === 'tun')) staged.oneWay ??= key
  }

  /** Warns about a service that changes and has desired destinations at weight 0. */
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

  /**
   * Warns about closed connections that draining waits for.
   *
   * @param tcpFin the timeout for closed connections that is in force after the plan, in seconds
   */
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
