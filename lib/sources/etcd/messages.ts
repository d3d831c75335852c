/**
 * What etcd's gateway answers. Keys and values are base64. Numbers of 64 bits are text. Properties with gRPC's default value (0, false,
 * empty) are left out.
 */

export interface Header {
  cluster_id: string
  /** Left out by some answers, such as that a watched revision is no longer kept. */
  revision?: string
}

export interface KeyValue {
  key: string
  value?: string
  mod_revision: string
  lease?: string
}

export interface RangeAnswer {
  header: Header
  kvs?: KeyValue[]
  /** Whether there are more keys than were asked for. */
  more?: boolean
}

export interface WatchEvent {
  /** Left out for PUT. */
  type?: 'DELETE'
  kv: KeyValue
}

export interface WatchAnswer {
  header: Header
  created?: boolean
  canceled?: boolean
  cancel_reason?: string
  /** The oldest revision that is kept, where the watched one is older. */
  compact_revision?: string
  events?: WatchEvent[]
}

/** Revisions count transactions. etcd would have to run for millennia to count further than a double does. */
export const revisionOf = (text: string | undefined): number => Number(text ?? 0)
