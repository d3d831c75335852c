import {
  DEFAULTS, FIREWALL_MARK, LISTENING_PORT, PERSISTENCE_ENGINE_NAME_LENGTH, PERSISTENCE_TIMEOUT, PORT, SCHEDULER_NAME_LENGTH, SYNC_ID,
  SYNC_MAX_LENGTH, THRESHOLD, TIMEOUT, TIME_TO_LIVE, WEIGHT, type Range,
} from '../model/limits.js'
import type { DaemonInput, Persistence, Timeouts, Tunnel } from '../model/types.js'
import * as patterns from './patterns.js'
import {
  integerIn, list, numberOrSpan, oneNumber, oneWord, orNull, record, secondsIn, signedIn, text, variants, yesOrNo,
  type Field, type Fields, type RecordShape,
} from './shape.js'
import type {
  CheckCommon, CheckTarget, DestinationDirections, DirectorConfiguration, DnsCheck, Fallback, FileCheck, HttpCheck, PingCheck, Program,
  ScriptCheck, ServiceDirections, SmtpCheck, TcpCheck, TlsCheck, TlsOptions, UdpCheck, Url,
} from './types.js'

/**
 * The table of the configuration: every property with its range and default. Validation, defaults and the JSON schema are derived from it.
 * The types document what each property means.
 */

/** The longest time of a Node timer, in seconds. */
const LONGEST = 2_147_483
const MANY: Range = { min: 1, max: 2 ** 31 - 1 }
const COUNT: Range = { min: 0, max: 2 ** 31 - 1 }
const TIME: Range = { min: 0.001, max: LONGEST }
const PAUSE: Range = { min: 0, max: LONGEST }
const REPLY_LENGTH: Range = { min: 0, max: 65535 }
const STATUS: Range = { min: 100, max: 599 }
const FACTOR: Range = { min: -(2 ** 31 - 1), max: 2 ** 31 - 1 }

/** Requires a field for every property of a type. */
type FieldsOf<Type> = { [Name in keyof Required<Type>]: Field }

const boolean = (byDefault?: boolean): Field => ({ shape: yesOrNo, ...byDefault !== undefined && { default: byDefault } })
const needed = (field: Field): Field => ({ ...field, required: true })

const address: Field = { shape: text(patterns.ADDRESS, 'an IPv4 or IPv6 address (without leading zeros, zone or prefix length)') }
const port: Field = { shape: integerIn(LISTENING_PORT) }
const header: Field = { shape: text(patterns.HEADER, 'text without control characters') }
const file: Field = { shape: text(patterns.PATH, 'an absolute path') }
const account: Field = { shape: text(patterns.ACCOUNT, 'the name or number of an account') }
const word: Field = { shape: text(patterns.WORD, 'text without NUL') }
const command: Field = { required: true, shape: list(word.shape, 'words: the program\'s path and its arguments', 1) }
const whenDown: Field = { shape: oneWord('remove', 'zero') }
const rampUp: Field = { shape: secondsIn(PAUSE) }

const program = record('Program', 'a program', {
  command,
  timeout: { shape: secondsIn(TIME), default: 60 },
  user: account,
  group: account,
} satisfies FieldsOf<Program>)

const common = {
  interval: { shape: secondsIn(TIME), default: 10 },
  timeout: { shape: secondsIn(TIME), default: 5 },
  failures: { shape: integerIn(MANY), default: 2 },
  successes: { shape: integerIn(MANY), default: 1 },
  retryInterval: { shape: secondsIn(PAUSE), default: 1 },
  warmup: { shape: secondsIn(PAUSE) },
  startDown: boolean(),
  logEachFailure: boolean(false),
} satisfies FieldsOf<CheckCommon>

const target = {
  address,
  port,
  bindAddress: address,
  bindPort: port,
  bindInterface: { shape: text(patterns.INTERFACE, 'the name of a network interface') },
  mark: { shape: integerIn(FIREWALL_MARK) },
} satisfies FieldsOf<CheckTarget>

/** The property that distinguishes checks. */
const type = (name: string): { type: Field } => ({ type: { required: true, shape: oneWord(name) } })

const tls = record('TlsOptions', 'TLS options', {
  serverName: header,
  verify: boolean(true),
  authorities: file,
  certificate: file,
  key: file,
  passphrase: word,
} satisfies FieldsOf<TlsOptions>)

const url = record('Url', 'a url', {
  path: needed({ shape: text(patterns.REQUEST_PATH, 'a path without blanks and control characters, like \'/service.txt\'') }),
  host: header,
  status: { shape: list(numberOrSpan(STATUS), 'status codes', 1), default: [[200, 299]] },
  digest: { shape: text(patterns.DIGEST, 'an MD5 digest of 32 hexadecimal digits') },
  text: { shape: text(patterns.NOT_EMPTY, 'text, not empty') },
  pattern: { shape: text(patterns.ANY, 'a regular expression') },
  patternFlags: { shape: text(patterns.PATTERN_FLAGS, 'some of the letters i, m, s, u, each at most once'), default: '' },
  patternForbidden: boolean(false),
  patternFrom: { shape: integerIn(COUNT), default: 0 },
  patternUntil: { shape: integerIn(COUNT) },
} satisfies FieldsOf<Url>)

/** Echo requests have no ports. */
const { address: pingAddress, bindAddress, bindInterface, mark } = target

/** The checks by type. */
export const CHECKS = {
  tcp: record('TcpCheck', 'a tcp check', { ...type('tcp'), ...common, ...target } satisfies FieldsOf<TcpCheck>),
  tls: record('TlsCheck', 'a tls check', { ...type('tls'), ...common, ...target, tls: { shape: tls } } satisfies FieldsOf<TlsCheck>),
  http: record('HttpCheck', 'an http check', {
    ...type('http'), ...common, ...target,
    tls: { shape: tls },
    version: { shape: oneWord('1.0', '1.1'), default: '1.0' },
    close: boolean(),
    host: header,
    maxSize: { shape: integerIn(MANY), default: 1_048_576 },
    urls: { required: true, shape: list(url, 'urls', 1) },
  } satisfies FieldsOf<HttpCheck>),
  script: record('ScriptCheck', 'a script check', {
    ...type('script'), ...common, command, user: account, group: account, dynamicWeight: boolean(false),
  } satisfies FieldsOf<ScriptCheck>),
  smtp: record('SmtpCheck', 'an smtp check', {
    ...type('smtp'), ...common, ...target, hello: { shape: text(patterns.REQUEST_PATH, 'a name without blanks'), default: 'localhost' },
  } satisfies FieldsOf<SmtpCheck>),
  dns: record('DnsCheck', 'a dns check', {
    ...type('dns'), ...common, ...target,
    name: { shape: text(patterns.DOMAIN, 'a domain name'), default: '.' },
    recordType: { shape: oneWord('A', 'AAAA', 'CNAME', 'DNSKEY', 'MX', 'NS', 'RRSIG', 'SOA', 'TXT'), default: 'SOA' },
  } satisfies FieldsOf<DnsCheck>),
  udp: record('UdpCheck', 'a udp check', {
    ...type('udp'), ...common, ...target,
    payload: { shape: text(patterns.HEXADECIMAL, 'bytes in hexadecimal digits'), default: '' },
    requireReply: boolean(),
    reply: { shape: text(patterns.HEXADECIMAL_OR_ANY, 'bytes in hexadecimal digits, \'x\' for any') },
    minReply: { shape: integerIn(REPLY_LENGTH), default: 0 },
    maxReply: { shape: integerIn(REPLY_LENGTH), default: 65535 },
  } satisfies FieldsOf<UdpCheck>),
  ping: record('PingCheck', 'a ping check', {
    ...type('ping'), ...common, address: pingAddress, bindAddress, bindInterface, mark,
  } satisfies FieldsOf<PingCheck>),
  file: record('FileCheck', 'a file check', {
    ...type('file'),
    startDown: common.startDown,
    logEachFailure: common.logEachFailure,
    path: needed(file),
    factor: { shape: signedIn(FACTOR), default: 0 },
    reverse: boolean(false),
    initial: { shape: signedIn(FACTOR) },
    overwrite: boolean(false),
  } satisfies FieldsOf<FileCheck>),
} as const satisfies Record<string, RecordShape>

const CHECK_TYPES = oneWord(...Object.keys(CHECKS))

/** Any check. */
export const CHECK = variants(Object.values(CHECKS), (properties, field) => {
  if (typeof properties.type === 'string' && Object.hasOwn(CHECKS, properties.type)) return CHECKS[properties.type as keyof typeof CHECKS]
  // The message about an unknown type lists all types.
  const mistakes: Parameters<typeof CHECK_TYPES.check>[2] = []
  CHECK_TYPES.check(properties.type, `${field}.type`, mistakes)
  throw mistakes[0]
})

const checks: Field = { shape: list(CHECK, 'checks') }

const tunnel = record('Tunnel', 'a tunnel', {
  type: { shape: oneWord('ipip', 'gue', 'gre'), default: DEFAULTS.tunnelType },
  port,
  checksum: { shape: oneWord('none', 'csum', 'remcsum'), default: DEFAULTS.checksum },
} satisfies FieldsOf<Tunnel>)

const destinationFields = {
  address: needed(address),
  port: { required: true, shape: integerIn(PORT) },
  forward: { shape: oneWord('nat', 'dr', 'tun', 'local', 'bypass'), default: DEFAULTS.forward },
  weight: { shape: integerIn(WEIGHT), default: DEFAULTS.weight },
  upperThreshold: { shape: integerIn(THRESHOLD), default: DEFAULTS.upperThreshold },
  lowerThreshold: { shape: integerIn(THRESHOLD), default: DEFAULTS.lowerThreshold },
  tunnel: { shape: orNull(tunnel) },
} satisfies Fields

const destination = record('DirectedDestination', 'a destination', {
  ...destinationFields,
  ...{
    checks, whenDown, startDown: boolean(), rampUp, onUp: { shape: program }, onDown: { shape: program },
  } satisfies FieldsOf<DestinationDirections>,
})

const fallback = record('Fallback', 'a fallback', {
  ...destinationFields,
  whenIdle: { ...whenDown, default: 'remove' },
} satisfies FieldsOf<Fallback>, { checks: 'is not looked at for a fallback: it serves when nothing else does' })

const persistence = record('Persistence', 'persistence', {
  timeout: { shape: integerIn(PERSISTENCE_TIMEOUT), default: DEFAULTS.persistenceTimeout },
  prefixLength: { shape: integerIn({ min: 0, max: 128 }) },
  netmask: { shape: text(patterns.NETMASK, 'an IPv4 netmask like 255.255.255.0') },
} satisfies FieldsOf<Persistence>)

const serviceFields = {
  scheduler: {
    shape: text(patterns.nameOf(SCHEDULER_NAME_LENGTH), `the name of a scheduler, at most ${SCHEDULER_NAME_LENGTH} characters`),
    default: DEFAULTS.scheduler,
  },
  schedulerFlags: {
    shape: list(oneWord('flag-1', 'flag-2', 'flag-3', 'sh-fallback', 'sh-port', 'mh-fallback', 'mh-port'), 'flags'),
    default: [],
  },
  onePacket: boolean(false),
  persistence: { shape: orNull(persistence) },
  persistenceEngine: {
    shape: orNull(text(
      patterns.nameOf(PERSISTENCE_ENGINE_NAME_LENGTH),
      `the name of a persistence engine, at most ${PERSISTENCE_ENGINE_NAME_LENGTH} characters`,
    )),
  },
  ...{
    destinations: { shape: list(destination, 'destinations'), default: [] },
    checks: { ...checks, default: [] },
    group: { shape: text(patterns.NOT_EMPTY, 'a name') },
    quorum: { shape: integerIn(MANY), default: 1 },
    hysteresis: { shape: integerIn(COUNT), default: 0 },
    fallback: { shape: fallback },
    whenDown: { ...whenDown, default: 'remove' },
    whenAllDown: { shape: oneWord('remove', 'keep'), default: 'remove' },
    startDown: boolean(false),
    rampUp: { ...rampUp, default: 0 },
    onlyWhileHeld: boolean(false),
    notifyAtEnd: boolean(false),
    notifyAtStart: boolean(false),
    onQuorumReached: { shape: program },
    onQuorumLost: { shape: program },
  } satisfies FieldsOf<ServiceDirections>,
} satisfies Fields

const addressService = record('AddressService', 'a service', {
  protocol: { required: true, shape: oneWord('tcp', 'udp', 'sctp') },
  address: needed(address),
  port: { required: true, shape: integerIn(PORT) },
  ...serviceFields,
}, { family: 'is for firewall marks: an address has its family by itself' })

const noAddress = 'does not go with fwmark: a service has an address or a firewall mark'

const firewallMarkService = record('FirewallMarkService', 'a service', {
  fwmark: { required: true, shape: integerIn(FIREWALL_MARK) },
  family: { required: true, shape: oneNumber(4, 6) },
  ...serviceFields,
}, { protocol: noAddress, address: noAddress, port: noAddress })

const service = variants(
  [addressService, firewallMarkService],
  (properties) => properties.fwmark === undefined ? addressService : firewallMarkService,
)

const timeouts = record('Timeouts', 'timeouts', {
  tcp: { shape: integerIn(TIMEOUT) }, tcpFin: { shape: integerIn(TIMEOUT) }, udp: { shape: integerIn(TIMEOUT) },
} satisfies FieldsOf<Timeouts>)

const daemon = record('Daemon', 'a sync daemon', {
  role: { required: true, shape: oneWord('master', 'backup') },
  interface: { required: true, shape: text(patterns.INTERFACE, 'the name of a network interface') },
  syncId: { shape: integerIn(SYNC_ID), default: DEFAULTS.syncId },
  maxLength: { shape: integerIn(SYNC_MAX_LENGTH) },
  group: address,
  port,
  ttl: { shape: integerIn(TIME_TO_LIVE) },
} satisfies FieldsOf<DaemonInput>)

/** The whole configuration. */
export const CONFIGURATION = record('DirectorConfiguration', 'a configuration', {
  $schema: { shape: text(patterns.ANY, 'text') },
  services: { required: true, shape: list(service, 'services') },
  timeouts: { shape: timeouts },
  daemons: { shape: list(daemon, 'sync daemons') },
} satisfies FieldsOf<DirectorConfiguration>)

/** Every record of the configuration, the outermost first. */
export const RECORDS: readonly RecordShape[] = [
  CONFIGURATION, addressService, firewallMarkService, persistence, destination, fallback, tunnel, ...Object.values(CHECKS),
  url, tls, program, timeouts, daemon,
]

/** The defaults of a record's properties. */
const defaultsOf = ({ fields }: RecordShape): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields)
    .filter(([, field]) => field.default !== undefined)
    .map(([name, field]) => [name, field.default]))

/** The default values of left-out properties, by the record's type. */
export const defaults: Readonly<Record<string, Readonly<Record<string, unknown>>>> =
  Object.fromEntries(RECORDS.map((one) => [one.type, defaultsOf(one)]))
