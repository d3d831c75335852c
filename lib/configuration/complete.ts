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

export type CompleteConfiguration = Omit<DirectorConfiguration, 'services'> & { services: CompleteService[] }

const recordOf: Record<Check['type'], string> = {
  tcp: 'TcpCheck', tls: 'TlsCheck', http: 'HttpCheck', script: 'ScriptCheck', smtp: 'SmtpCheck', dns: 'DnsCheck', udp: 'UdpCheck',
  ping: 'PingCheck', file: 'FileCheck',
}

/** A record with its defaults. A property that is `undefined` is none. */
function filled<Type extends object>(record: string, value: Type): Type {
  const all = { ...defaults[record] } as Type
  for (const name in value) if (value[name] !== undefined) all[name] = value[name]
  return all
}

const program = <Name extends string>(name: Name, value: Program | undefined): { [Key in Name]?: CompleteProgram } =>
  (value === undefined ? {} : { [name]: filled('Program', value) }) as { [Key in Name]?: CompleteProgram }

/** Fills in a check's defaults. */
export function completeCheck(check: Check, startDown: boolean): CompleteCheck {
  const complete = { startDown, ...defaults.TcpCheck, ...filled(recordOf[check.type], check) } as CompleteCheck
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

/**
 * Fills in the configuration's defaults. Each destination without checks or settings of its own gets those of its service. The IPVS
 * configuration of services and destinations is not changed.
 */
export function completeConfiguration(configuration: DirectorConfiguration): CompleteConfiguration {
  return { ...configuration, services: configuration.services.map(completeService) }
}

function completeService(service: DirectedService): CompleteService {
  const {
    quorum, hysteresis, whenDown, whenAllDown, startDown, rampUp, onlyWhileHeld, notifyAtEnd, notifyAtStart,
  } = filled('AddressService', service) as CompleteService
  const decided = { quorum, hysteresis, whenDown, whenAllDown, startDown, rampUp, onlyWhileHeld, notifyAtEnd, notifyAtStart }
  const { checks = [], onQuorumReached, onQuorumLost } = service
  return {
    ...service, ...decided, ...program('onQuorumReached', onQuorumReached), ...program('onQuorumLost', onQuorumLost),
    checks: checks.map((check) => completeCheck(check, startDown)),
    destinations: (service.destinations ?? []).map((destination): CompleteDestination => {
      const { onUp, onDown, ...other } = destination
      const own = { whenDown: other.whenDown ?? whenDown, startDown: other.startDown ?? startDown, rampUp: other.rampUp ?? rampUp }
      return {
        ...other, ...own, ...program('onUp', onUp), ...program('onDown', onDown),
        checks: (other.checks ?? checks).map((check) => completeCheck(check, own.startDown)),
      }
    }),
  } as CompleteService
}
