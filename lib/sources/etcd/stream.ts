import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { EtcdError } from './error.js'
import { begin, connectionError, refusalIn, type Place, type SendOptions } from './gateway.js'
import type { KeyRange } from './keys.js'
import type { WatchAnswer } from './messages.js'

/** Questions without an answer after which an endpoint counts as away. */
const MISSED = 3

export interface StreamOptions extends SendOptions {
  /** Seconds until the first answer must be there. */
  timeout: number
  /** Seconds between two questions whether the endpoint is still there. */
  heartbeat: number
}

/** Cuts a stream of text into its lines. */
async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  let begun: string[] = []
  response.setEncoding('utf8')
  for await (const chunk of response) {
    const [first, ...rest] = (chunk as string).split('\n')
    begun.push(first)
    for (const next of rest) {
      yield begun.join('')
      begun = [next]
    }
  }
}

/**
 * Watches a range of keys at one endpoint, for as long as it answers. Every event from `revision` on comes exactly once and in order, each
 * revision whole.
 *
 * A process that stands still keeps its connections open, so silence says nothing by itself. The stream asks every `heartbeat` seconds, and
 * gives up when the last three questions have no answer. It counts questions, not time: a program that was itself late has not waited for
 * an answer. What the caller has not taken yet is no silence either.
 *
 * @throws EtcdError when the endpoint ends the stream, falls silent or refuses
 */
export async function* watchStream(
  place: Place, range: KeyRange, revision: number, { timeout, heartbeat, ...options }: StreamOptions,
): AsyncGenerator<WatchAnswer, never> {
  const { endpoint } = place
  const request = begin(place, 'watch', options, true)
  let reason: EtcdError | undefined
  const giveUp = (words: string): void => {
    reason ??= new EtcdError(endpoint, words)
    request.destroy()
  }
  // Errors that come when nobody waits any more are not news.
  request.on('error', () => {})
  const first = setTimeout(() => giveUp(`did not answer within ${timeout} s`), timeout * 1000)
  let beats: NodeJS.Timeout | undefined
  try {
    const answered = once(request, 'response') as Promise<[IncomingMessage]>
    request.write(`${JSON.stringify({ create_request: { ...range, start_revision: String(revision), progress_notify: true } })}\n`)
    const [response] = await answered
    const { socket } = response
    let heard = 0
    let unanswered = 0
    let isTaken = true
    beats = setInterval(() => {
      if (!isTaken || socket.bytesRead > heard) unanswered = 0
      heard = socket.bytesRead
      if (unanswered++ < MISSED) request.write('{"progress_request":{}}\n')
      else giveUp(`has left ${MISSED} questions unanswered, one every ${heartbeat} s`)
    }, heartbeat * 1000)
    for await (const line of linesOf(response)) {
      clearTimeout(first)
      if (line === '') continue
      const answer = JSON.parse(line) as { result?: WatchAnswer }
      const refusal = refusalIn(answer, endpoint)
      if (refusal !== undefined) throw refusal
      if (answer.result === undefined) continue
      isTaken = false
      yield answer.result
      isTaken = true
    }
    throw new EtcdError(endpoint, 'ended the watch')
  } catch (error) {
    options.signal?.throwIfAborted()
    throw reason ?? connectionError(error, endpoint)
  } finally {
    clearTimeout(first)
    clearInterval(beats)
    request.destroy()
  }
}
