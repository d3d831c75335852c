import { errnoName } from '../model/errors.js'
import { addon } from '../wire/load.js'

const ADVICE: Readonly<Record<string, string>> = {
  EPERM: 'that needs root, or CAP_SYS_ADMIN over the namespace',
  EINVAL: 'the descriptor is not one of a network namespace',
  EBADF: 'the descriptor is not open',
}

/**
 * Moves the calling worker thread, and no other, into a network namespace: sockets that it opens and programs that it starts from then on
 * are there. The threads that `fs` and `dns.lookup` use stay where they were.
 *
 * @param descriptor Of the namespace. The caller keeps it, and may close it afterwards.
 * @throws Error on the main thread, and where the kernel refuses (`code`, `errno`)
 */
export function enterNamespace(descriptor: number): void {
  const errno = addon.enterNamespace(descriptor)
  if (errno === 0) return
  const code = errnoName(errno)
  throw Object.assign(new Error(`the network namespace could not be entered: ${ADVICE[code] ?? 'the kernel refuses'} (${code})`), { code, errno })
}
