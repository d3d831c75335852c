import { constants } from 'node:os'
import { IpvsError } from '../model/errors.js'
import type { Requests } from '../wire/pack/requests.js'
import type { Request } from '../model/types.js'
import { DONE, NOT_SENT, UNKNOWN, type Reply } from '../wire/unpack/reply.js'
import { refusalWords, systemWords } from './refusal-words.js'

const { ENOBUFS, EMSGSIZE } = constants.errno

const ADVICE = 'Open the handle with a larger receiveBuffer, or raise net.core.rmem_max'

/** Why an answer was lost. */
const lostBecause = (errno: number): string => errno === -ENOBUFS || errno === -EMSGSIZE
  ? `because the receive buffer overflowed; it may or may not have been carried out. Read back what is in force. ${ADVICE}`
  : `to an error of the socket, ${systemWords(errno)}; it may or may not have been carried out. Read back what is in force`

/** Why a request was not sent. The reason can be that a request before it could not be sent. */
function notSentBecause(errno: number): string {
  switch (errno) {
    case -ENOBUFS: return `because the receive buffer overflowed before its turn. ${ADVICE}`
    case -EMSGSIZE: return 'because the socket\'s send buffer is too small for it, or for one before it. '
      + 'Open the handle with a larger sendBuffer, or raise net.core.wmem_max'
    default: return `because the socket does not take it, or one before it: ${systemWords(errno)}`
  }
}

/**
 * The error of a request that was not carried out; `undefined` if it was.
 *
 * @param requests what was sent
 * @param index number of the request in it
 * @param describe makes the operation that the error has; called only if there is an error
 */
export function failureOf(
  reply: Reply, requests: Requests, index: number, type: Request['type'], describe: () => Request,
): IpvsError | undefined {
  const outcome = reply.outcome(index)
  if (outcome === DONE) return undefined
  if (outcome === UNKNOWN) {
    const errno = reply.cause(index)
    const words = `${type}: the kernel's answer was lost ${lostBecause(errno)}`
    return new IpvsError(words, { errno, operation: describe(), outcome: 'unknown' })
  }
  if (outcome === NOT_SENT) {
    const errno = reply.cause(index)
    return new IpvsError(`${type}: not sent, ${notSentBecause(errno)}`, { errno, operation: describe(), outcome: 'not-sent' })
  }
  const words = refusalWords(type, outcome, requests, requests.recordsOf(index))
  return new IpvsError(words, { errno: outcome, operation: describe(), text: reply.text(index) })
}
