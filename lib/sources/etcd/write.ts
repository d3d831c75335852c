import { hostname } from 'node:os'
import { isDeepStrictEqual } from 'node:util'
import type { DirectedService } from '../../configuration/index.js'
import { canonicalAddress } from '../../model/address.js'
import { hasMark, serviceWords } from '../../model/keys.js'
import type { EtcdClient } from './client.js'
import { HEAD, headText, readHead, type Head } from './head.js'
import { decoded, encoded, keysBelow, servicesBelow, subjectOf } from './keys.js'
import { listPages } from './list.js'
import { revisionOf } from './messages.js'

/** Operations of a transaction, and bytes of keys and values, that etcd takes with its defaults. */
const MOST = { keys: 128, bytes: 1_000_000 }

/** A service in etcd, by its name. */
export interface StoredService {
  name: string
  /** As it was written; `undefined` where that is no JSON. */
  value: unknown
  /** Revision in which it was written last. */
  revision: number
}

/** A key that is to become another. */
export interface ServiceChange {
  name: string
  before?: StoredService
  after?: DirectedService
}

/** What has to be written so that a prefix says what a configuration says. */
export interface WritePlan {
  changes: ServiceChange[]
  /** Services that are as they should be. */
  unchanged: number
  /** Somebody has begun to write, and has not ended. */
  unfinished?: Head
  /** Revision of the head; 0 where there is none. */
  headRevision: number
}

/** What tells services apart, whatever spelling they have; `undefined` for what is no service. */
function identityOf(value: unknown): string | undefined {
  const { address, fwmark } = (value ?? {}) as { address?: unknown, fwmark?: unknown }
  if (fwmark !== undefined) return serviceWords(value as DirectedService)
  if (typeof address !== 'string') return undefined
  const canonical = canonicalAddress(address)
  return canonical === undefined ? undefined : serviceWords({ ...(value as DirectedService & { address: string }), address: canonical })
}

/** The name of a service that nobody has named: 'tcp-192.0.2.1-80', 'fwmark-7-ipv4'. */
const nameOf = (service: DirectedService): string => hasMark(service)
  ? `fwmark-${service.fwmark}-ipv${service.family}`
  : `${service.protocol}-${canonicalAddress(service.address)}-${service.port}`

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * Compares a prefix with services. A service keeps the name that it has in etcd. Servers that have registered themselves are left alone.
 */
export async function planWrite(client: EtcdClient, prefix: string, services: readonly DirectedService[]): Promise<WritePlan> {
  const below = servicesBelow(prefix)
  const stored = new Map<string, StoredService>()
  const names = new Map<string, string>()
  let head: Head | undefined
  let headRevision = 0
  for await (const { keys } of listPages(client, keysBelow(below))) {
    for (const { key, value = '', mod_revision: modified } of keys) {
      const name = decoded(key).slice(below.length)
      const revision = revisionOf(modified)
      if (name === HEAD) {
        head = readHead(Buffer.from(value, 'base64'))
        headRevision = revision
        continue
      }
      const subject = subjectOf(name)
      if (subject === undefined || subject.id !== undefined) continue
      const one = { name, value: parsed(decoded(value)), revision }
      stored.set(name, one)
      const identity = identityOf(one.value)
      if (identity !== undefined && !names.has(identity)) names.set(identity, name)
    }
  }
  const changes: ServiceChange[] = []
  const kept = new Set<string>()
  for (const after of services) {
    const name = names.get(identityOf(after)!) ?? nameOf(after)
    kept.add(name)
    const before = stored.get(name)
    // As it comes back from JSON.
    if (!isDeepStrictEqual(before?.value, JSON.parse(JSON.stringify(after)))) changes.push({ name, before, after })
  }
  for (const [name, before] of stored) if (!kept.has(name)) changes.push({ name, before })
  return {
    changes, unchanged: kept.size - changes.filter(({ after }) => after !== undefined).length, headRevision,
    ...head?.state === 'writing' && { unfinished: head },
  }
}

interface Guard { key: string, target: 'MOD', result: 'EQUAL', mod_revision: string }

type Request = { request_put: { key: string, value: string } } | { request_delete_range: { key: string } }

interface Transaction {
  compare: Guard[]
  success: Request[]
}

const guard = (key: string, revision: number): Guard => ({ key: encoded(key), target: 'MOD', result: 'EQUAL', mod_revision: String(revision) })

const bytesOf = ({ name, after }: ServiceChange, below: string): number =>
  2 * Buffer.byteLength(below + name) + (after === undefined ? 0 : Buffer.byteLength(JSON.stringify(after))) + 100

/** Cuts changes into transactions. */
function parts(changes: readonly ServiceChange[], below: string, most: number): ServiceChange[][] {
  const found: ServiceChange[][] = []
  let bytes = Infinity
  for (const change of changes) {
    const more = bytesOf(change, below)
    if (bytes + more > MOST.bytes || found[found.length - 1].length === most) {
      found.push([])
      bytes = 0
    }
    found[found.length - 1].push(change)
    bytes += more
  }
  return found
}

function transactionOf(changes: readonly ServiceChange[], below: string): Transaction {
  return {
    compare: changes.map(({ name, before }) => guard(below + name, before?.revision ?? 0)),
    success: changes.map(({ name, after }): Request => {
      const key = encoded(below + name)
      return after === undefined ? { request_delete_range: { key } } : { request_put: { key, value: encoded(JSON.stringify(after)) } }
    }),
  }
}

/** How many transactions a plan takes: one, where that is enough. */
export const transactionsOf = ({ changes, unfinished }: WritePlan, prefix: string): number => {
  const below = servicesBelow(prefix)
  const whole = parts(changes, below, MOST.keys)
  return whole.length <= 1 && unfinished === undefined ? whole.length : parts(changes, below, MOST.keys - 1).length + 2
}

/**
 * Writes what a plan says. What fits is one transaction. More is several, between two values of the head: followers act when the last one
 * is there. Nothing is overwritten that has changed since the plan was made.
 *
 * @returns the revision, or `undefined` where somebody else has changed something meanwhile
 */
export async function write(client: EtcdClient, prefix: string, plan: WritePlan): Promise<number | undefined> {
  const below = servicesBelow(prefix)
  const send = async (transaction: Transaction): Promise<number | undefined> => {
    const { succeeded, header } = await client.call<{ succeeded?: boolean, header: { revision: string } }>('kv/txn', transaction)
    return succeeded === true ? revisionOf(header.revision) : undefined
  }
  const { changes } = plan
  if (transactionsOf(plan, prefix) <= 1) return changes.length === 0 ? undefined : send(transactionOf(changes, below))
  const key = below + HEAD
  const putHead = (state: Head['state']): Request =>
    ({ request_put: { key: encoded(key), value: encoded(headText({ state, by: hostname(), since, ...base !== undefined && { base } })) } })
  const since = new Date().toISOString()
  const { unfinished } = plan
  const base = unfinished === undefined ? undefined : unfinished.base ?? plan.headRevision - 1
  const begun = await send({ compare: [guard(key, plan.headRevision)], success: [putHead('writing')] })
  if (begun === undefined) return undefined
  for (const part of parts(changes, below, MOST.keys - 1)) {
    const { compare, success } = transactionOf(part, below)
    if (await send({ compare: [...compare, guard(key, begun)], success }) === undefined) return undefined
  }
  return send({ compare: [guard(key, begun)], success: [putHead('written')] })
}
