import { invalidType, invalidValue, outOfRange } from '../model/errors.js'
import type { NativeHandle } from '../wire/addon.js'
import { readText, readTextSync, writeText, writeTextSync, type NamespaceFile } from './namespace-file.js'

/** The types of settings. */
interface SysctlKinds {
  /** A C `int`: 32 bits, signed. */
  integer: number
  /** A C `unsigned long`. Exact up to 2⁵³-1. */
  count: number
  /** A packet count and a period. */
  pair: [number, number]
  text: string
}

/**
 * The settings under `net.ipv4.vs`, from `net/netfilter/ipvs/ip_vs_ctl.c`, `ip_vs_lblc.c` and `ip_vs_lblcr.c`. The kernel's
 * Documentation/networking/ipvs-sysctl.rst explains them. A kernel that lacks a setting answers ENOENT: `debug_level` exists only if the
 * kernel was built with CONFIG_IP_VS_DEBUG (one level for all namespaces, writable only from the initial one); `lblc_expiration` and
 * `lblcr_expiration` (seconds) exist once the scheduler's module is loaded.
 */
const kinds = {
  amemthresh: 'integer',
  am_droprate: 'integer',
  backup_only: 'integer',
  cache_bypass: 'integer',
  conn_lfactor: 'integer',
  conn_max: 'integer',
  conn_reuse_mode: 'integer',
  conntrack: 'integer',
  debug_level: 'integer',
  drop_entry: 'integer',
  drop_packet: 'integer',
  est_cpulist: 'text',
  est_nice: 'integer',
  expire_nodest_conn: 'integer',
  expire_quiescent_template: 'integer',
  ignore_tunneled: 'integer',
  lblc_expiration: 'integer',
  lblcr_expiration: 'integer',
  nat_icmp_send: 'integer',
  pmtu_disc: 'integer',
  run_estimation: 'integer',
  schedule_icmp: 'integer',
  secure_tcp: 'integer',
  sloppy_sctp: 'integer',
  sloppy_tcp: 'integer',
  snat_reroute: 'integer',
  svc_lfactor: 'integer',
  sync_persist_mode: 'integer',
  sync_ports: 'integer',
  sync_qlen_max: 'count',
  sync_refresh_period: 'integer',
  sync_retries: 'integer',
  sync_sock_size: 'integer',
  sync_threshold: 'pair',
  sync_version: 'integer',
} as const satisfies Record<string, keyof SysctlKinds>

/** Names of the settings. */
export type SysctlName = keyof typeof kinds

/** The type of a setting's value, by name. */
export type SysctlValue<Name extends SysctlName> = SysctlKinds[(typeof kinds)[Name]]

/** The settings under `net.ipv4.vs` in the namespace of a handle. */
export interface Sysctl {
  /**
   * Reads a setting.
   *
   * @throws IpvsError ENOENT if the kernel does not have the setting (yet).
   *
   * @example
   * ```js
   * const seconds = await ipvs.sysctl.get('sync_refresh_period')
   * ```
   */
  get<Name extends SysctlName>(name: Name): Promise<SysctlValue<Name>>
  /**
   * Sets a setting. Takes any value that `get` returned. `set('est_cpulist', '')`, an empty list of processors, stops the kernel's
   * estimation of traffic (needs Linux 6.2).
   *
   * @throws IpvsError EINVAL if the kernel does not accept the value, EACCES without permission, EROFS if /proc/sys is mounted read-only
   * (as in a Docker container), ENOENT if the kernel does not have the setting (yet).
   *
   * @example
   * ```js
   * await ipvs.sysctl.set('sync_threshold', [3, 50])
   * ```
   */
  set<Name extends SysctlName>(name: Name, value: SysctlValue<Name>): Promise<void>
}

/**
 * {@link Sysctl} of `IpvsSync`.
 *
 * @example
 * ```js
 * import { IpvsSync } from 'ipvs'
 *
 * const ipvs = IpvsSync.open()
 * ipvs.sysctl.set('expire_nodest_conn', 1)
 * console.log(ipvs.sysctl.get('expire_nodest_conn'))
 * ipvs.close()
 * ```
 */
export interface SysctlSync {
  get<Name extends SysctlName>(name: Name): SysctlValue<Name>
  set<Name extends SysctlName>(name: Name, value: SysctlValue<Name>): void
}

/** @param open returns the handle, or throws if it is closed */
export const sysctl = (open: () => NativeHandle): Sysctl => ({
  async get(name) {
    return valueOf(name, await readText(open(), fileOf(name, 'get')))
  },
  async set(name, value) {
    await writeText(open(), fileOf(name, 'set'), textOf(name, value))
  },
})

export const sysctlSync = (open: () => NativeHandle): SysctlSync => ({
  get: (name) => valueOf(name, readTextSync(open(), fileOf(name, 'get'))),
  set: (name, value) => writeTextSync(open(), fileOf(name, 'set'), textOf(name, value)),
})

function fileOf(name: SysctlName, access: 'get' | 'set'): NamespaceFile {
  if (typeof name !== 'string') throw invalidType('name', 'the name of a setting, a string', name)
  if (!Object.hasOwn(kinds, name)) throw invalidValue('name', `one of ${Object.keys(kinds).join(', ')}`, name)
  return { path: `/proc/sys/net/ipv4/vs/${name}`, operation: { type: access === 'get' ? 'getSysctl' : 'setSysctl', name } }
}

function valueOf<Name extends SysctlName>(name: Name, text: string): SysctlValue<Name> {
  const words = text.trim()
  const number = Number(words)
  const values: SysctlKinds = { integer: number, count: number, pair: words.split(/\s+/).map(Number) as [number, number], text: words }
  return values[kinds[name]]
}

const INTEGER = { min: -(2 ** 31), max: 2 ** 31 - 1 }
const COUNT = { min: 0, max: Number.MAX_SAFE_INTEGER }

/** The text of a whole number. Unlike the other validation functions, this one allows negative numbers. */
function digits(value: unknown, field: string, { min, max }: typeof INTEGER): string {
  const expected = `an integer from ${min} to ${max}`
  if (typeof value !== 'number') throw invalidType(field, expected, value)
  if (!Number.isInteger(value) || value < min || value > max || Object.is(value, -0)) throw outOfRange(field, expected, value)
  return String(value)
}

/** The text to write. It ends with a line feed, because an empty text is a value too, and writing no bytes would not reach the kernel. */
const textOf = (name: SysctlName, value: unknown): string => `${wordsOf(kinds[name], value)}\n`

function wordsOf(kind: keyof SysctlKinds, value: unknown): string {
  if (kind === 'integer') return digits(value, 'value', INTEGER)
  if (kind === 'count') return digits(value, 'value', COUNT)
  if (kind === 'pair') {
    if (!Array.isArray(value) || value.length !== 2) throw invalidType('value', 'an array of two integers', value)
    return value.map((part, index) => digits(part, `value[${index}]`, INTEGER)).join(' ')
  }
  if (typeof value !== 'string') throw invalidType('value', 'a string', value)
  if (/[\0\n]/.test(value)) throw invalidValue('value', 'one line of text', value)
  return value
}
