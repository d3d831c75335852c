import type { ServiceKey } from '../model/types.js'
import { defaults } from './table.js'
import type {
  Check, CheckCommon, DirectedDestination, DirectedService, DirectorConfiguration, HttpCheck, Program, UdpCheck, WhenDown,
} from './types.js'

/** A check with every default, including those that depend on other properties. */
export type CompleteCheck = Check & Required<CheckCommon>

export type CompleteProgram = Program & Required<Pick<Program, 'timeout'>>

export type CompleteDestination = Omit<DirectedDestination, 'checks'> & {
  checks: CompleteCheck[]
  whenDown: WhenDown
  startDown: boolean
  rampUp: number
  onUp?: CompleteProgram
  onDown?: CompleteProgram
}

type Decided =
  | 'checks' | 'quorum' | 'hysteresis' | 'whenDown' | 'whenAllDown' | 'startDown' | 'rampUp' | 'onlyWhileHeld'
  | 'notifyAtEnd' | 'notifyAtStart'

export type CompleteService = Omit<DirectedService, 'destinations'> & ServiceKey & Required<Pick<DirectedService, Decided>> & {
  destinations: CompleteDestination[]
  onQuorumReached?: CompleteProgram
  onQuorumLost?: CompleteProgram
}

/** What changes in a configuration. */
export interface CompleteUpdate {
  /** Services that are new, or otherwise than before. */
  services: CompleteService[]
  /** Services that it has no more; none of those in `services`. */
  removed: ServiceKey[]
}

export type CompleteConfiguration = Omit<DirectorConfiguration, 'services'> & { services: CompleteService[] }

const recordOf: Record<Check['type'], string> = {
  tcp: 'TcpCheck', tls: 'TlsCheck', http: 'HttpCheck', script: 'ScriptCheck', smtp: 'SmtpCheck', dns: 'DnsCheck', udp: 'UdpCheck',
  ping: 'PingCheck', file: 'FileCheck',
}

/** A property that is `undefined` is none. */
function copy<Type extends object>(from: Type, to: Type): void {
  for (const name in from) if (from[name] !== undefined) to[name] = from[name]
}

/** A record with its defaults. */
function filled<Type extends object>(record: string, value: Type): Type {
  const all = { ...defaults[record] } as Type
  copy(value, all)
  return all
}

/** What a check of each kind has where nothing is said. */
const checkDefaults = Object.fromEntries(
  Object.entries(recordOf).map(([type, record]) => [type, { ...defaults.TcpCheck, ...defaults[record] }]),
) as Record<Check['type'], object>

/** Fills in a check's defaults. */
export function completeCheck(check: Check, startDown: boolean): CompleteCheck {
  const complete = { startDown, type: check.type, ...checkDefaults[check.type] } as CompleteCheck
  copy(check, complete)
  complete.warmup ??= complete.interval
  if (complete.type === 'http') completeHttp(complete)
  if (complete.type === 'tls') complete.tls = filled('TlsOptions', complete.tls ?? {})
  if (complete.type === 'udp') (complete as UdpCheck).requireReply ??= complete.reply !== undefined
  return complete
}

function completeHttp(check: HttpCheck): void {
  check.close ??= check.version === '1.1'
  if (check.tls !== undefined) check.tls = filled('TlsOptions', check.tls)
  const { host } = check
  check.urls = check.urls.map((url) => filled('Url', url.host === undefined && host !== undefined ? { ...url, host } : url))
}

/** Complete checks by what was written. Those that say the same are the same object: thousands of destinations have like checks. */
class Checks {
  readonly #known = new Map<string, CompleteCheck[]>()

  complete(checks: readonly Check[], startDown: boolean): CompleteCheck[] {
    const text = `${startDown} ${JSON.stringify(checks)}`
    let complete = this.#known.get(text)
    if (complete === undefined) this.#known.set(text, complete = checks.map((check) => completeCheck(check, startDown)))
    return complete
  }
}

/**
 * Fills in the configuration's defaults. Each destination without checks or settings of its own gets those of its service. The IPVS
 * configuration of services and destinations is not changed.
 */
export function completeConfiguration(configuration: DirectorConfiguration): CompleteConfiguration {
  return { ...configuration, services: completeServices(configuration.services) }
}

/** Fills in the defaults of some services. */
export function completeServices(services: readonly DirectedService[]): CompleteService[] {
  const known = new Checks()
  return services.map((service) => completeService(service, known))
}

/** What decides about a service where it says nothing. */
const { quorum, hysteresis, whenDown, whenAllDown, startDown, rampUp, onlyWhileHeld, notifyAtEnd, notifyAtStart } =
  defaults.AddressService as unknown as CompleteService

/** Not by a spread, as destinations below. */
function completeService(service: DirectedService, known: Checks): CompleteService {
  const { checks = [], onQuorumReached, onQuorumLost, destinations = [] } = service
  const complete = {} as CompleteService
  copy<object>(service, complete)
  complete.quorum ??= quorum
  complete.hysteresis ??= hysteresis
  complete.whenDown ??= whenDown
  complete.whenAllDown ??= whenAllDown
  complete.startDown ??= startDown
  complete.rampUp ??= rampUp
  complete.onlyWhileHeld ??= onlyWhileHeld
  complete.notifyAtEnd ??= notifyAtEnd
  complete.notifyAtStart ??= notifyAtStart
  if (onQuorumReached !== undefined) complete.onQuorumReached = filled('Program', onQuorumReached) as CompleteProgram
  if (onQuorumLost !== undefined) complete.onQuorumLost = filled('Program', onQuorumLost) as CompleteProgram
  complete.checks = known.complete(checks, complete.startDown)
  complete.destinations = destinations.map((destination) => completeDestination(destination, checks, complete, known))
  return complete
}

/**
 * Property by property: a spread gives every object a hidden class of its own. Ten thousand services took four times as long that way, and
 * each use of them was slow.
 */
function completeDestination(
  destination: DirectedDestination,
  checks: readonly Check[],
  { whenDown, startDown, rampUp }: Pick<CompleteDestination, 'whenDown' | 'startDown' | 'rampUp'>,
  known: Checks,
): CompleteDestination {
  const complete = {} as CompleteDestination
  copy<object>(destination, complete)
  complete.whenDown ??= whenDown
  complete.startDown ??= startDown
  complete.rampUp ??= rampUp
  if (destination.onUp !== undefined) complete.onUp = filled('Program', destination.onUp) as CompleteProgram
  if (destination.onDown !== undefined) complete.onDown = filled('Program', destination.onDown) as CompleteProgram
  complete.checks = known.complete(destination.checks ?? checks, complete.startDown)
  return complete
}
