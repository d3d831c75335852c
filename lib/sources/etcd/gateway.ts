import { request as plainRequest, type Agent, type ClientRequest, type IncomingMessage } from 'node:http'
import { request as secureRequest } from 'node:https'
import { EtcdError, GRPC } from './error.js'

/** Where a request goes, and how. */
export interface Place {
  /** 'https://10.0.0.1:2379' */
  endpoint: string
  agent: Agent
}

export interface SendOptions {
  /** Token of a user who has authenticated. */
  token?: string
  signal?: AbortSignal
}

/**
 * Begins a request. The caller writes its body and ends it.
 *
 * @param isStream whether the answer begins before the body has ended
 */
export function begin({ endpoint, agent }: Place, path: string, { token, signal }: SendOptions, isStream = false): ClientRequest {
  const headers = {
    'content-type': 'application/json',
    // Go's server answers only after the whole request, unless the connection ends with it: a stream would wait for ever.
    ...isStream && { connection: 'close' },
    // A member that is cut off from the leader ends what it streams, instead of being silent about what it does not know.
    'grpc-metadata-hasleader': 'true',
    ...token !== undefined && { authorization: token },
  }
  const request = endpoint.startsWith('https:') ? secureRequest : plainRequest
  return request(new URL(`/v3/${path}`, endpoint), { method: 'POST', agent, headers, signal })
}

/** The answer of a gateway that refuses: `error` or `message` is what etcd says, `code` is gRPC's. */
interface Refusal {
  error?: string | { message?: string, grpc_code?: number, http_status?: string }
  message?: string
  code?: number
}

/** The error that an answer stands for, `undefined` if it is none. */
export function refusalIn(answer: unknown, endpoint: string): EtcdError | undefined {
  if (typeof answer !== 'object' || answer === null) return new EtcdError(endpoint, 'answered with something that is not etcd\'s')
  const { error, message, code } = answer as Refusal
  if (error === undefined && code === undefined) return undefined
  const inside = typeof error === 'object'
  const words = (inside ? error.message : message ?? error) ?? 'refused without a reason'
  return new EtcdError(endpoint, words, { grpc: (inside ? error.grpc_code : code) ?? GRPC.unavailable })
}

/** What Node says about a connection that failed, as an error of the endpoint. */
export function connectionError(error: unknown, endpoint: string): EtcdError {
  if (error instanceof EtcdError) return error
  // With several addresses of a name Node has an error without words that contains theirs.
  const { errors = [error] } = error as { errors?: unknown[] }
  return new EtcdError(endpoint, errors.map((one) => (one as Error).message).join(', '), { cause: error })
}

async function textOf(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of response) parts.push(part as Buffer)
  return Buffer.concat(parts).toString()
}

/** Characters that an error says of an answer that is not etcd's. */
const LONGEST = 200

function parsed(text: string, status: number | undefined, endpoint: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    const [line] = text.trim().split('\n')
    const words = line === '' ? 'nothing' : `'${line.slice(0, LONGEST)}'`
    // The gateway cannot be that user, and etcd refuses the request rather than carry it out as another.
    const advice = line.startsWith('CommonName') ? 'take a client\'s certificate without a common name, and a user with a password' : 'is this an address for clients of etcd?'
    throw new EtcdError(endpoint, `answered with status ${status} and ${words} in the place of JSON: ${advice}`, { cause })
  }
}

/**
 * Sends one request and returns the answer to it.
 *
 * @param timeout seconds until the whole answer must be there
 * @throws EtcdError if the endpoint refuses, or cannot be reached
 */
export async function ask<Answer>(
  place: Place, path: string, body: object, timeout: number, options: SendOptions = {},
): Promise<Answer> {
  const { endpoint } = place
  const request = begin(place, path, options)
  let late = false
  const timer = setTimeout(() => {
    late = true
    request.destroy()
  }, timeout * 1000)
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve).on('error', reject)
      request.end(JSON.stringify(body))
    })
    const answer = parsed(await textOf(response), response.statusCode, endpoint)
    const refusal = refusalIn(answer, endpoint)
    if (refusal !== undefined) throw refusal
    return answer as Answer
  } catch (error) {
    options.signal?.throwIfAborted()
    throw late ? new EtcdError(endpoint, `did not answer within ${timeout} s`, { cause: error }) : connectionError(error, endpoint)
  } finally {
    clearTimeout(timer)
  }
}
