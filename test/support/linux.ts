import { release } from 'node:os'

/**
 * The releases of Linux that brought features which the oldest supported kernel, 5.10, lacks. Tests ask for a feature by its name, and
 * expect it exactly on the kernels that have it. So every run on another kernel checks the releases that the documentation names.
 */
export const SINCE = {
  /** A request to IPVS's family loads its module. */
  'loading by request': [5, 16],
  'sysctl est_cpulist': [6, 2],
  'sysctl est_nice': [6, 2],
  'sysctl conn_lfactor': [7, 1],
  'sysctl svc_lfactor': [7, 1],
  /** The connection table is made with the first service of a network namespace. */
  'a connection table made when it is needed': [7, 1],
} as const satisfies Record<string, readonly [major: number, minor: number]>

const [major, minor] = release().split('.').map(Number)

/** Whether this kernel is recent enough to have the feature. */
export const isSince = (feature: keyof typeof SINCE): boolean => {
  const [from, fromMinor] = SINCE[feature]
  return major > from || major === from && minor >= fromMinor
}
