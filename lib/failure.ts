import { constants } from 'node:os'
import { IpvsError } from './errors.js'
import type { Requests } from './pack/requests.js'
import type { Request } from './types.js'
import { DONE, NOT_SENT, UNKNOWN, type Reply } from './unpack/reply.js'
import { refusalWords } from './words.js'

const ENOBUFS = -constants.errno.ENOBUFS

const ADVICE = 'Open the handle with a larger receiveBuffer, or raise net.core.rmem_max'

/**
 * The error of a request that was not carried out, or `undefined`.
 *
 * @param requests what was sent
 * @param index number of the request in it
 * @param describe makes what was asked, for the error; called only if there is one
 */
export function failureOf(reply: Reply, requests: Requests, index: number, type: Request['type'], describe: () => Request): IpvsError | undefined {
  const outcome = reply.outcome(index)
  if (outcome === DONE) return undefined
  if (outcome === UNKNOWN) {
    return new IpvsError(`${type}: the kernel's answer was lost because the receive buffer overflowed; it may or may not have been carried out. Read back what is in force. ${ADVICE}`,
      { errno: ENOBUFS, operation: describe(), outcome: 'unknown' })
  }
  if (outcome === NOT_SENT) {
    return new IpvsError(`${type}: not sent, because the receive buffer overflowed before its turn. ${ADVICE}`,
      { errno: ENOBUFS, operation: describe(), outcome: 'not-sent' })
  }
  return new IpvsError(refusalWords(type, outcome, requests, requests.recordsOf(index)), { errno: outcome, operation: describe(), text: reply.text(index) })
}
