import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AddressServiceKey, DestinationInput, ServiceInput } from 'ipvs'
import type { Backend } from '../../scripts/network/workshop.js'
import { families, PORT, Stage, tally, transports } from '../support/stage.js'

const GUE = 6080

type Method = Omit<DestinationInput, 'address' | 'port'>

/** Ways to a backend. A GRE receiver is configured with or without a checksum, so each backend has its own setting. */
const methods: Record<string, Method | ((backend: Backend) => Method)> = {
  NAT: { forward: 'nat' },
  'direct routing': { forward: 'dr' },
  'an IPIP tunnel': { forward: 'tun' },
  'a GUE tunnel': { forward: 'tun', tunnel: { type: 'gue', port: GUE } },
  'a GUE tunnel with checksums': { forward: 'tun', tunnel: { type: 'gue', port: GUE, checksum: 'csum' } },
  'a GUE tunnel with remote checksums': { forward: 'tun', tunnel: { type: 'gue', port: GUE, checksum: 'remcsum' } },
  'GRE tunnels without and with checksums': ({ name }) => ({
    forward: 'tun', tunnel: { type: 'gre', checksum: name === 'beta' ? 'csum' : 'none' },
  }),
}

describe('packets reach the backends in turn', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.create(['alpha', 'beta'])
    await stage.workshop.openTunnels({ guePort: GUE, greChecksums: ['beta'] })
  })
  afterAll(() => stage[Symbol.asyncDispose]())

  const play = async (
    service: ServiceInput & AddressServiceKey, destination: (backend: Backend) => DestinationInput,
  ): Promise<string[]> => {
    await stage.balance(service, destination)
    return stage.ask(service, 6)
  }

  const alternate = (names: string[]): void => {
    expect(tally(names)).toEqual({ [names[0]]: 3, [names[1]]: 3 })
    expect(names.every((name, index) => name === names[index % 2])).toBe(true)
  }

  const way = (label: string, backend: Backend): Method => {
    const method = methods[label]
    return typeof method === 'function' ? method(backend) : method
  }

  describe.each(Object.keys(methods))('through %s', label => {
    test.each(families.flatMap(family => transports.map(transport => ({ family, transport }))))('$transport over IPv$family', async ({ family, transport }) => {
      const names = await play({ ...stage.virtual(transport, family), scheduler: 'rr' }, backend => ({
        address: backend.address[family], port: PORT, ...way(label, backend),
      }))
      alternate(names)
      expect(names.every(name => name.endsWith('untranslated'))).toBe(label !== 'NAT')
      expect(names.every(name => /^(alpha|beta)/.test(name))).toBe(true)
    })
  })

  describe.each(Object.keys(methods).filter(label => label.includes('tunnel')))('of the other family through %s', label => {
    test.each(families.flatMap(family => transports.map(transport => ({ family, transport, other: family === 4 ? 6 : 4 } as const))))(
      '$transport over IPv$family, the backends over IPv$other', async ({ family, transport, other }) => {
        alternate(await play({ ...stage.virtual(transport, family), scheduler: 'rr' }, backend => ({
          address: backend.address[other], port: PORT, ...way(label, backend),
        })))
      })
  })

  test('NAT goes to another port', async () => {
    for (const { name, host, address } of stage.workshop.backends) await host.serve('tcp', address[4], 8080, `${name} at 8080`)
    await stage.balance(
      { ...stage.virtual('tcp', 4), scheduler: 'rr' }, ({ address }) => ({ address: address[4], port: 8080, forward: 'nat' }),
    )
    expect(tally(await stage.ask(stage.virtual('tcp', 4), 4))).toEqual({ 'alpha at 8080': 2, 'beta at 8080': 2 })
  })

  test('weights share out the connections', async () => {
    const service = stage.virtual('tcp', 4)
    await stage.balance({ ...service, scheduler: 'wrr' }, ({ name, address }) => ({
      address: address[4], port: PORT, forward: 'nat', weight: name === 'alpha' ? 3 : 1,
    }))
    expect(tally(await stage.ask(service, 8))).toEqual({ alpha: 6, beta: 2 })
  })

  test('a local destination is a server of the director itself', async () => {
    const { director, virtual } = stage.workshop
    await director.serve('tcp', virtual[4], PORT, 'the director')
    await stage.ipvs.flush()
    await stage.ipvs.addService({ ...stage.virtual('tcp', 4), scheduler: 'rr' })
    await stage.ipvs.addDestination(stage.virtual('tcp', 4), { address: virtual[4], port: PORT, forward: 'local' })
    expect(await stage.ask(stage.virtual('tcp', 4), 2)).toEqual(['the director', 'the director'])
    await director.stop('tcp', virtual[4], PORT)
  })
})
