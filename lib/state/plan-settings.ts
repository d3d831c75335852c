import { canonicalDaemon, checkTimeouts } from '../client/draft.js'
import { conflict } from '../model/errors.js'
import type { Daemon, DaemonInput, Timeouts } from '../model/types.js'
import { located } from './desired.js'
import type { StagedPlan } from './staged.js'

/** Plans the timeouts. A timeout that is not named, or is 0, stays as it is. */
export function planTimeouts(desired: Partial<Timeouts>, listed: Timeouts, { build }: StagedPlan): void {
  located('desired.timeouts', 'timeouts', () => checkTimeouts(desired))
  const changed = (['tcp', 'tcpFin', 'udp'] as const).filter(
    (name) => desired[name] !== undefined && desired[name] !== 0 && desired[name] !== listed[name],
  )
  if (changed.length === 0) return
  build.push({
    type: 'setTimeouts', timeouts: Object.fromEntries(changed.map((name) => [name, desired[name]])),
    reason: changed.map((name) => `${name} ${listed[name]} → ${desired[name]} seconds`).join(', '),
  })
}

/**
 * Plans the sync daemons.
 *
 * @param prune whether daemons that are not desired are stopped
 */
export function planDaemons(desired: readonly unknown[], listed: readonly Daemon[], prune: boolean, { build, finish }: StagedPlan): void {
  const roles = new Set<unknown>()
  desired.forEach((entry, i) => {
    const path = `desired.daemons[${i}]`
    const daemon = located(path, 'daemon', () => canonicalDaemon(entry))
    if (roles.has(daemon.role)) throw conflict(`${path}.role`, `is '${daemon.role}' a second time: there can be one daemon of each role`)
    roles.add(daemon.role)
    const running = listed.find(({ role }) => role === daemon.role)
    if (running === undefined) {
      finish.push({ type: 'startDaemon', daemon, reason: 'the daemon is not running' })
      return
    }
    const differences = daemonDifferences(running, daemon)
    if (differences.length === 0) return
    const reason = `${differences.join(', ')}: a daemon that runs cannot be changed`
    finish.push({ type: 'stopDaemon', daemon: { role: daemon.role }, reason }, { type: 'startDaemon', daemon, reason })
  })
  if (!prune) return
  for (const { role } of listed) {
    if (!roles.has(role)) build.unshift({ type: 'stopDaemon', daemon: { role }, reason: 'the daemon is not desired' })
  }
}

/** Smallest message of a backup in bytes. The kernel raises smaller lengths to it (`start_sync_thread`). */
const BACKUP_MIN_LENGTH = 1024
/** Largest sync message in bytes that fits into a UDP datagram over IPv6. The kernel lowers larger lengths to it. */
const IPV6_MAX_LENGTH = 65535 - 48

/** The length that the kernel makes of a desired one, by the role and the group's family. */
function kernelLength(maxLength: number, role: string, group: string): number {
  const atLeast = role === 'backup' ? Math.max(maxLength, BACKUP_MIN_LENGTH) : maxLength
  return group.includes(':') ? Math.min(atLeast, IPV6_MAX_LENGTH) : atLeast
}

function daemonDifferences(running: Daemon, desired: DaemonInput): string[] {
  const length =
    desired.maxLength === undefined ? {} : { maxLength: kernelLength(desired.maxLength, running.role, desired.group ?? running.group) }
  return Object.entries({ ...desired, ...length }).filter(([name, value]) => running[name as keyof Daemon] !== value)
    .map(([name, value]) => `${name} ${running[name as keyof Daemon]} → ${value}`)
}
