import { integer, object, string } from '../arguments/validate.js'
import type { Check } from '../configuration/types.js'
import { checkOfTarget } from '../configuration/validate.js'
import { addressFamily } from '../model/address.js'
import { invalidValue } from '../model/errors.js'
import { PORT } from '../model/limits.js'
import type { Outcome, WeightWord } from './answer.js'
import { Engine } from './engine.js'
import { paceOf, prepare, type Target } from './prepare.js'
import { Run } from './run.js'

/** What one check of one target found. */
export interface CheckAnswer {
  /** 'good', 'bad', or 'untried' where the question could not be asked: no descriptor, no route, no permission. */
  outcome: Outcome
  /** What was asked: 'GET /service.txt'. */
  check: string
  /** What was found: 'GET /service.txt answered 503'. */
  words: string
  /** Seconds that it took. */
  duration: number
  /** What a good answer says about the weight: 'set' it, or 'add' to the configured one. */
  weight?: WeightWord
}

/**
 * Checks a target once, from the network namespace of the calling thread.
 *
 * A bad answer does not reject: it is in the result. Options about how often a check runs and how many answers decide (`interval`,
 * `failures`, …) have no meaning here.
 *
 * @throws ArgumentError naming the field of the target, or of the check, that is wrong; the signal's reason
 *
 * @example
 * ```js
 * import { check } from 'ipvs/director'
 *
 * const { outcome, words } = await check({ address: '192.0.2.1', port: 80 }, { type: 'http', urls: [{ path: '/' }] })
 * console.log(outcome, words)
 * ```
 */
export async function check(target: Target, check: Check, { signal }: { signal?: AbortSignal } = {}): Promise<CheckAnswer> {
  const { address, port } = object(target, 'target')
  if (addressFamily(string(address, 'target.address')) === 0) throw invalidValue('target.address', 'an IPv4 or IPv6 address', address)
  const to: Target = { address: target.address, port: integer(port, 'target.port', PORT) }
  const probe = prepare(to, checkOfTarget(check, to))
  signal?.throwIfAborted()
  return new Promise((resolve, reject) => {
    const finish = (): void => {
      engine.close()
      signal?.removeEventListener('abort', abort)
    }
    const abort = (): void => {
      finish()
      reject(signal!.reason as Error)
    }
    const engine: Engine = new Engine({ socket: 1, program: 1 }, () => undefined)
    const answered: Engine['answered'] = (_, { outcome, words, weight }, __, attempt) => {
      finish()
      resolve({ outcome, check: probe.what, words, duration: attempt.took / 1_000, ...(weight === undefined ? {} : { weight }) })
    }
    signal?.addEventListener('abort', abort)
    engine.ask(new Run('', probe, paceOf(check), { answered }))
  })
}
