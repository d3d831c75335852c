import { parseMask, prefixOfMask } from '../model/address.js'
import type { DestinationKey, Operation, Persistence, Service, ServiceKey } from '../model/types.js'
import { checkOptions, type GivenGroups } from './check-options.js'
import type { CommandSettings } from './command-settings.js'
import { RulesError } from './error.js'
import { defaults, tunnelGrammars, tunnelGroups, type CommandName } from './language.js'
import type { GivenOption } from './options.js'
import { schedulerFlagNames } from './scheduler-flags.js'
import type { Named } from './types.js'

type FullDestination = Extract<Named<Operation>, { type: 'updateDestination' }>['destination']

/** A command line that was read, whose options go together. */
export interface CheckedCommand {
  command: GivenOption
  settings: CommandSettings
  given: GivenGroups
  /** Bits of the scheduler flags. */
  flags: number
  /** Whether the kernel's limits hold in place of ipvsadm's own rules. */
  beyond: boolean
}

/**
 * The operation that a command stands for; `undefined` for commands that change nothing.
 *
 * @throws RulesError if ipvsadm would refuse such a service or destination.
 */
export function makeOperation(name: CommandName, checked: CheckedCommand): Named<Operation> | undefined {
  const { settings, given } = checked
  const { daemon } = settings
  switch (name) {
    case 'add-service':
      return { type: 'addService', service: service(checked) }
    case 'edit-service':
      return { type: 'updateService', service: service(checked) }
    case 'delete-service':
      return { type: 'removeService', service: serviceKey(settings) }
    case 'add-server':
      return { type: 'addDestination', service: serviceKey(settings), destination: destination(checked) }
    case 'edit-server':
      return { type: 'updateDestination', service: serviceKey(settings), destination: destination(checked) }
    case 'delete-server':
      return { type: 'removeDestination', service: serviceKey(settings), destination: destinationKey(settings) }
    case 'zero':
      return given.has('service-address') && !isAnyAddress(settings) ? { type: 'zero', service: serviceKey(settings) } : { type: 'zero' }
    case 'flush':
      return { type: 'flush' }
    case 'set':
      return { type: 'setTimeouts', timeouts: settings.timeouts }
    case 'start-daemon':
      return { type: 'startDaemon', daemon: { ...daemon, interface: daemon.interface || defaults.daemonInterface } }
    case 'stop-daemon':
      return { type: 'stopDaemon', daemon: { role: daemon.role, syncId: daemon.syncId ?? 0 } }
  }
}

export function serviceKey({ fwmark, family, protocol, address, port }: CommandSettings): Named<ServiceKey> {
  return fwmark ? { fwmark, family: family as 4 | 6 } : { protocol: protocol!, address, port }
}

/** `-Z` with address and port zero means all services. */
const isAnyAddress = ({ fwmark, port, address }: CommandSettings): boolean =>
  !fwmark && port === 0 && (address === '0.0.0.0' || address === '::')

function service({ settings, given, flags, beyond }: CheckedCommand): Named<Service> {
  if (!beyond && !settings.fwmark) checkService(settings, given)
  const scheduler = settings.scheduler || defaults.scheduler
  // Not made by a spread, which would give every service a hidden class of its own.
  const service = serviceKey(settings) as Named<Service>
  service.scheduler = scheduler
  service.schedulerFlags = schedulerFlagNames(scheduler, flags)
  service.onePacket = settings.onePacket
  service.persistence = settings.persistent ? persistenceWith(settings.persistenceTimeout, settings.mask) : null
  service.persistenceEngine = settings.engine || null
  return service
}

function checkService({ port, persistent, onePacket, protocol }: CommandSettings, given: GivenGroups): void {
  if (port === 0 && !persistent) {
    const { line, column } = given.get('service-address')!
    throw new RulesError('port 0 for a service that is not persistent', 'a port (ADDRESS:PORT, IPv6 as [ADDRESS]:PORT), or -p for a service on all ports', line, column)
  }
  if (onePacket && protocol !== 'udp') {
    const { line, column } = given.get('ops')!
    throw new RulesError('one-packet scheduling for a service that is not UDP', '-u, or -f', line, column)
  }
}

/** Persistence in the shape that listings have: a mask with gaps has no prefix length. */
function persistenceWith(timeout: number, mask: string | number): Persistence {
  if (typeof mask === 'number') return { timeout, prefixLength: mask }
  const bits = parseMask(mask)
  const prefixLength = bits === undefined ? undefined : prefixOfMask(bits)
  return prefixLength === undefined ? ({ timeout, netmask: mask } as Persistence) : { timeout, prefixLength }
}

function destinationKey({ destination }: CommandSettings): Named<DestinationKey> {
  const { address, port } = destination!
  return { address, port }
}

function destination({ command, settings, given, beyond }: CheckedCommand): FullDestination {
  const { forward, weight, upperThreshold, lowerThreshold, tunnelType, tunnelPort, checksum } = settings
  const { address, port } = destinationKey(settings)
  const tunnels = forward === 'tun'
  checkDestination(settings, given)
  checkOptions(given, tunnelGrammars[tunnelType], tunnelGroups, `'${tunnelType}' tunnel type`, command)
  // Direct routing and tunnels do not change the port of packets, so the destination's port is the service's.
  const keepsPort = (tunnels || forward === 'dr') && !settings.fwmark && !beyond
  return {
    address,
    port: keepsPort ? settings.port : port,
    forward,
    weight,
    upperThreshold,
    lowerThreshold,
    tunnel: tunnels ? { type: tunnelType, ...(tunnelType === 'gue' && { port: tunnelPort }), checksum } : null,
  }
}

function checkDestination({ destination, family, forward }: CommandSettings, given: GivenGroups): void {
  if (forward === 'tun') return
  if (destination!.family !== family) {
    const { line, column } = given.get('real-server')!
    throw new RulesError('a destination of another address family than the service', 'the same family, or -i for a tunnel', line, column)
  }
  for (const group of [...tunnelGroups, 'tun-type'] as const) {
    const option = given.get(group)
    if (!option) continue
    throw new RulesError(`option ${option.spelling} for a destination without a tunnel`, '-i as well', option.line, option.column)
  }
}
