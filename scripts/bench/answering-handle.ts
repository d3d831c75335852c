import type { Ipvs } from 'ipvs'
import type { CommandName, NativeHandle, NativeReply } from '../../lib/wire/addon.js'
import { serviceKey, destination, weightAfter, type Shape } from './workload.js'

/** A module of the package that is not among its exports. */
export const internal = async <Module>(path: string): Promise<Module> => await import(new URL(`../../../dist/${path}`, import.meta.url).href) as Module

const { commands, records, reply: layout, request } = await internal<typeof import('../../lib/wire/layout.js')>('wire/layout.js')
const { packOperation } = await internal<typeof import('../../lib/client/operations.js')>('client/operations.js')
const { Requests } = await internal<typeof import('../../lib/wire/pack/requests.js')>('wire/pack/requests.js')

const nameOf = new Map(Object.entries(commands).map(([name, number]) => [number, name as CommandName]))

/** Records of a kind as the kernel lists them, of what packed requests ask for. */
function listed(kind: 'service' | 'destination', pack: (requests: InstanceType<typeof Requests>) => void): Uint8Array {
  const requests = new Requests(1 << 16)
  pack(requests)
  const { size, requestSize } = records[kind]
  const bytes = new Uint8Array(requests.count * size)
  for (let i = 0; i < requests.count; i++) {
    const at = requests.recordsOf(i) + (kind === 'service' ? 0 : records.service.keySize)
    bytes.set(requests.u8.subarray(at, at + requestSize), i * size)
  }
  return bytes
}

const services = (count: number): Uint8Array => listed('service', (requests) => {
  for (let i = 0; i < count; i++) packOperation(requests, { type: 'addService', service: { ...serviceKey(i), scheduler: 'rr' } })
})

const destinations = (count: number): Uint8Array => listed('destination', (requests) => {
  for (let i = 0; i < count; i++) {
    packOperation(requests, { type: 'addDestination', service: serviceKey(0), destination: destination(i, weightAfter.add) })
  }
})

/** The destination of a table of this shape, as it is listed. */
export const listedDestinations = (shape: Shape): Uint8Array => destinations(shape.destinations)

/** Packs an answer to requests that were all carried out, as the addon does: header, entries, records. */
export function packAnswer(answers: readonly (Uint8Array | undefined)[], sizes: readonly number[], space?: ArrayBuffer): ArrayBuffer {
  const recordsAt = layout.headerSize + answers.length * layout.entrySize
  const total = answers.reduce((sum, answer) => sum + (answer?.length ?? 0), recordsAt)
  const buffer = space !== undefined && space.byteLength >= total ? space : new ArrayBuffer(total)
  const bytes = new Uint8Array(buffer)
  const words = new Uint32Array(buffer, 0, recordsAt / 4)
  words.set([answers.length, recordsAt, total, total])
  let at = recordsAt
  answers.forEach((answer, i) => {
    words.set([0, answer === undefined ? 0 : answer.length / sizes[i], at, 0], (layout.headerSize + i * layout.entrySize) / 4)
    if (answer === undefined) return
    bytes.set(answer, at)
    at += answer.length
  })
  return buffer
}

/**
 * Stands in for the kernel where the package's own share is measured: carries out every change, remembers none, and lists a table of one
 * shape, over and over. It has its turn in the event loop as the handle's thread has.
 */
export class AnsweringHandle implements NativeHandle {
  readonly receiveBuffer = 2 ** 20
  readonly sendBuffer = 2 ** 20
  readonly requestsPerSend = 1000
  readonly namespace = -1
  onReply?: (reply: NativeReply) => void
  /** Called when requests come that change the table. */
  onChange?: () => void
  /** How many requests were carried out. */
  requests = 0
  readonly #services: Uint8Array
  readonly #destinations: Uint8Array
  readonly #others: Partial<Record<CommandName, Uint8Array>> = {
    getConfig: new Uint8Array(records.config.size),
    getInfo: new Uint8Array(records.info.size),
  }

  constructor(shape: Shape) {
    this.#services = services(shape.services)
    this.#destinations = destinations(shape.destinations)
  }

  #answer(packed: Uint8Array, count: number, space: ArrayBuffer | undefined): NativeReply {
    this.requests += count
    const words = new Uint16Array(packed.buffer, packed.byteOffset)
    const answers: (Uint8Array | undefined)[] = []
    const sizes: number[] = []
    let tells = false
    for (let i = 0, at = 0; i < count; i++) {
      const command = nameOf.get(words[at / 2 + 1])!
      const dump = (words[at / 2 + 2] & request.dump) !== 0
      const one = this.#others[command]
      if (command === 'getService') answers[i] = dump ? this.#services : this.#services.subarray(0, records.service.size)
      else answers[i] = command === 'getDest' ? this.#destinations : one
      sizes[i] = command === 'getService' ? records.service.size : command === 'getDest' ? records.destination.size : (one?.length ?? 1)
      tells ||= command.startsWith('get')
      at += words[at / 2]
    }
    return tells ? packAnswer(answers, sizes, space) : null
  }

  execute(packed: Uint8Array, _length: number, count: number, _batch: number, space?: ArrayBuffer): void {
    if (!nameOf.get(new Uint16Array(packed.buffer, packed.byteOffset)[1])!.startsWith('get')) this.onChange?.()
    setImmediate(() => this.onReply!(this.#answer(packed, count, space)))
  }

  executeSync(packed: Uint8Array, _length: number, count: number, _batch: number, space?: ArrayBuffer): NativeReply {
    return this.#answer(packed, count, space)
  }

  openInNamespace(): number {
    return -2
  }

  close(): void {
    this.onReply = undefined
  }
}

/** A handle of the promise API on a table that is always the same. */
export const openAnswering = (ipvs: typeof Ipvs, handle: AnsweringHandle): Ipvs =>
  new (ipvs as unknown as new (handle: NativeHandle) => Ipvs)(handle)

