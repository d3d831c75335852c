import type { DaemonInput, ForwardingMethod, Protocol, Timeouts, Tunnel } from '../model/types.js'
import { RulesError } from './error.js'
import { defaults, limits, type kernelLimits } from './language.js'
import { readEndpoint, readGroup, readInteger, readMask, type Endpoint, type ValueContext } from './option-values.js'
import { valueError, type GivenOption } from './options.js'

/** What the options of a command line set. */
export interface CommandSettings extends ValueContext {
  address: string
  port: number | string
  /** The firewall mark; 0 for services that have an address. */
  fwmark: number
  scheduler: string
  engine: string
  schedulerFlags: GivenOption | undefined
  persistent: boolean
  persistenceTimeout: number
  /** The mask of persistence. For IPv4 a dotted quad or a host name, for IPv6 the length of the prefix. */
  mask: string | number
  onePacket: boolean
  destination: Endpoint | undefined
  forward: ForwardingMethod
  weight: number
  upperThreshold: number
  lowerThreshold: number
  tunnelType: 'ipip' | 'gue' | 'gre'
  tunnelPort: number
  checksum: Tunnel['checksum']
  daemon: DaemonInput
  timeouts: Timeouts
}

export const initialSettings = (): CommandSettings => ({
  protocol: undefined,
  family: 0,
  names: undefined,
  address: '',
  port: 0,
  fwmark: 0,
  scheduler: '',
  engine: '',
  schedulerFlags: undefined,
  persistent: false,
  persistenceTimeout: 0,
  mask: '255.255.255.255',
  onePacket: false,
  destination: undefined,
  forward: defaults.forward,
  weight: defaults.weight,
  upperThreshold: 0,
  lowerThreshold: 0,
  tunnelType: 'ipip',
  tunnelPort: 0,
  checksum: 'none',
  daemon: { role: 'master', interface: '' },
  timeouts: { tcp: 0, tcpFin: 0, udp: 0 },
})

type Limits = typeof limits | typeof kernelLimits

type Setter = (settings: CommandSettings, given: GivenOption, limits: Limits) => void

const textOf = (given: GivenOption): string => given.argument ?? ''

const serviceAt = (protocol: Protocol): Setter => (settings, given) => {
  settings.protocol = protocol
  const { family, address, port } = readEndpoint(given, settings, 0)
  Object.assign(settings, { family, address, port })
  if (family === 6) settings.mask = 128
}

const forwardBy = (method: ForwardingMethod): Setter => (settings) => {
  settings.forward = method
}

const checksumBy = (checksum: Tunnel['checksum']): Setter => (settings) => {
  settings.checksum = checksum
}

const connections = 'a number of connections'

/**
 * What each option sets, by its long name. Options that are not in this table set nothing. Listings only look at whether they were given.
 */
const setters: Partial<Record<string, Setter>> = {
  'tcp-service': serviceAt('tcp'),
  'udp-service': serviceAt('udp'),
  'sctp-service': serviceAt('sctp'),
  'fwmark-service': (settings, given) => {
    settings.family = 4
    settings.protocol = 'tcp'
    settings.fwmark = readInteger(given, 1, limits.fwmark, 'a firewall mark')
  },
  ipv6: (settings, { spelling, line, column }) => {
    if (!settings.fwmark) throw new RulesError(`${spelling} without a firewall mark before it`, '-f MARK -6', line, column)
    settings.family = 6
    settings.mask = 128
  },
  scheduler: (settings, given) => { settings.scheduler = textOf(given).slice(0, limits.schedulerName) },
  pe: (settings, given) => { settings.engine = textOf(given).slice(0, limits.engineName) },
  'sched-flags': (settings, given) => { settings.schedulerFlags = textOf(given) === '' ? undefined : given },
  persistent: (settings, given, { timeout }) => {
    settings.persistent = true
    settings.persistenceTimeout = given.argument === undefined ? defaults.persistenceTimeout : readInteger(given, 1, timeout, 'seconds')
  },
  netmask: (settings, given) => { settings.mask = readMask(given, settings) },
  ops: (settings) => { settings.onePacket = true },
  // Without a port a destination takes the port of a service that was given before it, so the order of the options matters.
  'real-server': (settings, given) => { settings.destination = readEndpoint(given, settings, settings.port) },
  masquerading: forwardBy('nat'),
  ipip: forwardBy('tun'),
  gatewaying: forwardBy('dr'),
  local: forwardBy('local'),
  bypass: forwardBy('bypass'),
  weight: (settings, given, { weight }) => { settings.weight = readInteger(given, 0, weight, 'a weight') },
  'u-threshold': (settings, given) => { settings.upperThreshold = readInteger(given, 0, limits.threshold, connections) },
  'l-threshold': (settings, given) => { settings.lowerThreshold = readInteger(given, 0, limits.threshold, connections) },
  'tun-type': (settings, given) => {
    const type = textOf(given)
    if (type !== 'ipip' && type !== 'gue' && type !== 'gre') throw valueError(given, 'ipip, gue or gre')
    settings.tunnelType = type
  },
  'tun-port': (settings, given) => { settings.tunnelPort = readInteger(given, 1, limits.port, 'a port') },
  'tun-nocsum': checksumBy('none'),
  'tun-csum': checksumBy('csum'),
  'tun-remcsum': checksumBy('remcsum'),
  'mcast-interface': ({ daemon }, given) => { daemon.interface = textOf(given).slice(0, limits.interfaceName) },
  syncid: ({ daemon }, given) => { daemon.syncId = readInteger(given, 0, limits.syncId, 'an identifier') },
  'sync-maxlen': ({ daemon }, given) => { daemon.maxLength = readInteger(given, 1, limits.syncMaxLength, 'bytes') },
  'mcast-group': ({ daemon }, given) => { daemon.group = readGroup(given) },
  'mcast-port': ({ daemon }, given) => { daemon.port = readInteger(given, 1, limits.port, 'a port') },
  'mcast-ttl': ({ daemon }, given) => { daemon.ttl = readInteger(given, 1, limits.ttl, 'a time to live') },
}

/**
 * Sets what an option says.
 *
 * @throws RulesError if its value is wrong.
 */
export function applyOption(settings: CommandSettings, given: GivenOption, limits: Limits): void {
  setters[given.option.long]?.(settings, given, limits)
}
