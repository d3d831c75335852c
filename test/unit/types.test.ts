import { describe, expect, expectTypeOf, it } from 'vitest'
import {
  Ipvs,
  IpvsSync,
  type DestinationInput,
  type ListedDestination,
  type ListedService,
  type Operation,
  type BatchResult,
  type ServiceInput,
  type ServiceKey,
} from 'ipvs'
import { changes } from '../../lib/client/operations.js'

const methods = (of: { prototype: object }) => Object.getOwnPropertyNames(of.prototype).filter((name) => name !== 'constructor').sort()

describe('the two classes', () => {
  it('have the same methods, but for those that go on over time', () => {
    expect(methods(Ipvs)).toEqual(expect.arrayContaining(methods(IpvsSync)))
    expect(methods(IpvsSync)).toEqual(
      expect.arrayContaining([
        ...Object.keys(changes),
        'info',
        'getService',
        'services',
        'destinations',
        'timeouts',
        'daemons',
        'batch',
        'snapshot',
        'close',
      ]),
    )
  })

  it('answer with the same things, once as promises', () => {
    expectTypeOf<ReturnType<Ipvs['addService']>>().toEqualTypeOf<Promise<void>>()
    expectTypeOf<ReturnType<IpvsSync['addService']>>().toEqualTypeOf<void>()
    expectTypeOf<Awaited<ReturnType<Ipvs['services']>>>().toEqualTypeOf<ReturnType<IpvsSync['services']>>()
    expectTypeOf<Awaited<ReturnType<Ipvs['getService']>>>().toEqualTypeOf<ListedService | undefined>()
    expectTypeOf<Awaited<ReturnType<Ipvs['destinations']>>>().toEqualTypeOf<ListedDestination[]>()
    expectTypeOf<Awaited<ReturnType<Ipvs['batch']>>>().toEqualTypeOf<BatchResult>()
    expectTypeOf<ReturnType<IpvsSync['batch']>>().toEqualTypeOf<BatchResult>()
    expectTypeOf<Parameters<Ipvs['addDestination']>>().toEqualTypeOf<[ServiceKey, DestinationInput]>()
  })

  it('can be used with "using"', () => {
    expectTypeOf<Ipvs>().toExtend<AsyncDisposable>()
    expectTypeOf<IpvsSync>().toExtend<Disposable>()
  })
})

describe('the shapes', () => {
  it('tell services with an address from those with a firewall mark', () => {
    expectTypeOf<{ protocol: 'tcp', address: string, port: number }>().toExtend<ServiceKey>()
    expectTypeOf<{ fwmark: number, family: 4 }>().toExtend<ServiceKey>()
    expectTypeOf<{ fwmark: number }>().not.toExtend<ServiceKey>()
    expectTypeOf<{ protocol: 'icmp', address: string, port: number }>().not.toExtend<ServiceKey>()
    expectTypeOf<{ address: string, port: number }>().not.toExtend<ServiceKey>()
  })

  it('of what is listed can be written again', () => {
    expectTypeOf<ListedService>().toExtend<Parameters<Ipvs['updateService']>[0]>()
    expectTypeOf<ListedService>().toExtend<ServiceInput>()
    expectTypeOf<ListedDestination>().toExtend<Parameters<Ipvs['updateDestination']>[1]>()
    expectTypeOf<ListedDestination['stats']['inBytes']>().toEqualTypeOf<bigint>()
    expectTypeOf<ListedDestination['rates']['inBytes']>().toEqualTypeOf<number>()
  })

  it('of operations have one member for every method that changes something', () => {
    expectTypeOf<Operation['type']>().toEqualTypeOf<keyof typeof changes>()
  })
})
