import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { AddressServiceKey, DestinationInput, Statistics } from 'ipvs'
import type { Backend } from '../../scripts/network/workshop.js'
import { families, PORT, Stage, transports } from '../support/stage.js'
import { until } from '../support/until.js'

let stage: Stage
beforeAll(async () => {
  stage = await Stage.create(['alpha', 'beta'])
  await stage.workshop.openTunnels()
})
beforeEach(() => stage.ipvs.flush())
afterAll(() => stage[Symbol.asyncDispose]())

const nat = (family: 4 | 6) => ({ address }: Backend): DestinationInput => ({ address: address[family], port: PORT, forward: 'nat' })

const add = async (service: AddressServiceKey, destination: (backend: Backend) => DestinationInput): Promise<void> => {
  await stage.ipvs.addService({ ...service, scheduler: 'rr' })
  for (const backend of stage.workshop.backends) await stage.ipvs.addDestination(service, destination(backend))
}

const entry = (address: string, port: number): string => `${address.includes(':') ? `[${address}]` : address}:${port}`

/** The counters of a service, then of its destinations by address, under the names that the witness has for them. */
async function counters(service: AddressServiceKey): Promise<Record<string, Statistics>> {
  const name = `${service.protocol.toUpperCase()} ${entry(service.address, service.port)}`
  const destinations = (await stage.ipvs.destinations(service)).toSorted((a, b) => a.address < b.address ? -1 : 1)
  return {
    [name]: (await stage.ipvs.getService(service))!.stats,
    ...Object.fromEntries(destinations.map(({ address, port, stats }) => [`${name} -> ${entry(address, port)}`, stats])),
  }
}

/** Waits until everything of a service has counted so many connections in all. */
const counted = (service: AddressServiceKey, connections: bigint): Promise<Record<string, Statistics>> => until(
  () => counters(service),
  seen => Object.values(seen)[0].connections === connections
    && Object.values(seen).slice(1).reduce((sum, stats) => sum + stats.connections, 0n) === connections
    && Object.values(seen)[0].inPackets === Object.values(seen).slice(1).reduce((sum, stats) => sum + stats.inPackets, 0n),
)

test('are exact for a request of five letters over UDP', async () => {
  const service = stage.fresh('udp', 4)
  await add(service, nat(4))
  await stage.ask(service, 4)
  const [all, alpha, beta] = Object.values(await counted(service, 4n))
  // 'hello\n', and 'alpha\n' or 'beta\n', with 8 bytes of UDP header and 20 of IPv4.
  expect(all).toEqual({ connections: 4n, inPackets: 4n, outPackets: 4n, inBytes: 4n * 34n, outBytes: 2n * 34n + 2n * 33n })
  expect(alpha).toEqual({ connections: 2n, inPackets: 2n, outPackets: 2n, inBytes: 2n * 34n, outBytes: 2n * 34n })
  expect(beta).toEqual({ connections: 2n, inPackets: 2n, outPackets: 2n, inBytes: 2n * 34n, outBytes: 2n * 33n })
})

test('are those that ipvsadm prints, with any forwarding method', async () => {
  const services: AddressServiceKey[] = []
  for (const family of families) {
    for (const transport of transports) {
      const service = stage.fresh(transport, family)
      await add(service, nat(family))
      services.push(service)
    }
    const direct = stage.virtual('udp', family)
    await add(direct, ({ address }) => ({ address: address[family], port: PORT, forward: 'dr' }))
    const tunnelled = stage.virtual('tcp', family)
    await add(tunnelled, ({ address }) => ({ address: address[family], port: PORT, forward: 'tun' }))
    services.push(direct, tunnelled)
  }
  for (const service of services) await stage.ask(service, 6)

  for (const service of services) await counted(service, 6n)
  const ours = Object.assign({}, ...await Promise.all(services.map(counters))) as Record<string, Statistics>
  const theirs = await stage.ipvsadm.statistics()
  expect(Object.fromEntries(Object.entries(ours).map(([name, stats]) => [name, Object.values(stats)]))).toEqual(theirs)

  // What goes out passes the director only where it translates.
  for (const service of services) {
    const { outPackets, outBytes } = Object.values(await counters(service))[0]
    expect([outPackets > 0n, outBytes > 0n]).toEqual(service.port === PORT ? [false, false] : [true, true])
  }
  // The kernel's sum of everything, a file in hexadecimal, has at least what these services have.
  const totals = (await stage.workshop.director.read('/proc/net/ip_vs_stats')).split('\n')[2].trim().split(/\s+/).map(
    number => BigInt(`0x${number}`),
  )
  expect(totals[0]).toBeGreaterThanOrEqual(6n * BigInt(services.length))
})

test('come with rates, which the kernel derives from them', async () => {
  const service = stage.fresh('udp', 4)
  await add(service, nat(4))
  // The kernel rounds the average of the last seconds down: packets sent once, on a slow machine, may never be a whole one a second.
  const rates = await until(async () => {
    await stage.ask(service, 40)
    return (await stage.ipvs.getService(service))!.rates
  }, seen => seen.inPackets > 0)
  // Bytes, at 34 a packet, and not bits.
  expect(rates.inBytes / rates.inPackets).toBeGreaterThan(17)
  expect(rates.inBytes / rates.inPackets).toBeLessThan(68)
})

test('go back to zero for one service, or for all', async () => {
  const [first, second] = [stage.fresh('udp', 4), stage.fresh('udp', 4)]
  for (const service of [first, second]) {
    await add(service, nat(4))
    await stage.ask(service, 2)
  }
  await counted(first, 2n)
  await counted(second, 2n)

  const counting = async (): Promise<Record<string, boolean>> =>
    Object.fromEntries(Object.entries(await stage.ipvsadm.statistics()).map(([of, counts]) => [of, counts.some(count => count > 0n)]))
  const lines = ({ port }: AddressServiceKey, expected: boolean): Record<string, boolean> =>
    Object.fromEntries(['', ' -> 10.10.10.1:80', ' -> 10.10.10.2:80'].map(rest => [`UDP 10.10.20.100:${port}${rest}`, expected]))

  await stage.ipvs.zero(first)
  expect(await counting()).toEqual({ ...lines(first, false), ...lines(second, true) })
  expect(
    Object.values(await counters(first)).map(({ connections, inBytes }) => [connections, inBytes]),
  ).toEqual([[0n, 0n], [0n, 0n], [0n, 0n]])
  expect(Object.values(await counters(second)).map(({ connections }) => connections)).toEqual([2n, 1n, 1n])

  await stage.ipvs.zero()
  expect(await counting()).toEqual({ ...lines(first, false), ...lines(second, false) })
})

test('come back with a destination that is added again while connections remember it', async () => {
  const service = stage.fresh('udp', 4)
  await add(service, nat(4))
  await stage.ask(service, 4)
  await counted(service, 4n)
  const [alpha] = stage.workshop.backends
  const before = (await stage.destination(service, alpha)).stats
  expect(before.connections).toBe(2n)
  await stage.ipvs.removeDestination(service, nat(4)(alpha))
  await stage.ipvs.addDestination(service, nat(4)(alpha))
  expect((await stage.destination(service, alpha)).stats).toEqual(before)
})
