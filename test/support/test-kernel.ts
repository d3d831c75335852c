import { mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { Ipvs, IpvsSync, type DestinationKey, type ListedTable, type Rates, type ServiceKey, type Statistics } from 'ipvs'
import type { CommandName, Field, NativeHandle, NativeReply, RecordName } from '../../lib/wire/addon.js'
import { commands, records, reply as layout, request as requestLayout } from '../../lib/wire/layout.js'
import { writeDestinationKey } from '../../lib/wire/pack/destination.js'
import { Requests } from '../../lib/wire/pack/requests.js'
import { SERVICE_KEY_SIZE, writeServiceKey } from '../../lib/wire/pack/service.js'

const { EEXIST, EINVAL, ENOBUFS, ENODEV, ENOENT, ERANGE, ESRCH } = constants.errno

const AF_INET = 2
const AF_INET6 = 10
const HASHED = 2
const TUN = 2
const METHOD_MASK = 7
const MASTER = 1
const UNKNOWN = 1
const NOT_SENT = 2
const SCHEDULERS = new Set(['rr', 'wrr', 'lc', 'wlc', 'fo', 'ovf', 'lblc', 'lblcr', 'dh', 'sh', 'mh', 'sed', 'nq', 'none'])

const nameOf = new Map(Object.entries(commands).map(([name, number]) => [number, name as CommandName]))
const little = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

/** A field of a packed record, as a number. */
export function field(record: Uint8Array, name: RecordName, member: string): number {
  const { offset, type } = records[name].fields[member]
  const view = new DataView(record.buffer, record.byteOffset)
  switch (type) {
    case 'u8': return view.getUint8(offset)
    case 'u16': return view.getUint16(offset, little)
    case 'i32': return view.getInt32(offset, little)
    case 'u64': return Number(view.getBigUint64(offset, little))
    default: return view.getUint32(offset, little)
  }
}

/** Sets a field of a packed record, and the bit that says that the record has it. */
export function setField(record: Uint8Array, name: RecordName, member: string, value: number | bigint): void {
  const { offset, type, bit } = records[name].fields[member]
  const view = new DataView(record.buffer, record.byteOffset)
  if (type === 'u64') view.setBigUint64(offset, BigInt(value), little)
  else if (type === 'u8') view.setUint8(offset, Number(value))
  else if (type === 'u16') view.setUint16(offset, Number(value), little)
  else view.setUint32(offset, Number(value) >>> 0, little)
  if (bit >= 0) setPresent(record, name, member)
}

function setPresent(record: Uint8Array, name: RecordName, ...members: string[]): void {
  const { offset } = records[name].fields.present
  const view = new DataView(record.buffer, record.byteOffset)
  for (const member of members) view.setUint32(offset, view.getUint32(offset, little) | 1 << records[name].fields[member].bit, little)
}

function textOf(record: Uint8Array, name: RecordName, member: string): string {
  const { offset, length } = records[name].fields[member]
  return Buffer.from(record.buffer, record.byteOffset + offset, length).toString('latin1').replace(/\0.*$/s, '')
}

/** Whether a record has a field. The bytes of a missing field may still hold the value of an earlier request. */
const has = (record: Uint8Array, name: RecordName, member: string): boolean =>
  (field(record, name, 'present') & (1 << records[name].fields[member].bit)) !== 0

/** A record of a reply with the fields that a request has. */
function recordOf(given: Uint8Array, name: RecordName): Uint8Array {
  const record = new Uint8Array(records[name].size)
  for (const [member, field] of Object.entries(records[name].fields)) {
    const { offset, bit } = field
    if (bit < 0 || offset >= records[name].requestSize || !has(given, name, member)) continue
    record.set(given.subarray(offset, offset + lengthOf(field)), offset)
    setPresent(record, name, member)
  }
  return record
}

const bytesOf = (record: Uint8Array, name: RecordName, member: string): Uint8Array => {
  const { offset, length } = records[name].fields[member]
  return record.subarray(offset, offset + length)
}

/** Bytes of a record's fields. */
const sizes = { u8: 1, u16: 2, u32: 4, i32: 4, u64: 8 }
const lengthOf = ({ type, length }: Field): number => type === 'bytes' || type === 'string' ? length : sizes[type]

/** The key of a record as text: the key's fields that the record has, without the bits that say which these are. */
const keyOf = (record: Uint8Array, name: RecordName): string =>
  Buffer.from(recordOf(record, name).subarray(4, records[name].keySize)).toString('latin1')

const counters = [
  'connections',
  'inPackets',
  'outPackets',
  'inBytes',
  'outBytes',
  'rateConnections',
  'rateInPackets',
  'rateOutPackets',
  'rateInBytes',
  'rateOutBytes',
]

/** A request, as the kernel gets it. */
export interface Asked {
  readonly command: CommandName
  readonly dump: boolean
  /** The packed records: a service or its key, a service's key and a destination, a daemon, or timeouts. Empty if there are none. */
  readonly body: Uint8Array
}

interface Service {
  record: Uint8Array
  /** In the order in which they were added. */
  readonly destinations: Map<string, Uint8Array>
}

/** The answer to a request: an outcome, or records. */
type Answer = number | Uint8Array[]

/** The counters of an entry. */
export interface Counts {
  active?: number
  inactive?: number
  persistent?: number
  stats?: Partial<Statistics>
  rates?: Partial<Rates>
}

/**
 * IPVS at the byte boundary: it takes packed requests and gives packed replies, from a table of its own. All code above the bytes runs on
 * it as on the real kernel. test/kernel/test-kernel.test.ts checks that its refusals and listings are those of the real kernel.
 *
 * It does not spare its callers what the real kernel does: the memory of a reply is reused and holds garbage after the reply's end, and
 * answers come in a later turn.
 */
export class TestKernel {
  readonly #services = new Map<string, Service>()
  readonly #daemons = new Map<number, Uint8Array>()
  readonly #timeouts = new Uint8Array(records.config.size)
  /** Every request that was carried out or refused, in order. */
  readonly asked: CommandName[] = []
  /** The most requests in one send, which a real socket derives from its receive buffer. */
  requestsPerSend = 1000
  /** Refuses a request with this errno, which is negative. */
  refuse?: (asked: Asked) => number | undefined
  /** Says whether the answer to a request is lost. The answers to all requests of the same send are then lost too. */
  lose?: (asked: Asked) => boolean
  /** Called before a request is carried out. It can change the table as another program would. */
  before?: (asked: Asked) => void
  /** Called after a request was carried out. */
  after?: (asked: Asked) => void
  /** Rearranges the records that answer a request, before they are packed: in another order, or some of them twice. */
  arrange?: (asked: Asked, records: Uint8Array[]) => Uint8Array[]
  /** The settings under net.ipv4.vs that this kernel has. */
  readonly sysctls: Partial<Record<string, number>> = {}
  #lostBatch = 0

  constructor() {
    setField(this.#timeouts, 'config', 'tcp', 900)
    setField(this.#timeouts, 'config', 'tcpFin', 120)
    setField(this.#timeouts, 'config', 'udp', 300)
  }

  /** A handle of the promise API on this kernel. */
  open(): Ipvs {
    return new (Ipvs as unknown as new (handle: NativeHandle) => Ipvs)(this.handle())
  }

  /** A handle of the synchronous API on this kernel. */
  openSync(): IpvsSync {
    return new (IpvsSync as unknown as new (handle: NativeHandle) => IpvsSync)(this.handle())
  }

  /** The table as a handle lists it. */
  table(): ListedTable {
    const { refuse, lose, before, after, arrange } = this
    this.refuse = this.lose = this.before = this.after = this.arrange = undefined
    const count = this.asked.length
    const table = this.openSync().snapshot()
    this.asked.length = count
    Object.assign(this, { refuse, lose, before, after, arrange })
    return table
  }

  /** A native handle on this kernel. */
  handle(): TestHandle {
    return new TestHandle(this)
  }

  /** Sets the counters of a service, or of a destination of it. */
  count(service: ServiceKey, destination: DestinationKey | undefined, { active, inactive, persistent, stats, rates }: Counts): void {
    const [name, counted] = this.#entry(service, destination)
    if (active !== undefined) setField(counted, name, 'activeConnections', active)
    if (inactive !== undefined) setField(counted, name, 'inactiveConnections', inactive)
    if (persistent !== undefined) setField(counted, name, 'persistentConnections', persistent)
    for (const [member, value] of Object.entries(stats ?? {})) setField(counted, name, member, value)
    for (const [member, value] of Object.entries(rates ?? {})) setField(counted, name, `rate${member[0].toUpperCase()}${member.slice(1)}`, value)
  }

  /** Sets fields of an entry's record to values that another program can set, and that this library refuses. */
  configure(service: ServiceKey, destination: DestinationKey | undefined, fields: Record<string, number>): void {
    const [name, record] = this.#entry(service, destination)
    for (const [member, value] of Object.entries(fields)) setField(record, name, member, value)
  }

  #entry(service: ServiceKey, destination: DestinationKey | undefined): ['service' | 'destination', Uint8Array] {
    const requests = new Requests(256)
    const at = requests.reserve(256)
    if (destination === undefined) writeServiceKey(requests, at, service)
    else writeDestinationKey(requests, at, service, destination)
    const { record, destinations } = this.#services.get(keyOf(requests.u8.subarray(at), 'service'))!
    if (destination === undefined) return ['service', record]
    return ['destination', destinations.get(keyOf(requests.u8.subarray(at + SERVICE_KEY_SIZE), 'destination'))!]
  }

  /** Carries out packed requests and answers as the addon does. */
  execute(requests: Uint8Array, length: number, count: number, batch: number): Uint8Array | null {
    const answers: Answer[] = []
    const causes: number[] = []
    let at = 0
    let group = 0
    let lost = batch !== 0 && batch === this.#lostBatch
    for (let i = 0; i < count; i++) {
      const asked = askedAt(requests, at)
      at += new DataView(requests.buffer, requests.byteOffset).getUint16(at, little)
      if (lost) {
        answers.push(NOT_SENT)
        causes[i] = ENOBUFS
        continue
      }
      this.before?.(asked)
      const carriedOut = copied(this.refuse?.(asked) ?? this.#carryOut(asked))
      const answer = this.arrange !== undefined && Array.isArray(carriedOut) ? this.arrange(asked, carriedOut) : carriedOut
      this.asked.push(asked.command)
      answers.push(answer)
      this.after?.(asked)
      const losing = this.lose?.(asked) === true
      if (losing) causes[i] = ENOBUFS
      const ends = i + 1 - group >= this.requestsPerSend || Array.isArray(answer) || i === count - 1
      if (!ends) continue
      if (causes.length > group) {
        for (let j = group; j <= i; j++) {
          if (answers[j] === 0 || Array.isArray(answers[j])) answers[j] = UNKNOWN
          causes[j] = ENOBUFS
        }
        lost = true
        this.#lostBatch = batch
      }
      group = i + 1
    }
    if (at !== length) throw new Error(`${count} requests are ${at} bytes, not ${length}`)
    return answers.every((answer) => answer === 0) ? null : packAnswers(answers, causes)
  }

  #carryOut({ command, dump, body }: Asked): Answer {
    switch (command) {
      case 'newService': return this.#setService(body, true)
      case 'setService': return this.#setService(body, false)
      case 'delService': return this.#services.delete(keyOf(body, 'service')) ? 0 : -ESRCH
      case 'getService': {
        if (dump) return [...this.#services.values()].map(({ record }) => record)
        const found = this.#services.get(keyOf(body, 'service'))
        return found === undefined ? -ESRCH : [found.record]
      }
      case 'newDest': return this.#setDestination(body, true)
      case 'setDest': return this.#setDestination(body, false)
      case 'delDest': {
        const service = this.#services.get(keyOf(body, 'service'))
        if (service === undefined) return -ESRCH
        return service.destinations.delete(keyOf(body.subarray(SERVICE_KEY_SIZE), 'destination')) ? 0 : -ENOENT
      }
      // The kernel lists the destinations of a service in reverse order of their addition. For a missing service it lists none.
      case 'getDest': return [...this.#services.get(keyOf(body, 'service'))?.destinations.values() ?? []].reverse()
      case 'newDaemon': return this.#startDaemon(body)
      case 'delDaemon': return this.#daemons.delete(field(body, 'daemon', 'state')) ? 0 : -ESRCH
      case 'getDaemon': return [1, 2].flatMap((role) => this.#daemons.get(role) ?? [])
      case 'setConfig':
        for (const member of ['tcp', 'tcpFin', 'udp']) {
          const seconds = has(body, 'config', member) ? field(body, 'config', member) : 0
          if (seconds !== 0) setField(this.#timeouts, 'config', member, seconds)
        }
        return 0
      case 'getConfig': return [this.#timeouts]
      case 'getInfo': {
        const record = new Uint8Array(records.info.size)
        setField(record, 'info', 'version', 0x10201)
        setField(record, 'info', 'connectionTableSize', 4096)
        return [record]
      }
      case 'zero': {
        if (body.length === 0) for (const service of this.#services.values()) zero(service)
        else {
          const service = this.#services.get(keyOf(body, 'service'))
          if (service === undefined) return -ESRCH
          zero(service)
        }
        return 0
      }
      case 'flush':
        this.#services.clear()
        return 0
    }
  }

  #setService(body: Uint8Array, isNew: boolean): number {
    const key = keyOf(body, 'service')
    const found = this.#services.get(key)
    if (isNew && found !== undefined) return -EEXIST
    if (!isNew && found === undefined) return -ESRCH
    if (!SCHEDULERS.has(textOf(body, 'service', 'scheduler'))) return -ENOENT
    const engine = has(body, 'service', 'persistenceEngine') ? textOf(body, 'service', 'persistenceEngine') : ''
    if (engine !== '' && engine !== 'sip') return -ENOENT
    const isIPv6 = field(body, 'service', 'family') === AF_INET6
    const netmask = field(body, 'service', 'netmask')
    if (isIPv6 && (netmask < 1 || netmask > 128)) return -EINVAL
    const record = recordOf(body, 'service')
    const mark = has(body, 'service', 'fwmark')
    setPresent(
      record,
      'service',
      'family',
      ...(mark ? ['fwmark'] : ['protocol', 'address', 'port']),
      'scheduler',
      'flags',
      'timeout',
      'netmask',
      ...counters,
    )
    if (engine !== '') setPresent(record, 'service', 'persistenceEngine')
    const mask = field(body, 'service', 'flagsMask')
    const before = found === undefined ? 0 : field(found.record, 'service', 'flags')
    setField(record, 'service', 'flags', before & ~mask | field(body, 'service', 'flags') & mask | HASHED)
    setField(record, 'service', 'flagsMask', 0xffffffff)
    if (found === undefined) this.#services.set(key, { record, destinations: new Map() })
    else {
      record.set(found.record.subarray(records.service.requestSize), records.service.requestSize)
      found.record = record
    }
    return 0
  }

  #setDestination(body: Uint8Array, isNew: boolean): number {
    const service = this.#services.get(keyOf(body, 'service'))
    if (service === undefined) return -ESRCH
    const given = body.subarray(SERVICE_KEY_SIZE)
    const key = keyOf(given, 'destination')
    const found = service.destinations.get(key)
    const otherFamily = field(given, 'destination', 'family') !== field(service.record, 'service', 'family')
    const forward = field(given, 'destination', 'forward') & METHOD_MASK
    if (otherFamily && (this.#daemons.size > 0 || forward !== TUN)) return -EINVAL
    if (
      field(given, 'destination', 'weight') < 0 ||
      field(given, 'destination', 'lowerThreshold') > field(given, 'destination', 'upperThreshold')
    )
      return -ERANGE
    if (isNew && found !== undefined) return -EEXIST
    if (!isNew && found === undefined) return -ENOENT
    if (!isUnicast(given)) return -EINVAL
    // A destination without tunnel fields has an IPIP tunnel, whose values are zeros.
    const record = recordOf(given, 'destination')
    setPresent(
      record,
      'destination',
      'address',
      'port',
      'forward',
      'weight',
      'tunnelType',
      'tunnelPort',
      'tunnelFlags',
      'upperThreshold',
      'lowerThreshold',
      'activeConnections',
      'inactiveConnections',
      'persistentConnections',
      'family',
      ...counters,
    )
    if (found !== undefined) record.set(found.subarray(records.destination.requestSize), records.destination.requestSize)
    service.destinations.set(key, record)
    return 0
  }

  #startDaemon(body: Uint8Array): number {
    const role = field(body, 'daemon', 'state')
    const mixed = [...this.#services.values()].some(({ record, destinations }) =>
      [...destinations.values()].some((destination) => field(destination, 'destination', 'family') !== field(record, 'service', 'family')))
    if (mixed) return -EINVAL
    if (textOf(body, 'daemon', 'interface') !== 'lo') return -ENODEV
    if (this.#daemons.has(role)) return -EEXIST
    const record = recordOf(body, 'daemon')
    // A master's messages fill an Ethernet frame. A backup accepts what fits the loopback's MTU, and at least 1024 bytes (ip_vs_sync.c).
    const defaults = { maxLength: role === MASTER ? 1472 : 65507, port: 8848, ttl: 1 }
    if (role !== MASTER && has(body, 'daemon', 'maxLength'))
      setField(record, 'daemon', 'maxLength', Math.max(field(body, 'daemon', 'maxLength'), 1024))
    for (const [member, value] of Object.entries(defaults)) if (!has(body, 'daemon', member)) setField(record, 'daemon', member, value)
    if (!has(body, 'daemon', 'group')) {
      bytesOf(record, 'daemon', 'group').set([224, 0, 0, 81])
      setField(record, 'daemon', 'groupFamily', AF_INET)
    }
    this.#daemons.set(role, record)
    return 0
  }
}

/** A native handle on a test kernel. */
export class TestHandle implements NativeHandle {
  readonly receiveBuffer = 2 ** 20
  readonly sendBuffer = 2 ** 20
  readonly namespace = -1
  closed = false
  onReply?: (reply: NativeReply) => void
  #underWay = 0

  constructor(readonly kernel: TestKernel) {}

  get requestsPerSend(): number {
    return this.kernel.requestsPerSend
  }

  execute(requests: Uint8Array, length: number, count: number, batch: number, space?: ArrayBuffer): void {
    if (this.closed) throw new Error('the handle is closed')
    this.#underWay++
    setImmediate(() => {
      this.#underWay--
      this.onReply!(inSpace(this.kernel.execute(requests, length, count, batch), space))
    })
  }

  executeSync(requests: Uint8Array, length: number, count: number, batch: number, space?: ArrayBuffer): NativeReply {
    if (this.#underWay > 0) throw new Error('an execute is under way')
    return inSpace(this.kernel.execute(requests, length, count, batch), space)
  }

  /** /proc has only the settings in `sysctls`. */
  openInNamespace(path: string): number {
    const value = this.kernel.sysctls[basename(path)]
    if (value === undefined) return -ENOENT
    const directory = mkdtempSync(join(tmpdir(), 'ipvs-'))
    const descriptor = openSync(join(directory, 'setting'), 'w+')
    writeSync(descriptor, `${value}\n`, 0)
    rmSync(directory, { recursive: true })
    return descriptor
  }

  close(): void {
    if (this.#underWay > 0) throw new Error('closed before everything was answered')
    this.closed = true
  }
}

function askedAt(requests: Uint8Array, at: number): Asked {
  const view = new DataView(requests.buffer, requests.byteOffset)
  const size = view.getUint16(at, little)
  const command = nameOf.get(view.getUint16(at + 2, little))
  if (command === undefined) throw new Error(`there is no command ${view.getUint16(at + 2, little)}`)
  return {
    command,
    dump: (view.getUint16(at + 4, little) & requestLayout.dump) !== 0,
    body: requests.slice(at + requestLayout.headerSize, at + size),
  }
}

/** Copies the records of an answer, because later requests of the same piece may change them. */
const copied = (answer: Answer): Answer => Array.isArray(answer) ? answer.map((record) => record.slice()) : answer

/** Packs answers as the addon does: header, entries, records. */
function packAnswers(answers: Answer[], causes: number[]): Uint8Array {
  const recordsAt = layout.headerSize + answers.length * layout.entrySize
  const total =
    recordsAt +
    answers.reduce<number>(
      (sum, answer) => sum + (Array.isArray(answer) ? answer.reduce((length, { byteLength }) => length + byteLength, 0) : 0),
      0,
    )
  const bytes = new Uint8Array(total)
  const words = new Uint32Array(bytes.buffer)
  words.set([answers.length, recordsAt, total, total])
  let at = recordsAt
  answers.forEach((answer, i) => {
    const entry = (layout.headerSize + i * layout.entrySize) / 4
    if (Array.isArray(answer)) {
      words.set([0, answer.length, at, 0], entry)
      for (const record of answer) {
        bytes.set(record, at)
        at += record.length
      }
    } else words.set([answer, 0, causes[i] ?? 0, 0], entry)
  })
  return bytes
}

/** Returns a reply as the addon does: in the caller's memory if it fits. The bytes after the reply's end are garbage. */
function inSpace(bytes: Uint8Array | null, space: ArrayBuffer | undefined): NativeReply {
  if (bytes === null) return null
  if (space === undefined || bytes.length > space.byteLength) return bytes.buffer as ArrayBuffer
  new Uint8Array(space).fill(0xa5).set(bytes)
  return space
}

function zero({ record, destinations }: Service): void {
  for (const member of counters) setField(record, 'service', member, 0)
  for (const destination of destinations.values()) for (const member of counters) setField(destination, 'destination', member, 0)
}

/** Whether the destination's address is a unicast address. */
function isUnicast(destination: Uint8Array): boolean {
  const address = bytesOf(destination, 'destination', 'address')
  if (field(destination, 'destination', 'family') === AF_INET) return address[0] !== 0 && address[0] < 224
  const linkLocal = address[0] === 0xfe && (address[1] & 0xc0) === 0x80
  return address[0] !== 0xff && !linkLocal && address.some((byte) => byte !== 0)
}

