import type { Machine } from './machine.js'

/** A TCP handshake that waits for its last packet on this machine: a line of /proc/net/tcp. */
export interface Handshake {
  local: string
  client: string
  /** How often it was answered again. */
  repeated: number
  /** Milliseconds until it is answered again. */
  nextIn: number
}

/** What the rows for a real server look at. */
export interface ServerSight {
  machine: Machine
  /** The virtual addresses: those that were given, or that look like one. */
  vips: readonly string[]
  /** Whether they were given. */
  given: boolean
  /** Handshakes that were answered once more between the looks, in vain. */
  handshakes: readonly Handshake[]
}
