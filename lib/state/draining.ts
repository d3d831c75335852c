import type { ListedDestination, Service, ServiceKey } from '../model/types.js'
import type { Sysctl } from '../proc/sysctl.js'
import { serviceWords } from '../model/keys.js'
import type { DrainOptions, PlanWarning } from './types.js'

/** Schedulers that map a client to one destination and refuse it where that one has weight 0, and what to do about it. */
const HASHING = new Map([
  ['sh', { flag: 'sh-fallback', advice: 'schedulerFlags [\'sh-fallback\'] makes it move them on' }],
  ['mh', { flag: 'mh-fallback', advice: 'schedulerFlags [\'mh-fallback\'] makes it move them on' }],
  ['dh', { flag: '', advice: 'it has no fallback: another scheduler moves them on' }],
])

/** What to do about a scheduler that turns clients away at weight 0; `undefined` for one that moves them on. */
export function turnsClientsAway({ scheduler, schedulerFlags }: Pick<Service, 'scheduler' | 'schedulerFlags'>): string | undefined {
  const hashing = HASHING.get(scheduler)
  return hashing === undefined || schedulerFlags.includes(hashing.flag) ? undefined : hashing.advice
}

type Connections = Pick<ListedDestination, 'activeConnections' | 'inactiveConnections' | 'persistentConnections'>

export const connectionsOf = ({ activeConnections, inactiveConnections, persistentConnections }: Connections): Connections =>
  ({ activeConnections, inactiveConnections, persistentConnections })

/**
 * Whether nothing is left that draining waits for. A service without persistence has no use for the templates that it had: they only wait
 * for their end.
 */
export const connectionsGone = (
  { activeConnections, inactiveConnections, persistentConnections }: Connections,
  until: DrainOptions['until'],
  persistence: Service['persistence'],
): boolean =>
  activeConnections === 0 && (persistence === null || persistentConnections === 0) && (until === 'established' || inactiveConnections === 0)

/**
 * Seconds that the kernel remembers a TCP connection in TIME_WAIT, whatever the timeouts are (`tcp_timeouts`). Only where answers come by
 * the director (NAT) does it see that state.
 */
export const TIME_WAIT = 120

/** Services that have a draining destination, one of each kind that there is something to say about. */
export interface DrainingServices {
  /** One with persistence. */
  affinity: ServiceKey | undefined
  /**
   * One that may be of TCP, without persistence, whose answers do not come by the director (dr, tun), and whose inactive connections are
   * not waited for.
   */
  oneWay: ServiceKey | undefined
}

type Settings = Record<'expire_quiescent_template' | 'expire_nodest_conn' | 'conn_reuse_mode', number | undefined>

/**
 * Settings that decide what draining means to clients: when to speak of them, and what to say. A setting that the kernel does not have is
 * `undefined`.
 */
const SYSCTLS: { about?: keyof DrainingServices, matters: (settings: Settings) => boolean, message: string }[] = [
  {
    about: 'affinity',
    matters: (settings) => settings.expire_quiescent_template === 0,
    message:
      'clients with a persistence template go on coming to a destination at weight 0 until it expires; net.ipv4.vs.expire_quiescent_template=1 moves them on',
  },
  {
    // `is_new_conn_expected` takes no connection in FIN_WAIT for closed otherwise, and a director that sees one direction only sees no
    // later state.
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

/** Warnings about the settings of the namespace, for when something drains. */
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
