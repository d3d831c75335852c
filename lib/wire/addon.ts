/**
 * The native addon's whole interface: where C++ and TypeScript meet.
 *
 * {@link NativeHandle.execute} takes packed requests and gives a packed reply. The layout of both is declared once, in C++, and exported as
 * {@link Schema}. All integers, including ports and masks, are in host byte order. Every record starts and ends at a multiple of eight
 * bytes.
 */

/** What the addon exports. */
export interface Addon {
  readonly schema: Schema
  /** Opens a handle without blocking the calling thread. Rejects with an {@link OpenFailure}. */
  open(options: NativeOpenOptions): Promise<NativeHandle>
  /** Opens a handle and blocks the calling thread meanwhile. Throws an {@link OpenFailure}. */
  openSync(options: NativeOpenOptions): NativeHandle
  /**
   * Opens a channel for a protocol of netlink(7) (0: NETLINK_ROUTE) that listens to multicast groups. `receiveBuffer` is in bytes, 0 for
   * the system's default. `netns` is the path or the descriptor of a network namespace. Blocks the calling thread while it enters that
   * namespace. Throws an {@link OpenFailure}.
   */
  openChannel(protocol: number, groups: Uint32Array, receiveBuffer: number, netns?: string | number): NativeChannel
  /**
   * Opens a packet socket for ARP frames, or for neighbour solicitations of IPv6 and their answers, with their Ethernet headers, on the
   * interface with this index. `namespace` is the descriptor of the interface's network namespace. The socket is non-blocking, and works
   * with `fs.readSync` and `fs.writeSync`. Returns a descriptor, which the caller closes with {@link closeDescriptor}, or a negative errno
   * (EPERM without CAP_NET_RAW).
   */
  openNeighbourSocket(namespace: number, index: number, ipv6: boolean): number
  /** Makes a named pipe with these permissions. Returns 0, or a negative errno (EEXIST if the path exists already). */
  makeFifo(path: string, mode: number): number
  /**
   * Moves only the calling worker thread into the network namespace of a descriptor. The caller keeps the descriptor. libuv's threads
   * (`fs`, `dns.lookup`) stay where they are. Throws on the main thread. Returns 0 or a negative errno.
   */
  enterNamespace(descriptor: number): number
  /**
   * Opens a socket of a kind that Node cannot open itself: with a firewall mark (0 for none), bound to an interface ('' for none) or to an
   * address of 4 or 16 bytes, or for ICMP. Returns a descriptor, which the caller owns, or a negative errno.
   */
  openSocket(
    family: 4 | 6, type: 'stream' | 'datagram' | 'raw', protocol: number, mark: number, device: string, address?: Uint8Array,
  ): number
  /** Sends a datagram to port 0 of an address of 4 or 16 bytes. Returns the number of bytes sent, or a negative errno. */
  sendTo(descriptor: number, address: Uint8Array, bytes: Uint8Array): number
  /** Receives a datagram without waiting. Returns the number of bytes received, or a negative errno. */
  receiveFrom(descriptor: number, bytes: Uint8Array): number
  /**
   * Closes a descriptor that the addon opened and Node has not taken over: a socket from {@link openSocket}, or a file from {@link
   * NativeHandle.openInNamespace}. (`fs.close` warns in worker threads about descriptors that `fs` did not open.)
   */
  closeDescriptor(descriptor: number): void
}

export interface NativeOpenOptions {
  /** Path of a network namespace's file. */
  netnsPath?: string
  /** Descriptor of a network namespace. The caller keeps it. */
  netnsFd?: number
  /** Requested size in bytes; the addon chooses if it is left out. */
  receiveBuffer?: number
  sendBuffer?: number
}

/** A netlink socket with a thread of its own that sends and listens. */
export interface NativeChannel {
  /** Sends messages as one datagram. The bytes are copied. */
  send(messages: Uint8Array): void
  /**
   * Set by the channel's user. Called with the netlink messages that have arrived, one after another, and with the error that occurred
   * before them: 0 for none, -ENOBUFS if messages were lost, or the negative errno of a send or receive that failed.
   */
  onMessages?: (messages: ArrayBuffer, errno: number) => void
  /** Whether the channel keeps the event loop alive; off at first. A channel that is not held can be garbage-collected. */
  hold(on: boolean): void
  /** Descriptor of the channel's network namespace, open until `close`; -1 where /proc is not mounted. */
  readonly namespace: number
  /** As {@link NativeHandle.openInNamespace}. */
  openInNamespace(path: string, flags: number): number
  /** Ends the thread and closes the descriptors. No more messages arrive. */
  close(): void
}

/** The step at which opening failed. */
export type OpenStep = 'netns-open' | 'netns-enter' | 'socket' | 'family' | 'permission'

export interface OpenFailure extends Error {
  step: OpenStep
  /** Negative. */
  errno: number
  /** The kernel's extended error message, if it sent one. */
  text?: string
}

/** `null`: every request was carried out, and none answers with records. */
export type NativeReply = ArrayBuffer | null

/** One netlink socket in one network namespace, with a thread of its own that starts at the first `execute`. */
export interface NativeHandle {
  /**
   * Carries out the first `length` bytes, which are `count` requests, on the handle's own thread, in the order of the calls. The bytes must
   * not change until {@link onReply} is called with the answer. `batch` identifies the batch that the requests are part of, 0 if none:
   * after a part in which an answer was lost or a request not sent, later parts of the same batch are not sent. A reply that fits `space`
   * is returned in it; the reply's header says how much of it is used.
   */
  execute(requests: Uint8Array, length: number, count: number, batch: number, space?: ArrayBuffer): void
  /** The same on the calling thread. Must not be called while an `execute` is in progress. */
  executeSync(requests: Uint8Array, length: number, count: number, batch: number, space?: ArrayBuffer): NativeReply
  /** Set by the handle's user. Called once for each `execute`, in order. */
  onReply?: (reply: NativeReply) => void
  /** Sizes of the socket's buffers in bytes, as the kernel reports them: twice the requested size. */
  readonly receiveBuffer: number
  readonly sendBuffer: number
  /** The most requests in one send whose answers fit the receive buffer even if all are refused. */
  readonly requestsPerSend: number
  /** Descriptor of the handle's network namespace, open until `close`. */
  readonly namespace: number
  /**
   * Opens a file as a thread inside the handle's network namespace would, which matters for files of /proc that differ by namespace. Needs
   * CAP_SYS_ADMIN unless that is the calling thread's own namespace. `flags` are those of open(2), in `fs.constants`. Returns a descriptor,
   * which the caller closes with `closeDescriptor`, or a negative errno.
   */
  openInNamespace(path: string, flags: number): number
  /** Closes the descriptors and ends the thread once everything queued has been answered. */
  close(): void
}

export type FieldType = 'u8' | 'u16' | 'u32' | 'i32' | 'u64' | 'bytes' | 'string'

export interface Field {
  /** Bytes from the start of the record. */
  offset: number
  type: FieldType
  /** Bytes. */
  length: number
  /** The bit of `present` that is set if the record has the field; -1 for `present` itself. */
  bit: number
}

export interface RecordLayout {
  /** Bytes of a record in a reply. */
  size: number
  /** Bytes of a record in a request, which has only the leading part that can be set. */
  requestSize: number
  /** Bytes of the leading part that identifies a record. */
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
  /** The flag of a dump request. */
  dump: number
}

export interface ReplyLayout {
  headerSize: number
  entrySize: number
  /** `total`: bytes of the reply, whose buffer may be larger. */
  header: Record<'requestCount' | 'recordsOffset' | 'textsOffset' | 'total', Member>
  /**
   * `outcome`: one of {@link outcomes}, or a negative errno. `recordsOffset`: where the records begin; for a request that is unknown or was
   * not sent, the errno of the cause. `text`: where the kernel's message begins, 0 for none.
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

/** The layout of packed requests and replies. */
export interface Schema {
  commands: Record<CommandName, number>
  records: Record<RecordName, RecordLayout>
  /**
   * A request: a header, then the records of the command: a service (`newService`, `setService`), its key (`delService`, `getService`,
   * `zero`, `getDest`), a service's key and a destination (`newDest`, `setDest`, `delDest`), a daemon, a config, or nothing.
   */
  request: RequestLayout
  /** A reply: header, one entry for each request, records, texts. Its size is a multiple of eight. */
  reply: ReplyLayout
}
