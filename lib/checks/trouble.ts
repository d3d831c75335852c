import { getSystemErrorMap } from 'node:util'
import { bad, untried, type Answer } from './answer.js'

/** Errors of sockets, in words that follow what was tried: 'the connection was refused'. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'was refused',
  ECONNRESET: 'was reset',
  EPIPE: 'was closed by the other side',
  EHOSTUNREACH: 'failed: the host is unreachable',
  ENETUNREACH: 'failed: the network is unreachable',
  EHOSTDOWN: 'failed: the host is down',
  ETIMEDOUT: 'was given up by the kernel: nothing came back',
  EACCES: 'failed: it is administratively prohibited',
  ENOPROTOOPT: 'failed: the protocol is unavailable there',
}

/** What this machine lacks when a question cannot be asked. */
const LACKING: Readonly<Record<string, string>> = {
  EMFILE: 'this process has no descriptor left (ulimit -n)',
  ENFILE: 'the system has no descriptor left (fs.file-max)',
  ENOBUFS: 'the kernel has no memory for it',
  ENOMEM: 'there is no memory for it',
  EAGAIN: 'the system has no resource left for it',
  EADDRNOTAVAIL: 'there is no local address or port for it',
  EADDRINUSE: 'the local address and port are in use',
  EAFNOSUPPORT: 'this kernel does not have the address family',
  EPERM: 'it is not permitted here (a firewall of this machine, or a missing capability)',
  EACCES: 'it is not permitted here (a firewall or a route of this machine, or a missing capability)',
  ENETUNREACH: 'there is no route',
  EHOSTUNREACH: 'the route of this machine says that it is unreachable',
  ENETDOWN: 'the interface is down',
  ENODEV: 'the interface is gone',
  EINVAL: 'the kernel does not take the address: a link-local one needs its interface (fe80::1%eth0)',
}

type SystemError = Error & { code?: string, errno?: number }

/** The kernel's name and text of an error: 'no such file or directory (ENOENT)'. */
export function systemWords(error: unknown): string {
  const { code, errno, message } = error as SystemError
  if (code === undefined) return message
  const text = errno === undefined ? undefined : getSystemErrorMap().get(errno)?.[1]
  return text === undefined ? `${message} (${code})` : `${text} (${code})`
}

/** A failure after something had begun: caused by the other side, or by the network. */
export function failed(what: string, error: unknown): Answer {
  const words = WORDS[(error as SystemError).code ?? '']
  return bad(words === undefined ? `${what} failed: ${systemWords(error)}` : `${what} ${words}`)
}

/** A failure to begin: caused by this machine. */
export function notBegun(what: string, error: unknown): Answer {
  const { code = '' } = error as SystemError
  const words = LACKING[code]
  return untried(`${what} could not be tried: ${words === undefined ? systemWords(error) : `${words} (${code})`}`)
}
