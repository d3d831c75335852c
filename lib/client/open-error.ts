import { errnoName, IpvsError, type OpenReason } from '../model/errors.js'
import type { NativeOpenOptions, OpenFailure, OpenStep } from '../wire/addon.js'
import type { OpenOptions } from '../model/types.js'

type Words = (place: string, code: string) => [OpenReason, string]

const CAPABILITY = 'IPVS needs CAP_NET_ADMIN in the initial user namespace, for reading too; '
  + 'user namespaces and rootless containers do not have it'

/** Codes that say that there is no such file or process. */
const MISSING = new Set(['ENOENT', 'ESRCH', 'ENOTDIR', 'ENAMETOOLONG'])

/** The reason and words of a failed open, by step. */
const WORDS: Record<OpenStep, Words> = {
  'netns-open': (place, code) => {
    if (code === 'EACCES' || code === 'EPERM') {
      const needs = 'entering another network namespace needs CAP_SYS_ADMIN (and CAP_SYS_PTRACE for that of another user\'s process)'
      return ['permission', `${place} may not be opened: ${needs}`]
    }
    if (code === 'EBADF') return ['namespace', `${place} is not an open descriptor`]
    return ['namespace', MISSING.has(code) ? `${place} does not exist, or is gone` : `${place} could not be opened`]
  },
  'netns-enter': (place, code) => {
    if (code === 'EPERM') {
      const needs = 'CAP_SYS_ADMIN, in this user namespace and in the one that owns the network namespace'
      return ['permission', `${place} may not be entered: that needs ${needs}`]
    }
    if (code === 'EBADF') return ['namespace', `${place} is not an open descriptor`]
    return ['namespace', code === 'EINVAL' ? `${place} is not a network namespace, or none any more` : `${place} could not be entered`]
  },
  socket: (_, code) => ['unavailable', code === 'EMFILE'
    ? 'this process cannot open more files, and a handle needs three. Close some, or raise its limit (ulimit -n)'
    : 'no netlink socket could be opened'],
  family: (_, code) => code === 'ENOENT'
    ? ['unavailable', 'this kernel has no IPVS, or has not loaded it. Load it: modprobe ip_vs (in a container, on its host)']
    : code === 'EPERM' ? ['permission', CAPABILITY] : ['unavailable', 'the kernel did not tell the netlink family of its IPVS'],
  permission: (_, code) => code === 'EPERM' ? ['permission', CAPABILITY] : ['unavailable', 'the kernel\'s IPVS does not answer'],
}

function placeOf({ netnsPath, netnsFd }: NativeOpenOptions): string {
  if (netnsFd !== undefined) return `descriptor ${netnsFd}`
  if (netnsPath === undefined) return 'the network namespace'
  const [, pid] = /^\/proc\/(\d+)\/ns\/net$/.exec(netnsPath) ?? []
  if (pid !== undefined) return `the network namespace of process ${pid}`
  const [, name] = /^\/run\/netns\/([^/]+)$/.exec(netnsPath) ?? []
  return name === undefined ? `network namespace ${netnsPath}` : `network namespace '${name}' (${netnsPath})`
}

/** The error of a handle that could not be opened. */
export function openError(failure: unknown, native: NativeOpenOptions, options: OpenOptions | undefined): unknown {
  const { step, errno, text } = failure as Partial<OpenFailure>
  if (step === undefined || errno === undefined) return failure
  const code = errnoName(errno)
  const [reason, words] = WORDS[step](placeOf(native), code)
  return new IpvsError(`${words} (${code})`, {
    errno,
    reason,
    text,
    outcome: 'not-sent',
    operation: options?.netns === undefined ? { type: 'open' } : { type: 'open', netns: options.netns },
  })
}
