/**
 * The whole surface of the native addon: where C++ and TypeScript meet.
 *
 * One verb, {@link NativeHandle.execute}: packed requests go in, a packed reply comes out. What the bytes mean is declared once, in C++, and handed
 * over as {@link Schema}. All integers are in the machine's byte order, ports and masks in host order; every record starts and ends at a
 * multiple of eight bytes.
 */

/** What the addon exports. */
export interface Addon {
  readonly schema: Schema
  /** Opens a handle without holding the calling thread. Rejects with an {@link OpenFailure}. */
  open(options: NativeOpenOptions): Promise<NativeHandle>
  /** Opens a handle and holds the calling thread meanwhile. Throws an {@link OpenFailure}. */
  openSync(options: NativeOpenOptions): NativeHandle
  /**
   * Moves the calling worker thread, and no other, into the network namespace of a descriptor, which stays the caller's. libuv's threads (`fs`, `dns.lookup`) stay
   * where they are. Throws on the main thread. Returns 0 or a negative errno.
   */
  enterNamespace(descriptor: number): number
  /**
   * Opens a socket that Node cannot open by itself: with a firewall mark (0 for none), bound to an interface ('' for none) or to an address of 4 or 16 bytes, or for ICMP.
   * Returns a descriptor, which is the caller's, or a negative errno.
   */
  openSocket(family: 4 | 6, type: 'stream' | 'datagram' | 'raw', protocol: number, mark: number, device: string, address?: Uint8Array): number
  /** Sends a datagram to port 0 of an address of 4 or 16 bytes. Returns a number of bytes, or a negative errno. */
  sendTo(descriptor: number, address: Uint8Array, bytes: Uint8Array): number
  /** Takes a datagram that is there. Returns a number of bytes, or a negative errno. */
  receiveFrom(descriptor: number, bytes: Uint8Array): number
  /** Closes what {@link openSocket} opened, where Node has not taken it over. (`fs` warns in worker threads of what it has not opened itself.) */
  closeSocket(descriptor: number): void
}

export interface NativeOpenOptions {
  /** Path of a file that stands for a network namespace. */
  netnsPath?: string
  /** Descriptor of a network namespace; stays the caller's. */
  netnsFd?: number
  /** Bytes asked for; without it the addon's own choice. */
  receiveBuffer?: number
  sendBuffer?: number
}

/** At what opening failed. */
export type OpenStep = 'netns-open' | 'netns-enter' | 'socket' | 'family' | 'permission'

export interface OpenFailure extends Error {
  step: OpenStep
  /** Negative. */
  errno: number
  /** The kernel's extended text, where it sent one. */
  text?: string
}

/** `null`: every request was carried out, and none answers with records. */
export type NativeReply = ArrayBuffer | null

/** One netlink socket in one network namespace, with a thread of its own that starts at the first `execute`. */
export interface NativeHandle {
  /**
   * Carries out the first `length` bytes, `count` requests, on the handle's own thread, first in first out. The bytes must stay as they are
   * until {@link onReply} is called with the answer. `batch` is the same for the parts of a batch, 0 for what is none: after a part of which
   * anything was lost or not sent, nothing of the later ones is sent. A reply that fits `space` is handed over in it: its header says how much of it is used.
   */
  execute(requests: Uint8Array, length: number, count: number, batch: number, space?: ArrayBuffer): void
  /** The same on the calling thread. Not while an `execute` is under way. */
  executeSync(requests: Uint8Array, length: number, count: number, batch: number, space?: ArrayBuffer): NativeReply
  /** Set by the user of the handle; called once for each `execute`, in order. */
  onReply?: (reply: NativeReply) => void
  /** Sizes of the socket's buffers in bytes, as the kernel reports them (twice what was asked for). */
  readonly receiveBuffer: number
  readonly sendBuffer: number
  /** How many requests fit one send so that the answers fit the receive buffer even if every one is refused. */
  readonly requestsPerSend: number
  /** Descriptor of the handle's network namespace, open until `close`. */
  readonly namespace: number
  /**
   * Opens a file as a thread inside the handle's network namespace does, for what /proc shows by namespace: without any capability where that is the calling
   * thread's own, otherwise with CAP_SYS_ADMIN. `flags` are those of open(2), in `fs.constants`.
   * Returns a descriptor, which is the caller's to close, or a negative errno.
   */
  openInNamespace(path: string, flags: number): number
  /** Closes the descriptors and ends the thread, after everything queued is answered. */
  close(): void
}

export type FieldType = 'u8' | 'u16' | 'u32' | 'i32' | 'u64' | 'bytes' | 'string'

export interface Field {
  /** Bytes from the start of the record. */
  offset: number
  type: FieldType
  /** Bytes. */
  length: number
  /** Which bit of `present` says that the field is there; -1 for `present` itself. */
  bit: number
}

export interface RecordLayout {
  /** Bytes of a record in a reply. */
  size: number
  /** Bytes of a record in a request: the leading part that can be written. */
  requestSize: number
  /** Bytes of the leading part that tells one record from another. */
  keySize: number
  fields: Record<string, Field>
}

export type RecordName = 'service' | 'destination' | 'daemon' | 'config' | 'info'

export type CommandName = 'newService' | 'setService' | 'delService' | 'getService' | 'newDest' | 'setDest' | 'delDest' | 'getDest'
  | 'newDaemon' | 'delDaemon' | 'getDaemon' | 'setConfig' | 'getConfig' | 'getInfo' | 'zero' | 'flush'

export interface RequestLayout {
  headerSize: number
  /** `size`: of the whole request; `flags`: {@link dump} or 0. */
  header: Record<'size' | 'command' | 'flags' | 'reserved', Member>
  /** The flag of a request that is a dump. */
  dump: number
}

export interface ReplyLayout {
  headerSize: number
  entrySize: number
  /** `total`: bytes of the reply, where its place is larger. */
  header: Record<'requestCount' | 'recordsOffset' | 'textsOffset' | 'total', Member>
  /**
   * `outcome`: one of {@link outcomes}, or a negative errno. `recordsOffset`: where the records begin; of what was lost or not sent, the errno of the cause.
   * `text`: where the kernel's text begins, 0 for none.
   */
  entry: Record<'outcome' | 'recordCount' | 'recordsOffset' | 'text', Member>
  outcomes: Record<'done' | 'unknown' | 'notSent', number>
}

/** A number in a header, or in an entry of a reply. */
export interface Member {
  /** Bytes from the start of the header or entry. */
  offset: number
  type: FieldType
}

/** Where things are in packed requests and replies. */
export interface Schema {
  commands: Record<CommandName, number>
  records: Record<RecordName, RecordLayout>
  /**
   * A request: its header, then the records of the command: a service (`newService`, `setService`),
   * its key (`delService`, `getService`, `zero`, `getDest`), a service's key and a destination (`newDest`, `setDest`, `delDest`), a daemon, a config, or nothing.
   */
  request: RequestLayout
  /** A reply: header, one entry for each request, records, texts. Its size is a multiple of eight. */
  reply: ReplyLayout
}
