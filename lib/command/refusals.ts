import type { Operation } from '../model/types.js'

/** ipvsadm's sentences for what the kernel refuses, for scripts that look for them: by what was asked (or for all), and the kernel's code. */
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

/** What the command says of an error: ipvsadm's sentence where it has one, and this library's words. */
export function refusal(error: unknown): string {
  const { message, code, operation } = error as Error & { code?: string, operation?: { type: string } }
  const found = sentences.find(([types, of]) => of === code && (types === 'all' || types.includes(operation?.type as Operation['type'])))
  return found ? `${found[2]}: ${message}` : message
}
