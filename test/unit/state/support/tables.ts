import fc from 'fast-check'
import type { DestinationInput, ServiceInput } from 'ipvs'

/**
 * Random desired states over few enough keys that two of them meet: spelled in every way that means the same, with what is left out left
 * out.
 */

type Desired = ServiceInput & { destinations: DestinationInput[] }

const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined })

const withoutUndefined = <T extends object>(given: T): T =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T

const spelling4 = (last: number): fc.Arbitrary<string> => fc.constant(`10.0.0.${last}`)
const spelling6 = (last: number): fc.Arbitrary<string> => fc.constantFrom(`fd00::${last}`, `FD00:0:0:0:0:0:0:${last}`, `fd00:0000::000${last}`)

const key = fc.oneof(
  fc
    .tuple(fc.constantFrom('tcp' as const, 'udp' as const), fc.constantFrom(1, 2), fc.constantFrom(80, 443), fc.constantFrom(4, 6))
    .chain(([protocol, last, port, family]) =>
      (family === 4 ? spelling4(last) : spelling6(last)).map((address) => ({ protocol, address, port })),
    ),
  fc.tuple(fc.constantFrom(1, 2), fc.constantFrom(4 as const, 6 as const)).map(([fwmark, family]) => ({ fwmark, family })),
)

const persistence = (family: 4 | 6): fc.Arbitrary<ServiceInput['persistence']> =>
  family === 4
    ? fc.constantFrom(
        null,
        {},
        { timeout: 360 },
        { timeout: 360, prefixLength: 32 },
        { timeout: 50, netmask: '255.255.0.0' },
        { timeout: 50, prefixLength: 16 },
        { netmask: '255.0.255.0' },
      )
    : fc.constantFrom(null, {}, { timeout: 360, prefixLength: 128 }, { timeout: 50, prefixLength: 64 })

const tunnel = fc.constantFrom<DestinationInput['tunnel']>(
  undefined,
  null,
  { type: 'ipip' },
  { type: 'ipip', checksum: 'none' },
  { type: 'gue', port: 6080 },
  { type: 'gre', checksum: 'csum' },
)

const destination = (family: 4 | 6, port: number | undefined): fc.Arbitrary<DestinationInput> => {
  const common = { weight: optional(fc.constantFrom(0, 1, 5)), upperThreshold: optional(fc.constantFrom(0, 100)) }
  const address = fc.constantFrom(1, 2, 3, 4).chain((last) => family === 4 ? spelling4(100 + last) : spelling6(last))
  return fc
    .oneof(
      fc.record({ address, port: fc.constantFrom(80, 8080), forward: fc.constantFrom('nat' as const, 'local' as const), ...common }),
      fc.record({
        address,
        port: fc.constant(port ?? 80),
        forward: optional(fc.constant('dr' as const)),
        tunnel: fc.constantFrom(undefined, null),
        ...common,
      }),
      fc.record({ address, port: fc.constant(port ?? 80), forward: fc.constant('tun' as const), tunnel, ...common }),
    )
    .map(withoutUndefined)
}

const canonicalLast = (address: string): string => `${address.includes(':')} ${/(\d+)$/.exec(address)![1].replace(/^0+/, '')}`

const service: fc.Arbitrary<Desired> = key.chain((chosen) => {
  const family = 'family' in chosen ? chosen.family : chosen.address.includes(':') ? 6 : 4
  return fc.record({
    scheduler: optional(fc.constantFrom('rr', 'wlc', 'sh', 'mh')),
    schedulerFlags: optional(fc.constantFrom<string[]>([], ['flag-1'], ['flag-2', 'flag-1'])),
    onePacket: optional(fc.boolean()),
    persistence: optional(persistence(family)),
    persistenceEngine: optional(fc.constant(null)),
    destinations: fc.uniqueArray(destination(family, 'port' in chosen ? chosen.port : undefined), { maxLength: 5, selector: ({ address, port }) => `${canonicalLast(address)} ${port}` }),
  }).map((options) => ({ ...chosen, ...withoutUndefined(options) }))
})

/** A random table, as a user would write it. */
export const table: fc.Arbitrary<Desired[]> = fc.uniqueArray(service, {
  maxLength: 6,
  selector: (entry) => 'fwmark' in entry ? `${entry.fwmark} ${entry.family}` : `${entry.protocol} ${canonicalLast(entry.address)} ${entry.port}`,
})
