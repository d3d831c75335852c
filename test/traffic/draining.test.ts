import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Backend } from '../../scripts/network/workshop.js'
import type { AddressServiceKey, Destination } from 'ipvs'
import { refusal } from '../support/errors.js'
import { PORT, Stage, tally } from '../support/stage.js'

let stage: Stage
let alpha: Backend
let beta: Backend
beforeAll(async () => {
  stage = await Stage.create(['alpha', 'beta'])
  ;[alpha, beta] = stage.workshop.backends
})
afterAll(() => stage[Symbol.asyncDispose]())

const destination = ({ address }: Backend): Destination =>
  ({ address: address[4], port: PORT, forward: 'nat', weight: 1, upperThreshold: 0, lowerThreshold: 0, tunnel: null })

describe('weight 0', () => {
  let service: AddressServiceKey
  beforeEach(async () => {
    service = stage.fresh('tcp', 4)
    await stage.balance({ ...service, scheduler: 'rr' }, destination)
  })

  test('gives a backend no new connection, and leaves it those that it has', async () => {
    const question = { transport: 'tcp', address: service.address, port: service.port } as const
    const held = [await stage.workshop.client.connect(question), await stage.workshop.client.connect(question)]
    expect(new Set([...await held[0].say(), ...await held[1].say()])).toEqual(new Set(['alpha', 'beta']))
    expect(await stage.destination(service, alpha)).toMatchObject({ activeConnections: 1, inactiveConnections: 0 })

    await stage.ipvs.updateDestination(service, { ...destination(alpha), weight: 0 })
    expect(tally(await stage.ask(service, 4))).toEqual({ beta: 4 })
    expect(new Set([...await held[0].say(), ...await held[1].say()])).toEqual(new Set(['alpha', 'beta']))
    expect(await stage.destination(service, alpha)).toMatchObject({ weight: 0, activeConnections: 1 })

    for (const conversation of held) await conversation.end()
    expect(await stage.destination(service, alpha)).toMatchObject({ activeConnections: 0 })
    const [row] = await stage.ipvsadm.list()
    expect(row.destinations.map(({ entry, columns }) => [entry, columns[0], columns[1], columns[2]]).sort())
      .toEqual([['10.10.10.1:80', 'Masq', '0', '0'], ['10.10.10.2:80', 'Masq', '1', '0']])

    await stage.ipvs.updateDestination(service, destination(alpha))
    expect(tally(await stage.ask(service, 4))).toEqual({ alpha: 2, beta: 2 })
  })

  test('of every backend refuses new connections', async () => {
    for (const backend of [alpha, beta]) await stage.ipvs.updateDestination(service, { ...destination(backend), weight: 0 })
    expect(await refusal(() => stage.ask(service, 1))).toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('of the backend that a client hashes to refuses it with sh, and moves it on with sh-fallback', async () => {
    await stage.balance({ ...service, scheduler: 'sh' }, destination)
    const [name] = await stage.ask(service, 1)
    const chosen = name === 'alpha' ? alpha : beta
    await stage.ipvs.updateDestination(service, { ...destination(chosen), weight: 0 })
    expect(await refusal(() => stage.ask(service, 1))).toMatchObject({ code: 'ECONNREFUSED' })
    await stage.ipvs.updateService({
      ...service, scheduler: 'sh', schedulerFlags: ['sh-fallback'], onePacket: false, persistence: null, persistenceEngine: null,
    })
    expect(await stage.ask(service, 1)).toEqual([chosen === alpha ? 'beta' : 'alpha'])
  })
})

describe('a backend that is removed', () => {
  let service: AddressServiceKey
  beforeEach(async () => {
    service = stage.fresh('tcp', 4)
    await stage.balance({ ...service, scheduler: 'rr' }, destination)
  })

  test('gets no more connections; the others get all of them', async () => {
    await stage.ipvs.removeDestination(service, destination(alpha))
    expect(tally(await stage.ask(service, 4))).toEqual({ beta: 4 })
  })
})

describe('thresholds', () => {
  test('a backend that is full gets no new connection', async () => {
    const service = stage.fresh('tcp', 4)
    await stage.balance(
      { ...service, scheduler: 'rr' }, backend => ({ ...destination(backend), upperThreshold: backend === alpha ? 2 : 0 }),
    )
    const held = []
    for (let n = 0; n < 6; ++n) held.push(
      await stage.workshop.client.connect({ transport: 'tcp', address: service.address, port: service.port }),
    )
    const names: string[] = []
    for (const conversation of held) names.push(...await conversation.say())
    expect(tally(names)).toEqual({ alpha: 2, beta: 4 })
    expect(await stage.destination(service, alpha)).toMatchObject({ upperThreshold: 2, activeConnections: 2 })
    expect(await stage.destination(service, beta)).toMatchObject({ activeConnections: 4 })
    for (const conversation of held) await conversation.end()
  })
})
