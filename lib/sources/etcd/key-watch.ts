import type { EtcdClient } from './client.js'
import { isCompacted } from './error.js'
import { decoded, keysBelow } from './keys.js'
import { listPages } from './list.js'
import type { KeyValue } from './messages.js'
import { waitToRetry } from './retry.js'

/** News of keys that are watched. */
export type KeyNews =
  /** All values by their keys, without what all keys begin with: at the start, and after each change. The map is always the same one. */
  | { kind: 'values', values: ReadonlyMap<string, string> }
  /** etcd cannot be read: each time that it is lost. */
  | { kind: 'away', error: Error }

/**
 * Watches all keys that begin with a text, for as long as its reader reads. Whenever etcd was away, all of them are listed anew: this is
 * for keys of which there are few, such as one for each director.
 */
export async function* watchKeys(client: EtcdClient, below: string, signal: AbortSignal): AsyncGenerator<KeyNews, void> {
  const range = keysBelow(below)
  const values = new Map<string, string>()
  const take = ({ key, value = '' }: KeyValue): unknown => values.set(decoded(key).slice(below.length), decoded(value))
  let failures = 0
  while (!signal.aborted) {
    const { endpoint } = client
    try {
      values.clear()
      let revision = 0
      for await (const page of listPages(client, range, signal)) {
        revision = page.revision
        page.keys.forEach(take)
      }
      let isTold = false
      for await (const { created, events = [], compact_revision: compacted } of client.watch(range, revision + 1, signal)) {
        failures = 0
        if (compacted !== undefined) break
        for (const { type, kv } of events) {
          if (type === 'DELETE') values.delete(decoded(kv.key).slice(below.length))
          else take(kv)
        }
        if (events.length > 0 || created === true && !isTold) yield { kind: 'values', values }
        isTold = true
      }
    } catch (error) {
      if (signal.aborted) return
      if (isCompacted(error)) continue
      if (failures === 0) yield { kind: 'away', error: error as Error }
      client.moveOn(endpoint)
      await waitToRetry(failures++, signal)
    }
  }
}
