/**
 * ipvsadm's language as tables: its commands, its options, and which options each command takes.
 *
 * Where the manual and the source of ipvsadm 1.31 differ, the facts are the source's.
 */

import { DEFAULTS } from '../model/limits.js'

/** The names of options in ipvsadm's messages ("multiple '…' options"), in the order in which ipvsadm checks them. */
export const optionGroups = [
  'numeric', 'connection', 'service-address', 'scheduler', 'persistent', 'netmask', 'real-server', 'forwarding-method', 'weight',
  'u-threshold', 'l-threshold', 'mcast-interface', 'timeout', 'daemon', 'stats', 'rate', 'thresholds', 'persistent-conn', 'nosort',
  'syncid', 'exact', 'ops', 'pe', 'sched-flags', 'mcast-group', 'mcast-port', 'mcast-ttl', 'sync-maxlen', 'tun-info', 'tun-type',
  'tun-port', 'tun-nocsum', 'tun-csum', 'tun-remcsum',
] as const

export type OptionGroup = (typeof optionGroups)[number]

/** ipvsadm's commands, by their names in its messages. */
export type CommandName =
  | 'add-service' | 'edit-service' | 'delete-service' | 'flush' | 'list' | 'add-server' | 'delete-server' | 'edit-server'
  | 'set' | 'start-daemon' | 'stop-daemon' | 'restore' | 'save' | 'zero' | 'help' | 'version'

/** The options that a command needs, takes, and takes at most one of. All others are refused. */
export interface Grammar {
  needs?: readonly OptionGroup[]
  takes?: readonly OptionGroup[]
  oneOf?: readonly OptionGroup[]
}

const service: Grammar = { needs: ['service-address'], takes: ['scheduler', 'persistent', 'netmask', 'ops', 'pe', 'sched-flags'] }
const server: Grammar = {
  needs: ['service-address', 'real-server'],
  takes: ['forwarding-method', 'weight', 'u-threshold', 'l-threshold', 'tun-type', 'tun-port', 'tun-nocsum', 'tun-csum', 'tun-remcsum'],
}

export const grammars: Record<CommandName, Grammar> = {
  'add-service': service,
  'edit-service': service,
  'delete-service': { needs: ['service-address'] },
  flush: {},
  list: {
    takes: ['numeric', 'stats', 'rate', 'thresholds', 'persistent-conn', 'nosort', 'syncid', 'exact', 'tun-info'],
    oneOf: ['connection', 'service-address', 'timeout', 'daemon'],
  },
  'add-server': server,
  'edit-server': server,
  'delete-server': { needs: ['service-address', 'real-server'] },
  set: {},
  'start-daemon': { takes: ['mcast-interface', 'syncid', 'mcast-group', 'mcast-port', 'mcast-ttl', 'sync-maxlen'] },
  'stop-daemon': { takes: ['syncid'] },
  restore: {},
  save: { takes: ['numeric'] },
  zero: { takes: ['service-address'] },
  help: {},
  version: {},
}

/** The tunnel options of each tunnel type. */
export const tunnelGrammars: Record<'ipip' | 'gue' | 'gre', Grammar> = {
  ipip: {},
  gue: { needs: ['tun-port'], oneOf: ['tun-nocsum', 'tun-csum', 'tun-remcsum'] },
  gre: { oneOf: ['tun-nocsum', 'tun-csum'] },
}

export const tunnelGroups = ['tun-port', 'tun-nocsum', 'tun-csum', 'tun-remcsum'] as const

/** An option as popt(3) defines it. */
export interface OptionSpelling {
  long: string
  short?: string
  argument: 'none' | 'text' | 'optional'
  /** The command that the option is. The first option of a command line has to be a command. */
  command?: CommandName
  /** The option's group. Of the options of a group only one may be given; options without a group may be repeated. */
  group?: OptionGroup
}

const flag = (long: string, short?: string, group?: OptionGroup): OptionSpelling => ({ long, short, argument: 'none', group })
const valued = (long: string, short?: string, group: OptionGroup = long as OptionGroup): OptionSpelling =>
  ({ long, short, argument: 'text', group })
const command = (long: string, short: string | undefined, name: CommandName, argument: 'none' | 'text' = 'none'): OptionSpelling =>
  ({ long, short, argument, command: name })

export const optionSpellings: readonly OptionSpelling[] = [
  command('add-service', 'A', 'add-service'),
  command('edit-service', 'E', 'edit-service'),
  command('delete-service', 'D', 'delete-service'),
  command('clear', 'C', 'flush'),
  command('list', 'L', 'list'),
  command('list', 'l', 'list'),
  command('zero', 'Z', 'zero'),
  command('add-server', 'a', 'add-server'),
  command('edit-server', 'e', 'edit-server'),
  command('delete-server', 'd', 'delete-server'),
  command('set', undefined, 'set'),
  command('help', 'h', 'help'),
  command('version', 'v', 'version'),
  command('restore', 'R', 'restore'),
  command('save', 'S', 'save'),
  command('start-daemon', undefined, 'start-daemon', 'text'),
  command('stop-daemon', undefined, 'stop-daemon', 'text'),
  valued('tcp-service', 't', 'service-address'),
  valued('udp-service', 'u', 'service-address'),
  valued('sctp-service', undefined, 'service-address'),
  valued('fwmark-service', 'f', 'service-address'),
  valued('scheduler', 's'),
  { long: 'persistent', short: 'p', argument: 'optional', group: 'persistent' },
  valued('netmask', 'M'),
  valued('real-server', 'r'),
  flag('masquerading', 'm', 'forwarding-method'),
  flag('ipip', 'i', 'forwarding-method'),
  flag('gatewaying', 'g', 'forwarding-method'),
  valued('weight', 'w'),
  valued('u-threshold', 'x'),
  valued('l-threshold', 'y'),
  flag('numeric', 'n', 'numeric'),
  flag('connection', 'c', 'connection'),
  valued('mcast-interface'),
  valued('syncid'),
  flag('timeout', undefined, 'timeout'),
  flag('daemon', undefined, 'daemon'),
  flag('stats', undefined, 'stats'),
  flag('rate', undefined, 'rate'),
  flag('thresholds', undefined, 'thresholds'),
  flag('persistent-conn', undefined, 'persistent-conn'),
  flag('nosort', undefined, 'nosort'),
  flag('sort'),
  flag('exact', 'X', 'exact'),
  flag('ipv6', '6'),
  flag('ops', 'o', 'ops'),
  valued('pe'),
  valued('sched-flags', 'b'),
  valued('mcast-group'),
  valued('mcast-port'),
  valued('mcast-ttl'),
  valued('sync-maxlen'),
  flag('tun-info', undefined, 'tun-info'),
  valued('tun-type'),
  valued('tun-port'),
  flag('tun-nocsum', undefined, 'tun-nocsum'),
  flag('tun-csum', undefined, 'tun-csum'),
  flag('tun-remcsum', undefined, 'tun-remcsum'),
]

/** This library's own options, for rules that ipvsadm's language cannot say. Only lines that ipvsadm-restore skips have them. */
export const beyondSpellings: readonly OptionSpelling[] = [
  flag('local', undefined, 'forwarding-method'),
  flag('bypass', undefined, 'forwarding-method'),
]

/** ipvsadm's defaults, from its source. Its manual gives 300 seconds of persistence, but the program uses 360. */
export const defaults = { ...DEFAULTS, daemonInterface: 'eth0' } as const

/** The largest values that ipvsadm accepts. */
export const limits = {
  /** Seconds: 31 days. */
  timeout: 86_400 * 31,
  weight: 65_535,
  threshold: 2 ** 31 - 1,
  fwmark: 2 ** 32 - 1,
  syncId: 255,
  syncMaxLength: 65_507,
  port: 65_535,
  ttl: 255,
  /** Bytes of a name that ipvsadm keeps. It silently drops the rest. */
  schedulerName: 15,
  engineName: 16,
  interfaceName: 15,
} as const

/** The largest values that the kernel accepts, for lines that ipvsadm-restore skips. */
export const kernelLimits = { ...limits, timeout: 2 ** 32 - 1, weight: 2 ** 31 - 1 } as const
