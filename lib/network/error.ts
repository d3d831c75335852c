import { errnoName } from '../model/errors.js'

/** The kernel's refusal of a question about the network: `code` ('EPERM') and `errno` (negative) as in `node:fs`. */
export function networkError(what: string, errno: number): Error {
  const code = errnoName(errno)
  return Object.assign(new Error(`${what} could not be read: the kernel refuses (${code})`), { code, errno })
}
