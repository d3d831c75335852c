import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from 'ipvs'
import { Namespace } from '../../scripts/network/namespace.js'
import { changes, reads } from '../../lib/client/operations.js'
import type { NativeHandle, NativeReply } from '../../lib/wire/addon.js'
import { addon } from '../../lib/wire/load.js'
import { records } from '../../lib/wire/layout.js'
import { Requests } from '../../lib/wire/pack/requests.js'
import { Reply } from '../../lib/wire/unpack/reply.js'
import { TestKernel } from '../support/test-kernel.js'

/**
 * Everything above the bytes is tested on the test kernel. This compares it with the machine's real one: the same packed requests must have
 * the same packed replies.
 */

let namespace: Namespace
let real: NativeHandle
beforeAll(async () => {
  namespace = await Namespace.create('contract')
  real = await addon.open({ netnsPath: namespace.path })
})
afterAll(async () => {
  real.close()
  await namespace[Symbol.asyncDispose]()
})

type Read = { type: 'services' | 'timeouts' | 'daemons' | 'info' } | { type: 'getService' | 'destinations', service: unknown }

const address = fc.constantFrom('10.0.0.1', '10.0.0.2', 'fd00::1', '224.0.0.1', '127.0.0.1', 'fe80::1', 'ff02::1')
const key = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      protocol: fc.constantFrom('tcp', 'udp', 'sctp'),
      address: fc.constantFrom('10.0.0.1', 'fd00::1'),
      port: fc.constantFrom(80, 443),
    }),
  },
  fc.record({ fwmark: fc.constantFrom(1, 2), family: fc.constantFrom(4, 6) }),
)
const isIPv6 = (service: { address: string } | { family: number }): boolean =>
  'family' in service ? service.family === 6 : service.address.includes(':')
const configured = (complete: boolean) =>
  key.chain((chosen) =>
    fc
      .record(
        {
          scheduler: fc.constantFrom('rr', 'wlc', 'mh', 'no-such'),
          schedulerFlags: fc.constantFrom([], ['flag-1'], ['flag-2', 'flag-3']),
          onePacket: fc.constant(false),
          persistence: isIPv6(chosen)
            ? fc.constantFrom(null, { timeout: 60, prefixLength: 64 })
            : fc.constantFrom(null, { timeout: 60, prefixLength: 24 }, { timeout: 300, prefixLength: 32 }),
          persistenceEngine: fc.constant(null),
        },
        { requiredKeys: complete ? undefined : [] },
      )
      .map((options) => ({ ...chosen, ...options })),
  )
const destination = (complete: boolean) =>
  fc
    .record(
      {
        address,
        port: fc.constantFrom(80, 443),
        forward: fc.constantFrom('nat', 'dr', 'tun', 'local'),
        weight: fc.constantFrom(0, 1, 7),
        upperThreshold: fc.constantFrom(5, 9),
        lowerThreshold: fc.constantFrom(0, 5),
        tunnel: fc.constantFrom(null, { type: 'gue', port: 6080, checksum: 'csum' }, { type: 'gre', checksum: 'none' }),
      },
      { requiredKeys: complete ? undefined : ['address', 'port'] },
    )
    .map((entry) => ('forward' in entry && entry.forward !== 'tun' ? { ...entry, tunnel: null } : entry))
const daemon = fc.record(
  {
    role: fc.constantFrom('master', 'backup'),
    interface: fc.constantFrom('lo', 'none'),
    syncId: fc.constantFrom(0, 9),
    maxLength: fc.constant(1000),
    port: fc.constant(9000),
  },
  { requiredKeys: ['role', 'interface'] },
)

const change = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant('addService'), service: configured(false) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('updateService'), service: configured(true) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('removeService'), service: key }) },
  { weight: 8, arbitrary: fc.record({ type: fc.constant('addDestination'), service: key, destination: destination(false) }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('updateDestination'), service: key, destination: destination(true) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('removeDestination'),
      service: key,
      destination: fc.record({ address, port: fc.constantFrom(80, 443) }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('zero'), service: fc.option(key, { nil: undefined }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('setTimeouts'),
      timeouts: fc.record({ tcp: fc.constantFrom(0, 100), udp: fc.constantFrom(30, 40) }, { requiredKeys: [] }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('startDaemon'), daemon }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('stopDaemon'), daemon: fc.record({ role: fc.constantFrom('master', 'backup') }) }),
  },
) as fc.Arbitrary<Operation>
const read = fc.oneof(
  fc.record({ type: fc.constantFrom('services' as const, 'timeouts' as const, 'daemons' as const, 'info' as const) }),
  fc.record({ type: fc.constantFrom('getService' as const, 'destinations' as const), service: key }),
) as fc.Arbitrary<Read>

/** Packs the requests that pass validation. The others never reach a kernel. */
function packed(asked: (Operation | Read)[]): { requests: Requests, kept: (Operation | Read)[] } {
  const requests = new Requests(1 << 16)
  const kept = asked.filter((one) => {
    try {
      if (one.type in reads) reads[one.type as 'getService'].pack(requests, (one as { service: unknown }).service)
      else changes[one.type as 'addService'].packOperation(requests, one as Operation)
      return true
    } catch {
      return false
    }
  })
  return { requests, kept }
}

/** A reply as text. Services are sorted by their keys, because the kernel lists them in the order of its hash table. */
function told(reply: NativeReply, requests: Requests): unknown {
  if (reply === null) return null
  const read = new Reply(reply)
  const answers: unknown[] = []
  for (let i = 0, at = 0; i < requests.count; i++, at += requests.u16[at >> 1]) {
    const command = requests.u16[(at >> 1) + 1]
    const name = recordOf.get(command)
    const size = name === undefined ? 0 : records[name].size
    const listed = Array.from({ length: read.recordCount(i) }, (_, n) => {
      const bytes = Buffer.from(read.u8.slice(read.recordsOf(i) + n * size, read.recordsOf(i) + (n + 1) * size))
      // The size of the connection table is the kernel's choice.
      if (name === 'info') bytes.fill(0, records.info.fields.connectionTableSize.offset, records.info.fields.connectionTableSize.offset + 4)
      return bytes.toString('hex')
    })
    answers.push([read.outcome(i), name === 'service' ? listed.sort() : listed])
  }
  return answers
}

const recordOf = new Map(
  [
    ['services', 'service'],
    ['getService', 'service'],
    ['destinations', 'destination'],
    ['daemons', 'daemon'],
    ['timeouts', 'config'],
    ['info', 'info'],
  ].map(([type, name]) => {
    const { requests } = packed([{ type, service: { fwmark: 1, family: 4 } } as Read])
    let last = 0
    for (let i = 1; i < requests.count; i++) last += requests.u16[last >> 1]
    return [requests.u16[(last >> 1) + 1], name as 'service' | 'info']
  }),
)

const clean: (Operation | Read)[] = [
  { type: 'flush' },
  { type: 'setTimeouts', timeouts: { tcp: 900, tcpFin: 120, udp: 300 } },
  { type: 'stopDaemon', daemon: { role: 'master' } },
  { type: 'stopDaemon', daemon: { role: 'backup' } },
]

describe('the test kernel', () => {
  test('answers any request as this kernel does', () => {
    const seen = new Map<string, number>()
    fc.assert(
      fc.property(
        fc.array(fc.oneof({ weight: 4, arbitrary: change }, { weight: 1, arbitrary: read }), { minLength: 5, maxLength: 40 }),
        (asked) => {
          const swept = packed(clean).requests
          real.executeSync(swept.u8, swept.length, swept.count, 0)
          const { requests, kept } = packed([
            ...asked,
            { type: 'services' },
            { type: 'daemons' },
            { type: 'timeouts' },
            { type: 'destinations', service: { protocol: 'tcp', address: '10.0.0.1', port: 80 } },
          ])
          const answer = real.executeSync(requests.u8, requests.length, requests.count, 0)
          const expected = told(answer, requests)
          expect(
            told(new TestKernel().handle().executeSync(requests.u8, requests.length, requests.count, 0), requests),
            JSON.stringify(kept),
          ).toEqual(expected)
          for (const [outcome] of expected as [number][]) seen.set(String(outcome), (seen.get(String(outcome)) ?? 0) + 1)
        },
      ),
      { seed: 3, numRuns: 300 },
    )
    // Refusals of every kind were among the answers: EEXIST, ESRCH, ENOENT, EINVAL.
    expect([...seen.keys()]).toEqual(expect.arrayContaining(['0', '-17', '-3', '-2', '-22']))
  })
})
