/** gRPC's numbers for what etcd answers, as its gateway passes them on. */
export const GRPC = {
  invalidArgument: 3, notFound: 5, denied: 7, failedPrecondition: 9, outOfRange: 11, unimplemented: 12, unavailable: 14,
  unauthenticated: 16,
} as const

/** Answers after which another endpoint, or the same one later, says the same. */
const FINAL = new Set<number>([
  GRPC.invalidArgument, GRPC.notFound, GRPC.denied, GRPC.failedPrecondition, GRPC.outOfRange, GRPC.unimplemented, GRPC.unauthenticated,
])

/** etcd refused a request, or could not be reached. The message says which, and names the endpoint. */
export class EtcdError extends Error {
  override readonly name = 'EtcdError'
  /** 'ERR_ETCD_REFUSED' where etcd answered, 'ERR_ETCD_UNREACHABLE' where it did not. */
  readonly code: 'ERR_ETCD_REFUSED' | 'ERR_ETCD_UNREACHABLE'
  /** The endpoint that was asked: 'https://10.0.0.1:2379'. */
  readonly endpoint: string
  /** gRPC's number of etcd's answer: 7 for a permission that is missing. */
  declare readonly grpc?: number
  /** What etcd said, without the endpoint. */
  readonly words: string

  constructor(endpoint: string, words: string, { grpc, cause }: { grpc?: number, cause?: unknown } = {}) {
    super(`${endpoint}: ${words}`, cause === undefined ? undefined : { cause })
    this.code = grpc === undefined ? 'ERR_ETCD_UNREACHABLE' : 'ERR_ETCD_REFUSED'
    this.endpoint = endpoint
    this.words = words
    if (grpc !== undefined) this.grpc = grpc
  }
}

/** Whether another try can succeed without anything being changed: the endpoint is away, has no leader, or is overloaded. */
export const mayPass = (error: unknown): boolean => error instanceof EtcdError && !(error.grpc !== undefined && FINAL.has(error.grpc))

/** Whether the revision that was asked for is no longer kept. */
export const isCompacted = (error: unknown): boolean =>
  error instanceof EtcdError && error.grpc === GRPC.outOfRange && error.words.includes('compacted')
