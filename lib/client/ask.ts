import { takeBuffer } from '../wire/buffers.js'
import type { Requests } from '../wire/pack/requests.js'
import type { Reply } from '../wire/unpack/reply.js'
import type { Piece } from './piece.js'
import type { Lane, Queue } from './queue.js'

/** Sends requests and returns their answer. */
export type Ask = (pack: (requests: Requests) => void, space?: ArrayBuffer) => Promise<Reply>

/**
 * Keeps a place in the order of a handle's operations while something is read in several steps. If a getter of an argument calls this, there is
 * no place, and the queue is left again: or the handle could never close.
 *
 * @param failure what is wrong with an answer, if anything is
 */
export function reading(queue: Queue, failure: (reply: Reply, requests: Requests) => Error | undefined): { ask: Ask, leave: () => void } {
  const leave = queue.enter()
  let lane: Lane
  try {
    lane = queue.lane()
  } catch (error) {
    leave()
    throw error
  }
  return {
    ask(pack, space) {
      const requests = takeBuffer()
      pack(requests)
      return new Promise((resolve, reject) => {
        const piece: Piece = {
          requests,
          sealed: true,
          space,
          receive(reply) {
            const error = failure(reply!, piece.requests)
            if (error === undefined) resolve(reply!)
            else reject(error)
          },
          fail: reject,
        }
        lane.push(piece)
      })
    },
    leave() {
      lane.close()
      leave()
    },
  }
}
