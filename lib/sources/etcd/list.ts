import type { EtcdClient } from './client.js'
import { keyAfter, type KeyRange } from './keys.js'
import { revisionOf, type Header, type KeyValue, type RangeAnswer } from './messages.js'

/** Keys on a page. A page is parsed in one go, and 500 services are some hundred kilobytes. */
const PAGE = 500

/** A part of a range of keys, as it was at one revision. */
export interface Page {
  keys: KeyValue[]
  revision: number
  cluster: string
}

/**
 * Lists a range of keys in pages, all at one revision. By default it is the newest; the cluster has agreed on it.
 *
 * @throws EtcdError where the revision is no longer kept
 */
export async function* listPages(client: EtcdClient, range: KeyRange, signal?: AbortSignal, revision?: number): AsyncGenerator<Page> {
  let at: Header | undefined
  for (let { key } = range; ;) {
    const body = { ...range, key, limit: String(PAGE), revision: at?.revision ?? String(revision ?? 0) }
    const { header, kvs = [], more } = await client.call<RangeAnswer>('kv/range', body, signal)
    at ??= revision === undefined ? header : { ...header, revision: String(revision) }
    yield { keys: kvs, revision: revisionOf(at.revision), cluster: at.cluster_id }
    if (more !== true || kvs.length === 0) return
    key = keyAfter(kvs[kvs.length - 1].key)
  }
}

/** The newest revision that the cluster has agreed on. */
export async function newestRevision(client: EtcdClient, range: KeyRange, signal?: AbortSignal): Promise<number> {
  const { header } = await client.call<RangeAnswer>('kv/range', { ...range, count_only: true }, signal)
  return revisionOf(header.revision)
}
