import type { CompleteConfiguration } from '../../configuration/index.js'
import type { DirectorConfiguration } from '../../director/index.js'
import type { Vrrp } from '../../keepalived/index.js'
import { UsageError } from '../new-options.js'

/** Which interface the connection synchronisation daemons use, and which network of directors they belong to. */
export interface Sync {
  interface: string
  syncId?: number
}

/**
 * `INTERFACE[,id=N]`
 *
 * @throws UsageError
 */
export function syncOf(text: string): Sync {
  const [, name, id] = /^([^,\s/]{1,15})(?:,id=(\d{1,3}))?$/.exec(text) ?? []
  if (name === undefined || Number(id ?? 0) > 255)
    throw new UsageError(`--sync '${text}'; expected INTERFACE[,id=N] with a number from 0 to 255, as in eth1 or eth1,id=7`)
  return { interface: name, ...id !== undefined && { syncId: Number(id) } }
}

/** The addresses that VRRP moves; `undefined` where keepalived.conf names none, or there is no such file. */
export function movingAddresses(vrrp: Vrrp | undefined): string[] | undefined {
  const addresses = new Set(vrrp?.instances.flatMap((instance) => instance.addresses.map(({ address }) => address)))
  return addresses.size === 0 ? undefined : [...addresses]
}

/** The addresses of {@link movingAddresses}, and the interface that each is put on. */
export const movingPlaces = (vrrp: Vrrp | undefined): { address: string, interface?: string }[] =>
  vrrp?.instances.flatMap((instance) => instance.addresses.map(({ address, interface: own = instance.interface }) =>
    ({ address, ...own !== undefined && { interface: own } }))) ?? []

/** Why a track file will have no effect, as far as keepalived.conf tells; `undefined` where it will, or where there is no such file. */
export function trackFault(path: string, vrrp: Vrrp | undefined): string | undefined {
  if (vrrp === undefined || vrrp.trackFiles.some(({ file }) => file === path)) return undefined
  return `keepalived.conf names no vrrp_track_file ${path}, so keepalived does not follow it. Name it there, and in the track_file of the vrrp_instances with weight 1`
}

/**
 * The configuration with the daemons of `--sync`: both roles on each machine, since one does not hear itself, so that whoever dies and
 * comes back learns what the other has. With words where something else is done than what was asked for.
 */
export function withSync<Some extends DirectorConfiguration | CompleteConfiguration>(
  configuration: Some,
  sync: Sync | undefined,
  vrrp: Vrrp | undefined,
): { configuration: Some, words?: string } {
  if (sync === undefined) return { configuration }
  const theirs = vrrp?.syncDaemon
  if (theirs?.by === 'vrrp') {
    const words = `--sync has no effect: keepalived.conf gives the sync daemons to VRRP instance ${theirs.instance}, whose keepalived starts and stops them. Take the instance out of lvs_sync_daemon, and both roles run on both machines`
    return { configuration, words }
  }
  const daemons = (['master', 'backup'] as const).map((role) => ({ role, ...sync }))
  const words = configuration.daemons === undefined ? undefined : 'the sync daemons are those of --sync, and not those of the configuration'
  return { configuration: { ...configuration, daemons }, ...words !== undefined && { words } }
}
