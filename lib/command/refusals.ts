import { isArgumentError } from '../model/errors.js'
import type { Operation } from '../model/types.js'

/** What is wrong with a `--netns` that is neither a name nor a path. */
export const netnsWords = (netns: string | undefined): string =>
  `--netns '${netns}'; expected the name or the path of a network namespace`

/** ipvsadm's sentences for the kernel's refusals, for scripts that look for them: by request (or for all), and the kernel's code. */
const sentences: readonly [readonly (Operation['type'] | 'getService' | 'destinations')[] | 'all', string, string][] = [
  [['addService'], 'EEXIST', 'Service already exists'],
  [['addService', 'updateService'], 'ENOENT', 'Scheduler or persistence engine not found'],
  [['updateService', 'removeService', 'zero', 'getService', 'destinations'], 'ESRCH', 'No such service'],
  [['addDestination', 'updateDestination', 'removeDestination'], 'ESRCH', 'Service not defined'],
  [['addDestination'], 'EEXIST', 'Destination already exists'],
  [['updateDestination', 'removeDestination'], 'ENOENT', 'No such destination'],
  [['startDaemon'], 'EEXIST', 'Daemon has already run'],
  [['stopDaemon'], 'ESRCH', 'No daemon is running'],
  ['all', 'EPERM', 'Permission denied (you must be root)'],
  ['all', 'EINVAL', 'Invalid operation.  Possibly wrong module version, address not unicast, ...'],
  ['all', 'ENOMEM', 'Memory allocation problem'],
  ['all', 'EOPNOTSUPP', 'Operation not supported with IPv6'],
  ['all', 'EAFNOSUPPORT', 'Operation not supported with specified address family'],
]

/** The options that stand for the fields of the package's own messages. */
const options: Readonly<Record<string, string>> = {
  'service.address': 'the address of the service',
  'service.port': 'the port of the service',
  'service.fwmark': '-f',
  'service.scheduler': '-s',
  'service.schedulerFlags': '-b',
  'service.persistenceEngine': '--pe',
  'service.persistence.timeout': '-p',
  'service.persistence.prefixLength': '-M',
  'service.persistence.netmask': '-M',
  'service.onePacket': '-o',
  'destination.address': 'the address of -r',
  'destination.port': 'the port of -r',
  'destination.forward': 'the forwarding method',
  'destination.weight': '-w',
  'destination.upperThreshold': '-x',
  'destination.lowerThreshold': '-y',
  'destination.tunnel.type': '--tun-type',
  'destination.tunnel.port': '--tun-port',
  'destination.tunnel.checksum': 'the checksum of the tunnel',
  'daemon.interface': '--mcast-interface',
  'daemon.syncId': '--syncid',
  'daemon.maxLength': '--sync-maxlen',
  'daemon.group': '--mcast-group',
  'daemon.port': '--mcast-port',
  'daemon.ttl': '--mcast-ttl',
  'timeouts.tcp': 'the first timeout of --set',
  'timeouts.tcpFin': 'the second timeout of --set',
  'timeouts.udp': 'the third timeout of --set',
}

const forwarding: Readonly<Record<string, string>> = { nat: '-m', tun: '-i', dr: '-g' }

/** The package's message about a value, with the options of the command line in place of its own words. */
export const inOptions = (message: string): string => message
  .replace(/\b(?:service|destination|daemon|timeouts)(?:\.[a-zA-Z]+)+/g, (field) => options[field] ?? field)
  .replace(/\bforward '(nat|tun|dr)'/g, (_, method: string) => forwarding[method])

/** What the command says about an error: ipvsadm's sentence where it has one, and the package's words. */
export function refusal(error: unknown): string {
  const { message, code, operation } = error as Error & { code?: string, operation?: { type: string } }
  if (isArgumentError(error)) return inOptions(message)
  // ipvsadm's sentence for EINVAL is about the table: a file that is no namespace has nothing to do with it.
  if (operation?.type === 'open' && code !== 'EPERM') return message
  const type = operation?.type as Operation['type']
  const found = sentences.find(([types, of]) => of === code && (types === 'all' || types.includes(type)))
  return found ? `${found[2]}: ${message}` : message
}
