import { canonicalAddress, parseMask, prefixOfMask } from '../model/address.js'
import type { DaemonInput, DestinationKey, ForwardingMethod, Operation, Persistence, Protocol, Service, ServiceKey, Tunnel } from '../model/types.js'
import { looseIPv4 } from './address-text.js'
import { RulesError } from './error.js'
import {
  beyondSpellings, defaults, grammars, kernelLimits, limits, optionGroups, optionSpellings, tunnelGrammars, tunnelGroups,
  type CommandName, type Grammar, type OptionGroup,
} from './language.js'
import { OptionReader, Spellings, type GivenOption } from './options.js'
import { schedulerFlagBits, schedulerFlagNames, schedulersOfFlags } from './scheduler-flags.js'
import type { Named } from './types.js'
import type { Word } from './words.js'

/** A name in place of a number, and where it stands. */
export interface NameReference {
  kind: 'host' | 'service'
  name: string
  /** For services: whose database entry is meant. */
  protocol?: Protocol
  line: number
  column: number
}

/** What a command line says. */
export interface ReadCommand {
  name: CommandName
  /** For the commands that change something. */
  operation?: Named<Operation>
  /** For `list`: the one service to be listed. */
  service?: Named<ServiceKey>
  /** Which options were given. */
  options: GivenOptions
  /** The names in the operation or the service, where there are any. */
  names?: NameReference[]
}

/** Tells of an option whether it was given. */
export type GivenOptions = Pick<ReadonlySet<OptionGroup>, 'has'>

/** How a command line is read. */
export interface CommandDialect {
  spellings: Spellings
  /** The options above were made for rules that ipvsadm cannot say: the kernel's limits hold in place of ipvsadm's. */
  beyond: boolean
  /** Takes options that are not ipvsadm's; they may stand anywhere, before the command too. Returns whether it has taken this one. */
  takeOwn?: (given: GivenOption) => boolean
}

/** ipvsadm's own language. */
export const plainDialect: CommandDialect = { spellings: new Spellings(optionSpellings), beyond: false }
/** The language of the lines that ipvsadm passes over. */
export const beyondDialect: CommandDialect = { spellings: new Spellings(optionSpellings, beyondSpellings), beyond: true }

/**
 * Reads one command line, with ipvsadm's own order of checks, so that of several mistakes the same one is reported.
 *
 * @throws RulesError at the first mistake.
 */
export function readCommand(words: readonly Word[], line: number, dialect: CommandDialect = plainDialect): ReadCommand {
  return new CommandReader(words, line, dialect).read()
}

const number = /^[ \t\n\v\f\r]*[+-]?[0-9]+$/
const hostName = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/
const serviceName = /^[A-Za-z0-9][A-Za-z0-9_.+*/-]*$/

const forwardingOptions: Partial<Record<string, ForwardingMethod>> = { masquerading: 'nat', ipip: 'tun', gatewaying: 'dr', local: 'local', bypass: 'bypass' }
const serviceProtocols: Partial<Record<string, Protocol>> = { 'tcp-service': 'tcp', 'udp-service': 'udp', 'sctp-service': 'sctp' }
const checksumOptions: Partial<Record<string, Tunnel['checksum']>> = { 'tun-nocsum': 'none', 'tun-csum': 'csum', 'tun-remcsum': 'remcsum' }

/** An address with a port, as it was given. */
interface Endpoint {
  family: 4 | 6
  address: string
  port: number | string
}

class CommandReader {
  readonly #line: number
  readonly #dialect: CommandDialect
  readonly #limits: typeof limits | typeof kernelLimits
  readonly #options: OptionReader
  readonly #given = new Map<OptionGroup, GivenOption>()
  #names: NameReference[] | undefined
  #command!: GivenOption

  // What the options have said so far. Their order matters: `-r` looks at the service that came before it.
  #protocol: Protocol | undefined
  #family: 0 | 4 | 6 = 0
  #address = ''
  #port: number | string = 0
  #fwmark = 0
  #scheduler = ''
  #engine = ''
  #schedulerFlags: GivenOption | undefined
  #persistent = false
  #timeout = 0
  /** IPv4: dotted quad or host name; IPv6: length of the prefix. */
  #mask: string | number = '255.255.255.255'
  #onePacket = false
  #destination: Endpoint | undefined
  #forward: ForwardingMethod = defaults.forward
  #weight: number = defaults.weight
  #upperThreshold = 0
  #lowerThreshold = 0
  #tunnelType: Tunnel['type'] = 'ipip'
  #tunnelPort = 0
  #checksum: Tunnel['checksum'] = 'none'
  readonly #daemon: DaemonInput = { role: 'master', interface: '' }
  #timeouts = { tcp: 0, tcpFin: 0, udp: 0 }

  constructor(words: readonly Word[], line: number, dialect: CommandDialect) {
    this.#line = line
    this.#dialect = dialect
    this.#limits = dialect.beyond ? kernelLimits : limits
    this.#options = new OptionReader(words, line, dialect.spellings)
  }

  read(): ReadCommand {
    this.#readCommandOption()
    const name = this.#command.option.command!
    if (name === 'help' || name === 'version') return this.#result(name)
    for (let given = this.#next(); given; given = this.#next()) this.#take(given)
    if (name === 'set') this.#takeTimeouts()
    const [surplus] = this.#options.leftOver
    if (surplus) throw this.#error(`unexpected word '${surplus.text}'`, 'an option, or the end of the line', surplus.column)
    const flags = this.#readSchedulerFlags()
    this.#check(grammars[name], optionGroups, `'${name}' command`)
    switch (name) {
      case 'add-service':
        this.#checkService()
        return this.#result(name, { type: 'addService', service: this.#service(flags) })
      case 'edit-service':
        this.#checkService()
        return this.#result(name, { type: 'updateService', service: this.#service(flags) })
      case 'delete-service':
        return this.#result(name, { type: 'removeService', service: this.#serviceKey() })
      case 'add-server':
        return this.#result(name, { type: 'addDestination', service: this.#serviceKey(), destination: this.#fullDestination() })
      case 'edit-server':
        return this.#result(name, { type: 'updateDestination', service: this.#serviceKey(), destination: this.#fullDestination() })
      case 'delete-server':
        return this.#result(name, { type: 'removeDestination', service: this.#serviceKey(), destination: this.#destinationKey() })
      case 'zero':
        return this.#result(name, this.#zeroesAll() ? { type: 'zero' } : { type: 'zero', service: this.#serviceKey() })
      case 'flush':
        return this.#result(name, { type: 'flush' })
      case 'set':
        return this.#result(name, { type: 'setTimeouts', timeouts: this.#timeouts })
      case 'start-daemon':
        return this.#result(name, { type: 'startDaemon', daemon: { ...this.#daemon, interface: this.#daemon.interface || defaults.daemonInterface } })
      case 'stop-daemon':
        return this.#result(name, { type: 'stopDaemon', daemon: { role: this.#daemon.role, syncId: this.#daemon.syncId ?? 0 } })
      case 'list':
      case 'save':
      case 'restore':
        return this.#result(name)
    }
  }

  #result(name: CommandName, operation?: Named<Operation>): ReadCommand {
    const result: ReadCommand = { name, options: this.#given, names: this.#names }
    if (operation) result.operation = operation
    else if (name === 'list' && this.#given.has('service-address')) result.service = this.#serviceKey()
    return result
  }

  /** The next option that is ipvsadm's. */
  #next(): GivenOption | undefined {
    for (;;) {
      const given = this.#options.next()
      if (!given || !this.#dialect.takeOwn?.(given)) return given
    }
  }

  #readCommandOption(): void {
    const first = this.#next()
    const expected = 'a command (-A, -E, -D, -C, -a, -e, -d, -L, -Z, -R, -S, --set, --start-daemon, --stop-daemon, -h, -v) as the first option'
    if (!first) {
      const word = this.#options.leftOver.at(0)
      throw this.#error(word ? `'${word.text}' is no command` : 'nothing to do', expected, word?.column ?? 1, 255)
    }
    const { command } = first.option
    if (!command) throw this.#error(`${first.spelling} comes before the command`, expected, first.column, 255)
    this.#command = first
    if (command === 'start-daemon' || command === 'stop-daemon') {
      const role = first.argument
      if (role !== 'master' && role !== 'backup') throw this.#valueError(first, 'master or backup')
      this.#daemon.role = role
    }
  }

  #take(given: GivenOption): void {
    const { long, group } = given.option
    const value = given.argument ?? ''
    if (given.option.command) throw this.#error(`a second command, ${given.spelling}`, 'one command a line', given.column)
    if (group) {
      if (this.#given.has(group)) throw this.#error(`a second '${group}' option, ${given.spelling}`, `one '${group}' option`, given.column)
      this.#given.set(group, given)
    }
    switch (long) {
      case 'tcp-service':
      case 'udp-service':
      case 'sctp-service':
        this.#protocol = serviceProtocols[long]
        this.#takeServiceAddress(given)
        break
      case 'fwmark-service':
        this.#family = 4
        this.#protocol = 'tcp'
        this.#fwmark = this.#integer(given, 1, limits.fwmark, 'a firewall mark')
        break
      case 'ipv6':
        if (!this.#fwmark) throw this.#error(`${given.spelling} without a firewall mark before it`, '-f MARK -6', given.column)
        this.#family = 6
        this.#mask = 128
        break
      case 'scheduler':
        this.#scheduler = value.slice(0, limits.schedulerName)
        break
      case 'pe':
        this.#engine = value.slice(0, limits.engineName)
        break
      case 'sched-flags':
        this.#schedulerFlags = value === '' ? undefined : given
        break
      case 'persistent':
        this.#persistent = true
        this.#timeout = given.argument === undefined ? defaults.persistenceTimeout : this.#integer(given, 1, this.#limits.timeout, 'seconds')
        break
      case 'netmask':
        this.#mask = this.#readMask(given)
        break
      case 'ops':
        this.#onePacket = true
        break
      case 'real-server':
        this.#destination = this.#readEndpoint(given, this.#port)
        break
      case 'masquerading':
      case 'ipip':
      case 'gatewaying':
      case 'local':
      case 'bypass':
        this.#forward = forwardingOptions[long]!
        break
      case 'weight':
        this.#weight = this.#integer(given, 0, this.#limits.weight, 'a weight')
        break
      case 'u-threshold':
        this.#upperThreshold = this.#integer(given, 0, limits.threshold, 'a number of connections')
        break
      case 'l-threshold':
        this.#lowerThreshold = this.#integer(given, 0, limits.threshold, 'a number of connections')
        break
      case 'tun-type':
        if (value !== 'ipip' && value !== 'gue' && value !== 'gre') throw this.#valueError(given, 'ipip, gue or gre')
        this.#tunnelType = value
        break
      case 'tun-port':
        this.#tunnelPort = this.#integer(given, 1, limits.port, 'a port')
        break
      case 'tun-nocsum':
      case 'tun-csum':
      case 'tun-remcsum':
        this.#checksum = checksumOptions[long]!
        break
      case 'mcast-interface':
        this.#daemon.interface = value.slice(0, limits.interfaceName)
        break
      case 'syncid':
        this.#daemon.syncId = this.#integer(given, 0, limits.syncId, 'an identifier')
        break
      case 'sync-maxlen':
        this.#daemon.maxLength = this.#integer(given, 1, limits.syncMaxLength, 'bytes')
        break
      case 'mcast-group':
        this.#daemon.group = this.#readGroup(given)
        break
      case 'mcast-port':
        this.#daemon.port = this.#integer(given, 1, limits.port, 'a port')
        break
      case 'mcast-ttl':
        this.#daemon.ttl = this.#integer(given, 1, limits.ttl, 'a time to live')
        break
    }
  }

  #takeServiceAddress(given: GivenOption): void {
    const { family, address, port } = this.#readEndpoint(given, 0)
    this.#family = family
    this.#address = address
    this.#port = port
    if (family === 6) this.#mask = 128
  }

  /**
   * Reads `address[:port]`. An IPv6 address with a port has brackets, without one it may do without. ipvsadm takes brackets around
   * anything else off together with the port.
   *
   * @param otherPort the port where none is given
   */
  #readEndpoint(given: GivenOption, otherPort: number | string): Endpoint {
    const text = given.argument ?? ''
    const expected = 'ADDRESS[:PORT], an IPv6 address with a port in brackets'
    if (/^[0-9]*$/.test(text)) throw this.#valueError(given, expected)
    let host = text
    let hostColumn = given.argumentColumn
    let port: string | undefined
    if (text[0] === '[') {
      const close = text.indexOf(']')
      if (close < 0 || text[close + 1] !== ':') throw this.#valueError(given, '[ADDRESS]:PORT')
      host = text.slice(1, close)
      hostColumn++
      if (host.includes(':')) port = text.slice(close + 2)
    }
    const ipv6 = host.includes(':') ? canonicalAddress(host) : undefined
    if (ipv6 !== undefined) return { family: 6, address: ipv6, port: port === undefined ? otherPort : this.#readPort(given, port) }
    const colon = host.lastIndexOf(':')
    if (colon >= 0) {
      port = host.slice(colon + 1)
      host = host.slice(0, colon)
    }
    const address = looseIPv4(host) ?? this.#hostName(given, host, hostColumn, expected)
    return { family: 4, address, port: port === undefined ? otherPort : this.#readPort(given, port) }
  }

  #hostName(given: GivenOption, host: string, column: number, expected: string): string {
    if (!hostName.test(host)) throw this.#valueError(given, expected)
    this.#note({ kind: 'host', name: host, line: this.#line, column })
    return host
  }

  #note(name: NameReference): void {
    this.#names ??= []
    this.#names.push(name)
  }

  #readPort(given: GivenOption, text: string): number | string {
    if (number.test(text)) {
      const port = Number(text)
      if (port >= 0 && port <= limits.port) return port
    } else if (serviceName.test(text) && this.#protocol) {
      const column = given.argumentColumn + given.argument!.length - text.length
      this.#note({ kind: 'service', name: text, protocol: this.#protocol, line: this.#line, column })
      return text
    }
    throw this.#valueError(given, `a port from 0 to ${limits.port}${this.#protocol ? ' or the name of one' : ' (its name only after the service)'}`)
  }

  #readMask(given: GivenOption): string | number {
    const text = given.argument ?? ''
    if (this.#family === 6) {
      const length = parseInt(text, 10)
      if (length >= 1 && length <= 128) return length
      throw this.#valueError(given, 'a prefix length from 1 to 128')
    }
    return looseIPv4(text) ?? this.#hostName(given, text, given.argumentColumn, 'an IPv4 netmask such as 255.255.255.0')
  }

  #readGroup(given: GivenOption): string {
    const text = given.argument ?? ''
    const group = canonicalAddress(text)
    const multicast = group !== undefined && (group.includes(':') ? /^ff..:/.test(group) : (parseMask(group)! & 0xf000_0000) >>> 0 === 0xe000_0000)
    if (!multicast) throw this.#valueError(given, 'a multicast address, IPv4 or IPv6')
    return group
  }

  #takeTimeouts(): void {
    const { leftOver } = this.#options
    if (leftOver.length < 3) {
      throw this.#error(`${leftOver.length} timeouts`, 'three, in seconds: --set TCP TCPFIN UDP', this.#command.column)
    }
    const [tcp, tcpFin, udp] = leftOver.splice(0, 3).map(({ text, column }) => {
      const given = { ...this.#command, spelling: '--set', argument: text, argumentColumn: column }
      return this.#integer(given, 0, this.#limits.timeout, 'seconds')
    })
    this.#timeouts = { tcp, tcpFin, udp }
  }

  #readSchedulerFlags(): number {
    const given = this.#schedulerFlags
    if (!given) return 0
    const scheduler = this.#scheduler || defaults.scheduler
    const names = given.argument!.split(',').filter((name) => name !== '')
    if (names.length === 0) throw this.#valueError(given, 'flags, separated by commas')
    let bits = 0
    for (const name of names) {
      const bit = schedulerFlagBits.get(name)
      if (bit === undefined) throw this.#valueError(given, `flags among ${[...schedulerFlagBits.keys()].join(', ')}`)
      const owner = schedulersOfFlags.get(name)
      if (owner !== undefined && owner !== scheduler) {
        throw this.#error(`scheduler flag ${name} with the scheduler ${scheduler}`, `-s ${owner}, or flags of ${scheduler}`, given.argumentColumn)
      }
      bits |= bit
    }
    return bits
  }

  /** Whether the options given are those that a command, or a tunnel type, needs and takes. */
  #check(grammar: Grammar, groups: readonly OptionGroup[], whose: string): void {
    if (!this.#offends(grammar, groups)) return
    const { needs = [], takes = [], oneOf = [] } = grammar
    let last: OptionGroup | undefined
    // In ipvsadm's order, so that of several offences the same one is told.
    for (const group of groups) {
      const given = this.#given.get(group)
      if (!given) {
        if (needs.includes(group)) {
          throw this.#error(`no '${group}' option with the ${whose}`, `${spellingsOf(group)} as well`, this.#command.column)
        }
      } else if (oneOf.includes(group)) {
        if (last) throw this.#error(`${given.spelling} conflicts with '${last}' in the ${whose}`, 'only one of the two', given.column)
        last = group
      } else if (!needs.includes(group) && !takes.includes(group)) {
        throw this.#error(`option ${given.spelling} with the ${whose}`, `other options: ${listed([...needs, ...takes, ...oneOf])}`, given.column)
      }
    }
  }

  /** Looks at the few options that were given, where the check above goes through all there are. */
  #offends({ needs = [], takes = [], oneOf = [] }: Grammar, groups: readonly OptionGroup[]): boolean {
    let exclusive = 0
    for (const group of this.#given.keys()) {
      if (groups !== optionGroups && !groups.includes(group)) continue
      if (oneOf.includes(group)) exclusive++
      else if (!needs.includes(group) && !takes.includes(group)) return true
    }
    return exclusive > 1 || needs.some((group) => !this.#given.has(group))
  }

  #checkService(): void {
    if (this.#dialect.beyond || this.#fwmark) return
    const { column } = this.#given.get('service-address')!
    if (this.#port === 0 && !this.#persistent) {
      throw this.#error('port 0 for a service that is not persistent', 'a port, or -p for a service on all ports', column)
    }
    if (this.#onePacket && this.#protocol !== 'udp') {
      throw this.#error('one-packet scheduling for a service that is not UDP', '-u, or -f', this.#given.get('ops')!.column)
    }
  }

  #zeroesAll(): boolean {
    if (!this.#given.has('service-address')) return true
    return !this.#fwmark && this.#port === 0 && (this.#address === '0.0.0.0' || this.#address === '::')
  }

  #serviceKey(): Named<ServiceKey> {
    if (this.#fwmark) return { fwmark: this.#fwmark, family: this.#family as 4 | 6 }
    return { protocol: this.#protocol!, address: this.#address, port: this.#port }
  }

  #service(flags: number): Named<Service> {
    const scheduler = this.#scheduler || defaults.scheduler
    return {
      ...this.#serviceKey(),
      scheduler,
      schedulerFlags: schedulerFlagNames(scheduler, flags),
      onePacket: this.#onePacket,
      persistence: this.#persistent ? persistenceWith(this.#timeout, this.#mask) : null,
      persistenceEngine: this.#engine || null,
    }
  }

  #destinationKey(): Named<DestinationKey> {
    const { address, port } = this.#destination!
    return { address, port }
  }

  #fullDestination(): Extract<Named<Operation>, { type: 'updateDestination' }>['destination'] {
    const { family, address, port } = this.#destination!
    const tunnels = this.#forward === 'tun'
    const direct = tunnels || this.#forward === 'dr'
    const { column } = this.#given.get('real-server')!
    if (family !== this.#family && !tunnels) {
      throw this.#error('a destination of another address family than the service', 'the same family, or -i for a tunnel', column)
    }
    const tunnelOption = tunnels ? undefined : ([...tunnelGroups, 'tun-type'] as const).map((group) => this.#given.get(group)).find((given) => given)
    if (tunnelOption) {
      throw this.#error(`option ${tunnelOption.spelling} for a destination without a tunnel`, '-i as well', tunnelOption.column)
    }
    this.#check(tunnelGrammars[this.#tunnelType], tunnelGroups, `'${this.#tunnelType}' tunnel type`)
    return {
      address,
      port: direct && !this.#fwmark && !this.#dialect.beyond ? this.#port : port,
      forward: this.#forward,
      weight: this.#weight,
      upperThreshold: this.#upperThreshold,
      lowerThreshold: this.#lowerThreshold,
      tunnel: tunnels
        ? { type: this.#tunnelType, ...(this.#tunnelType === 'gue' && { port: this.#tunnelPort }), checksum: this.#checksum }
        : null,
    }
  }

  #integer(given: GivenOption, min: number, max: number, what: string): number {
    const text = given.argument ?? ''
    const value = number.test(text) ? Number(text) : NaN
    if (value >= min && value <= max) return value === 0 ? 0 : value
    throw this.#valueError(given, `${what} from ${min} to ${max}`)
  }

  #valueError(given: GivenOption, expected: string): RulesError {
    return this.#error(`${given.spelling} '${given.argument ?? ''}'`, expected, given.argumentColumn)
  }

  #error(problem: string, expected: string, column: number, exitStatus: 2 | 255 = 2): RulesError {
    return new RulesError(problem, expected, this.#line, column, exitStatus)
  }
}

/** Persistence in the shape that listing has: a mask with gaps has no prefix length. */
function persistenceWith(timeout: number, mask: string | number): Persistence {
  if (typeof mask === 'number') return { timeout, prefixLength: mask }
  const bits = parseMask(mask)
  const prefixLength = bits === undefined ? undefined : prefixOfMask(bits)
  return prefixLength === undefined ? ({ timeout, netmask: mask } as Persistence) : { timeout, prefixLength }
}

/** The options of a group, as a user would write them. */
function spellingsOf(group: OptionGroup): string {
  const spelled = optionSpellings.filter((option) => option.group === group).map(({ long, short }) => (short ? `-${short}` : `--${long}`))
  return spelled.join(', ')
}

const listed = (groups: readonly OptionGroup[]): string => groups.map(spellingsOf).join(', ') || 'none'
