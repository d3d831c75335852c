import type { ListedDestination, Service, ServiceKey } from '../model/types.js'
import type { Sysctl } from '../proc/sysctl.js'
import { serviceWords } from './complete.js'
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

/** Whether nothing is left that draining waits for. */
export const connectionsGone = ({ activeConnections, inactiveConnections, persistentConnections }: Connections, until: DrainOptions['until']): boolean =>
  activeConnections === 0 && persistentConnections === 0 && (until === 'established' || inactiveConnections === 0)

/** Settings that decide what draining means to clients: when to speak of one, and what to say. */
const SYSCTLS = [
  {
    name: 'expire_quiescent_template', value: 0, persistent: true,
    message: 'clients with a persistence template go on coming to a destination at weight 0 until it expires; net.ipv4.vs.expire_quiescent_template=1 moves them on',
  },
  {
    name: 'expire_nodest_conn', value: 0, persistent: false,
    message: 'connections that are left when a destination is removed hang until they time out; net.ipv4.vs.expire_nodest_conn=1 ends them at their next packet',
  },
  {
    name: 'conn_reuse_mode', value: 0, persistent: false,
    message: 'a client that uses a source port again comes to the destination it had, at weight 0 too; net.ipv4.vs.conn_reuse_mode=1 schedules it anew',
  },
] as const

/**
 * Warnings about the settings of the namespace, for when something drains. A setting that the kernel does not have is passed over.
 *
 * @param affinity a service with persistence that has a draining destination
 */
export async function sysctlWarnings(sysctl: Pick<Sysctl, 'get'> | undefined, affinity: ServiceKey | undefined): Promise<PlanWarning[]> {
  if (sysctl === undefined) return []
  const warnings: PlanWarning[] = []
  for (const { name, value, persistent: only, message } of SYSCTLS) {
    if (only && affinity === undefined) continue
    if (await sysctl.get(name).catch(() => undefined) !== value) continue
    warnings.push({ code: 'sysctl', message: only ? `${serviceWords(affinity!)}: ${message}` : message })
  }
  return warnings
}
