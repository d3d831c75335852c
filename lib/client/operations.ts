import { invalidType } from '../model/errors.js'
import { commands } from '../wire/layout.js'
import { DAEMON_SIZE, writeDaemon, writeDaemonKey } from '../wire/pack/daemon.js'
import { DESTINATION_REQUEST_SIZE, writeDestination, writeDestinationKey } from '../wire/pack/destination.js'
import { HEADER_SIZE, type Requests } from '../wire/pack/requests.js'
import { SERVICE_KEY_SIZE, SERVICE_SIZE, writeService, writeServiceKey } from '../wire/pack/service.js'
import { TIMEOUTS_SIZE, writeTimeouts } from '../wire/pack/timeouts.js'
import type {
  Daemon, Destination, Info, ListedDestination, ListedService, Operation, Request, ServiceKey, Timeouts,
} from '../model/types.js'
import { LISTED_DAEMON_SIZE, readDaemon, readGivenDaemon } from '../wire/unpack/daemon.js'
import { LISTED_DESTINATION_SIZE, readConfiguration, readDestinationKey, readListedDestination } from '../wire/unpack/destination.js'
import { readGivenTimeouts, readInfo, readTimeouts } from '../wire/unpack/info.js'
import { repeatedDestinations, repeatedServices, type Repeats } from '../wire/unpack/key-index.js'
import type { Reply, View } from '../wire/unpack/reply.js'
import { LISTED_SERVICE_SIZE, readListedService, readService, readServiceKey } from '../wire/unpack/service.js'

/**
 * Defines each operation once: its name, how it is packed, how its answer is read. `Ipvs`, `IpvsSync` and batches use these definitions.
 * `refusal-words.ts` has the words for refusals under the same names.
 */

/** Defines an operation that changes something. */
export interface ChangeDefinition {
  readonly type: Operation['type']
  /** The properties of an operation that are the method's arguments, in their order. */
  readonly members: readonly string[]
  /** Validates the arguments of the method and writes a request. */
  pack(requests: Requests, first: unknown, second: unknown): void
  /** The same for an operation object. */
  packOperation(requests: Requests, operation: Operation): void
  /** Makes the operation object for these arguments. */
  describe(first: unknown, second: unknown): Operation
  /** Number of the command in a packed request. */
  readonly command: number
  /** Makes the operation object of a packed request, whose records begin at `at` and take `size` bytes. */
  readBack(view: View, at: number, size: number): Operation
}

/** Defines an operation that reads one thing. */
export interface ReadDefinition<Answer> {
  readonly type: Request['type']
  readonly list: false
  pack(requests: Requests, first: unknown): void
  describe(first: unknown): Request
  /** Makes the answer of a record. */
  read(reply: Reply, at: number): Answer
  /** Name of an errno that means there is no such thing; the answer is then `undefined`. */
  readonly missing?: 'ESRCH'
}

/** Defines an operation that lists things, by a dump. The kernel makes one dump at a time. */
export interface ListDefinition<Element> {
  readonly type: Request['type']
  readonly list: true
  pack(requests: Requests, first: unknown): void
  describe(first: unknown): Request
  /** Makes an element of a record. */
  read(reply: Reply, at: number): Element
  /** Bytes of a record. */
  readonly size: number
  /** Finds the records that a list has a second time because it was edited while it was read. They are left out. */
  readonly repeats?: Repeats
  /** A list with repeated records also misses as many, so it must be read again. */
  readonly lossy?: true
}

/** Defines any operation. */
export type Definition = ChangeDefinition | ReadDefinition<unknown> | ListDefinition<unknown>

const serviceChange = (
  type: 'addService' | 'updateService' | 'removeService', command: number, size: number,
  write: (requests: Requests, at: number, service: unknown) => void, read: (view: View, at: number) => unknown,
): ChangeDefinition => {
  const pack = (requests: Requests, service: unknown): void => {
    write(requests, requests.reserve(size), service)
    requests.commit(command, size)
  }
  return {
    type,
    members: ['service'],
    pack,
    packOperation: (requests, operation) => pack(requests, (operation as { service: unknown }).service),
    describe: (service) => ({ type, service }) as Operation,
    command,
    readBack: (view, at) => ({ type, service: read(view, at) }) as Operation,
  }
}

const destinationChange = (
  type: 'addDestination' | 'updateDestination' | 'removeDestination', command: number,
  write: (requests: Requests, at: number, service: unknown, destination: unknown) => void, read: (view: View, at: number) => unknown,
): ChangeDefinition => {
  const pack = (requests: Requests, service: unknown, destination: unknown): void => {
    write(requests, requests.reserve(DESTINATION_REQUEST_SIZE), service, destination)
    requests.commit(command, DESTINATION_REQUEST_SIZE)
  }
  return {
    type,
    members: ['service', 'destination'],
    pack,
    packOperation: (requests, operation) => {
      const { service, destination } = operation as { service: unknown, destination: unknown }
      pack(requests, service, destination)
    },
    describe: (service, destination) => ({ type, service, destination }) as Operation,
    command,
    readBack: (view, at) => ({ type, service: readServiceKey(view, at), destination: read(view, at + SERVICE_KEY_SIZE) }) as Operation,
  }
}

const otherChange = (
  type: 'zero' | 'flush' | 'setTimeouts' | 'startDaemon' | 'stopDaemon', command: number, member: string,
  pack: (requests: Requests, value: unknown) => void, read: (view: View, at: number) => unknown,
): ChangeDefinition => {
  const describe = (value: unknown): Operation => (value === undefined ? { type } : { type, [member]: value }) as Operation
  return {
    type,
    members: member === '' ? [] : [member],
    pack,
    packOperation: (requests, operation) => pack(requests, (operation as unknown as Record<string, unknown>)[member]),
    describe,
    command,
    readBack: (view, at, size) => describe(size === 0 ? undefined : read(view, at)),
  }
}

const readDestination = (view: View, at: number): Destination => readConfiguration(view, at, {} as Destination)

const writeNewService = (requests: Requests, at: number, service: unknown): void => writeService(requests, at, service, false)
const writeWholeService = (requests: Requests, at: number, service: unknown): void => writeService(requests, at, service, true)

const writeNewDestination = (requests: Requests, at: number, service: unknown, destination: unknown): void =>
  writeDestination(requests, at, service, destination, false)
const writeWholeDestination = (requests: Requests, at: number, service: unknown, destination: unknown): void =>
  writeDestination(requests, at, service, destination, true)

export const changes = {
  addService: serviceChange('addService', commands.newService, SERVICE_SIZE, writeNewService, readService),
  updateService: serviceChange('updateService', commands.setService, SERVICE_SIZE, writeWholeService, readService),
  removeService: serviceChange('removeService', commands.delService, SERVICE_KEY_SIZE, writeServiceKey, readServiceKey),
  addDestination: destinationChange('addDestination', commands.newDest, writeNewDestination, readDestination),
  updateDestination: destinationChange('updateDestination', commands.setDest, writeWholeDestination, readDestination),
  removeDestination: destinationChange('removeDestination', commands.delDest, writeDestinationKey, readDestinationKey),
  zero: otherChange('zero', commands.zero, 'service', (requests, service) => {
    const size = service === undefined ? 0 : SERVICE_KEY_SIZE
    const at = requests.reserve(size)
    if (service !== undefined) writeServiceKey(requests, at, service)
    requests.commit(commands.zero, size)
  }, readServiceKey),
  flush: otherChange('flush', commands.flush, '', (requests) => {
    requests.reserve(0)
    requests.commit(commands.flush, 0)
  }, () => undefined),
  setTimeouts: otherChange('setTimeouts', commands.setConfig, 'timeouts', (requests, timeouts) => {
    writeTimeouts(requests, requests.reserve(TIMEOUTS_SIZE), timeouts)
    requests.commit(commands.setConfig, TIMEOUTS_SIZE)
  }, readGivenTimeouts),
  startDaemon: otherChange('startDaemon', commands.newDaemon, 'daemon', (requests, daemon) => {
    writeDaemon(requests, requests.reserve(DAEMON_SIZE), daemon)
    requests.commit(commands.newDaemon, DAEMON_SIZE)
  }, readGivenDaemon),
  stopDaemon: otherChange('stopDaemon', commands.delDaemon, 'daemon', (requests, daemon) => {
    writeDaemonKey(requests, requests.reserve(DAEMON_SIZE), daemon)
    requests.commit(commands.delDaemon, DAEMON_SIZE)
  }, readGivenDaemon),
} satisfies { [Type in Operation['type']]: ChangeDefinition }

/** Validates the arguments of a method and writes its request, or requests. */
export function pack(requests: Requests, definition: Definition, first: unknown, second: unknown): void {
  requests.begin()
  try {
    definition.pack(requests, first, second)
  } finally {
    requests.end()
  }
}

const byType = new Map<unknown, ChangeDefinition>(Object.entries(changes))

/** The definition for an operation object. */
function changeOf(operation: Operation): ChangeDefinition {
  if (typeof operation !== 'object' || operation === null) {
    throw invalidType('operation', 'an object like { type: \'addService\', service: … }', operation)
  }
  const change = byType.get(operation.type)
  if (change !== undefined) return change
  const types = [...byType.keys()].map((type) => `'${type as string}'`).join(', ')
  throw invalidType('operation.type', `one of ${types}`, operation.type)
}

/** The definition for an operation object, and the arguments that its method would have. */
export function callOf(operation: Operation): [change: ChangeDefinition, first: unknown, second: unknown] {
  const change = changeOf(operation)
  const [first, second] = change.members.map((member) => (operation as unknown as Record<string, unknown>)[member])
  return [change, first, second]
}

/** Validates an operation of a batch and writes its request. */
export function packOperation(requests: Requests, operation: Operation): void {
  const change = changeOf(operation)
  requests.begin()
  try {
    change.packOperation(requests, operation)
  } finally {
    requests.end()
  }
}

const byCommand = new Map<number, ChangeDefinition>(Object.values(changes).map((change) => [change.command, change]))

/** The operation that a packed request of a batch came from, with its defaults. */
export function readOperation(requests: Requests, request: number): Operation {
  const at = requests.recordsOf(request)
  return byCommand.get(requests.commandOf(request))!.readBack(requests, at, requests.sizeOf(request))
}

const plain = (command: number, dump: boolean) => (requests: Requests): void => {
  requests.reserve(0)
  requests.commit(command, 0, dump)
}

const packKey = (requests: Requests, command: number, service: unknown): void => {
  writeServiceKey(requests, requests.reserve(SERVICE_KEY_SIZE), service)
  requests.commit(command, SERVICE_KEY_SIZE)
}

export const reads = {
  info: {
    type: 'info',
    list: false,
    pack: plain(commands.getInfo, false),
    describe: () => ({ type: 'info' }),
    read: readInfo,
  } satisfies ReadDefinition<Info>,
  timeouts: {
    type: 'timeouts',
    list: false,
    pack: plain(commands.getConfig, false),
    describe: () => ({ type: 'timeouts' }),
    read: readTimeouts,
  } satisfies ReadDefinition<Timeouts>,
  getService: {
    type: 'getService',
    list: false,
    pack: (requests: Requests, service: unknown) => packKey(requests, commands.getService, service),
    describe: (service: unknown) => ({ type: 'getService', service: service as ServiceKey }),
    read: readListedService,
    missing: 'ESRCH',
  } satisfies ReadDefinition<ListedService>,
  services: {
    type: 'services',
    list: true,
    pack: plain(commands.getService, true),
    describe: () => ({ type: 'services' }),
    read: readListedService,
    size: LISTED_SERVICE_SIZE,
    repeats: repeatedServices,
    lossy: true,
  } satisfies ListDefinition<ListedService>,
  daemons: {
    type: 'daemons',
    list: true,
    pack: plain(commands.getDaemon, true),
    describe: () => ({ type: 'daemons' }),
    read: readDaemon,
    size: LISTED_DAEMON_SIZE,
  } satisfies ListDefinition<Daemon>,
  /**
   * Sends two requests, since the kernel answers the dump of a missing service with an empty success. The first one asks for the service,
   * and is refused with ESRCH if it is missing.
   */
  destinations: {
    type: 'destinations',
    list: true,
    pack(requests: Requests, service: unknown): void {
      packKey(requests, commands.getService, service)
      const at = requests.reserve(SERVICE_KEY_SIZE)
      requests.u8.copyWithin(at, at - HEADER_SIZE - SERVICE_KEY_SIZE, at - HEADER_SIZE)
      requests.commit(commands.getDest, SERVICE_KEY_SIZE, true)
    },
    describe: (service: unknown) => ({ type: 'destinations', service: service as ServiceKey }),
    read: readListedDestination,
    size: LISTED_DESTINATION_SIZE,
    repeats: repeatedDestinations,
  } satisfies ListDefinition<ListedDestination>,
} as const
