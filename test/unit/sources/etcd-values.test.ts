import type { DirectorConfiguration } from 'ipvs/director'
import { expect, test } from 'vitest'
import { Published, type ServicesUpdate } from '../../../lib/sources/etcd/published.js'
import { Services } from '../../../lib/sources/etcd/services.js'

const below = '/ipvs/v1/services/'

const service = (address: string, more: object = {}) => ({ protocol: 'tcp', address, port: 80, ...more })
const destination = (address: string, more: object = {}) => ({ address, port: 80, ...more })

/** Services, and how they are handed out. */
class Followed extends Services {
  readonly published = new Published()

  configuration(): DirectorConfiguration {
    return this.published.configuration()
  }
}

/** Takes values as they come from etcd, all at once; `undefined` is a key that was deleted. */
async function take(services: Followed, values: Record<string, unknown>): Promise<void> {
  await services.change(Object.entries(values).map(([key, value]) => ({
    key, value: value === undefined ? undefined : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
  })))
  services.published.add(services.changed(), (services.published.revision ?? 0) + 1)
}

async function services(values: Record<string, unknown>, scripts?: string): Promise<Followed> {
  const made = new Followed(below, { scripts })
  await take(made, values)
  return made
}

const addresses = (services: Followed): unknown[] =>
  services.configuration().services.map((one) => 'address' in one ? one.address : one.fwmark)
const problems = (services: Followed): Record<string, string> =>
  Object.fromEntries(services.problems().map(({ key, message }) => [key, message]))

test('a service has its own destinations and those that registered themselves, in the same order on every director', async () => {
  const found = await services({
    'web/destinations/b': destination('10.0.0.9'),
    'web': service('192.0.2.1', { destinations: [destination('10.0.0.10'), destination('10.0.0.2', { weight: 3 })] }),
    'web/destinations/a': destination('10.0.0.3'),
  })
  expect(found.configuration()).toEqual({ services: [service('192.0.2.1', { destinations: [
    destination('10.0.0.2', { weight: 3 }), destination('10.0.0.3'), destination('10.0.0.9'), destination('10.0.0.10'),
  ] })] })
  expect(found.problems()).toEqual([])

  await take(found, { 'web/destinations/a': undefined })
  expect(found.configuration().services[0].destinations!.map(({ address }) => address)).toEqual(['10.0.0.2', '10.0.0.9', '10.0.0.10'])
})

test('a bad value is told by its key and leaves its service as it was, while others change', async () => {
  const found = await services({ a: service('192.0.2.1'), b: service('192.0.2.2') })
  await take(found, {
    a: service('192.0.2.1', { port: 70000, quorum: 0 }), b: service('192.0.2.3'), c: '{"protocol":', d: '[]',
    e: Buffer.from([0xff]).toString('latin1'),
  })
  expect(addresses(found)).toEqual(['192.0.2.1', '192.0.2.3'])
  expect(problems(found)).toEqual({
    [`${below}a`]: 'port must be an integer from 0 to 65535. Received 70000; quorum must be an integer from 1 to 2147483647. Received 0',
    [`${below}c`]: expect.stringMatching(/^the value is no JSON: /) as string,
    [`${below}d`]: 'the value must be an object. Received an array',
    [`${below}e`]: expect.stringMatching(/^the value is no JSON: /) as string,
  })

  await take(found, { a: service('192.0.2.4'), c: undefined, d: undefined, e: undefined })
  expect(addresses(found)).toEqual(['192.0.2.4', '192.0.2.3'])
  expect(found.problems()).toEqual([])
})

test('a bad value of a registered destination leaves that destination as it was, and nothing else', async () => {
  const found = await services({ 'web': service('192.0.2.1'), 'web/destinations/a': destination('10.0.0.1', { weight: 5 }) })
  await take(found, {
    'web/destinations/a': destination('10.0.0.1', { weight: -1 }), 'web/destinations/b': destination('fd00::1'),
    'web/destinations/c': destination('10.0.0.3'),
  })
  expect(found.configuration().services[0].destinations).toEqual([destination('10.0.0.1', { weight: 5 }), destination('10.0.0.3')])
  expect(problems(found)).toEqual({
    [`${below}web/destinations/a`]: 'weight must be an integer from 0 to 2147483647. Received -1',
    [`${below}web/destinations/b`]: 'address is IPv6 and the service is IPv4: only forward \'tun\' goes from one to the other',
  })
})

test('a destination that registers twice is there once, for as long as one of its keys is', async () => {
  const found = await services({
    'web': service('192.0.2.1'), 'web/destinations/old': destination('10.0.0.1'), 'web/destinations/new': destination('10.0.0.1'),
  })
  expect(found.configuration().services[0].destinations).toEqual([destination('10.0.0.1')])
  expect(Object.keys(problems(found))).toEqual([`${below}web/destinations/old`])
  await take(found, { 'web/destinations/new': undefined })
  expect(found.configuration().services[0].destinations).toEqual([destination('10.0.0.1')])
  expect(found.problems()).toEqual([])
})

test('a destination whose service is not there is told, and serves when it comes', async () => {
  const found = await services({ 'web/destinations/a': destination('10.0.0.1') })
  expect(problems(found)).toEqual({ [`${below}web/destinations/a`]: 'belongs to service web, which is not there' })
  await take(found, { web: service('192.0.2.1') })
  expect(found.problems()).toEqual([])
  expect(found.configuration().services[0].destinations).toEqual([destination('10.0.0.1')])
})

test('two names with one service: the second is told and keeps what it had, until the service is free', async () => {
  const found = await services({ a: service('192.0.2.1'), b: service('192.0.2.2') })
  await take(found, { b: service('192.0.2.1', { quorum: 7 }) })
  expect(addresses(found)).toEqual(['192.0.2.1', '192.0.2.2'])
  expect(problems(found)).toEqual({ [`${below}b`]: `is tcp 192.0.2.1:80 a second time: ${below}a is that already` })
  await take(found, { a: undefined })
  expect(found.configuration().services).toEqual([service('192.0.2.1', { quorum: 7, destinations: [] })])
  expect(found.problems()).toEqual([])
})

test('two names can exchange their services in one transaction', async () => {
  const found = await services({ a: service('192.0.2.1'), b: service('192.0.2.2') })
  await take(found, { a: service('192.0.2.2'), b: service('192.0.2.1') })
  expect(addresses(found)).toEqual(['192.0.2.2', '192.0.2.1'])
  expect(found.problems()).toEqual([])
})

test('services that have not changed are the same objects, so that nobody has to compare them', async () => {
  const found = await services({ a: service('192.0.2.1'), b: service('192.0.2.2') })
  const [before] = found.configuration().services
  await take(found, { b: service('192.0.2.2', { quorum: 2 }) })
  expect(found.configuration().services[0]).toBe(before)
})

/** The addresses of what has changed, and of what is gone. */
const changes = ({ services, removed }: ServicesUpdate): unknown => {
  const addresses = (some: ServicesUpdate['services']): unknown[] => some.map((one) => 'address' in one ? one.address : one.fwmark).sort()
  return { services: addresses(services), removed: addresses(removed) }
}

test('who follows changes gets all services first, and then only what has changed since it took last', async () => {
  const [a, b, c, d] = [1, 2, 3, 4].map((host) => service(`192.0.2.${host}`))
  const found = await services({ a, b })
  const { take: next } = found.published.reader()
  expect(changes(next())).toEqual({ services: ['192.0.2.1', '192.0.2.2'], removed: [] })
  expect(changes(next())).toEqual({ services: [], removed: [] })

  await take(found, { c })
  await take(found, { a: undefined, c: { ...c, quorum: 2 } })
  const both = next()
  expect(changes(both)).toEqual({ services: ['192.0.2.3'], removed: ['192.0.2.1'] })
  expect(both).toMatchObject({ revision: 3, services: [{ quorum: 2 }] })

  // One name takes what another had.
  await take(found, { b: c, c: d })
  expect(changes(next())).toEqual({ services: ['192.0.2.3', '192.0.2.4'], removed: ['192.0.2.2'] })
  await take(found, { b: d, c })
  expect(changes(next())).toEqual({ services: ['192.0.2.3', '192.0.2.4'], removed: [] })

  // Gone and back.
  await take(found, { c: undefined })
  await take(found, { c })
  expect(changes(next())).toEqual({ services: ['192.0.2.3'], removed: [] })
})

test('a value that is refused, or says what the last one said, changes no service', async () => {
  const found = await services({ a: service('192.0.2.1'), 'a/destinations/x': destination('10.0.0.1') })
  const { take: next } = found.published.reader()
  const { services: [before] } = next()
  await take(found, { a: service('192.0.2.1', { port: 70000 }) })
  await take(found, { a: service('192.0.2.1'), 'a/destinations/x': destination('10.0.0.1'), 'a/destinations/y': 'no JSON' })
  expect(next()).toEqual({ revision: 3, services: [], removed: [] })
  expect(found.configuration().services).toEqual([before])
  expect(found.configuration().services[0]).toBe(before)
})

test('from etcd no program runs, unless there is a directory for them; then only what lies in it', async () => {
  const values = {
    named: service('192.0.2.1', { checks: [{ type: 'script', command: ['web', '--fast'] }] }),
    whole: service('192.0.2.2', { destinations: [destination('10.0.0.1', { onDown: { command: ['/etc/ipvs/scripts/tell'] } })] }),
    outside: service('192.0.2.3', { onQuorumLost: { command: ['/bin/sh', '-c', 'rm -rf /'] } }),
    above: service('192.0.2.4', { checks: [{ type: 'script', command: ['../../bin/sh'] }] }),
    winding: service('192.0.2.5', { checks: [{ type: 'script', command: ['/etc/ipvs/scripts/../../../bin/sh'] }] }),
    parent: service('192.0.2.6', { checks: [{ type: 'script', command: ['..'] }] }),
    plain: service('192.0.2.7'),
    'plain/destinations/a': destination('10.0.0.1', { checks: [{ type: 'script', command: ['/bin/sh'] }] }),
  }
  const none = await services(values)
  expect(addresses(none)).toEqual(['192.0.2.7'])
  expect(none.configuration().services[0].destinations).toEqual([])
  expect(problems(none)[`${below}named`]).toMatch(/^checks\[0\]\.command names a program, and from etcd none may run here/)

  const some = await services(values, '/etc/ipvs/scripts')
  expect(some.configuration().services).toEqual([
    service('192.0.2.1', { checks: [{ type: 'script', command: ['/etc/ipvs/scripts/web', '--fast'] }], destinations: [] }),
    service('192.0.2.7', { destinations: [] }),
    service('192.0.2.2', { destinations: [destination('10.0.0.1', { onDown: { command: ['/etc/ipvs/scripts/tell'] } })] }),
  ])
  expect(Object.keys(problems(some)).sort()).toEqual(['above', 'outside', 'parent', 'plain/destinations/a', 'winding'].map((key) => `${below}${key}`))
})

test('what only one director can do is refused: to write a file, or to wait until it holds the address', async () => {
  const found = await services({
    a: service('192.0.2.1', { checks: [{ type: 'file', path: '/etc/passwd', initial: 0, overwrite: true }] }),
    b: service('192.0.2.2', { onlyWhileHeld: true }),
  })
  expect(addresses(found)).toEqual([])
  expect(problems(found)[`${below}a`]).toMatch(/^checks\[0\]\.initial writes to a file/)
  expect(problems(found)[`${below}b`]).toMatch(/^onlyWhileHeld cannot be true in a fleet/)
})

test('a key that stands for nothing is told', async () => {
  const found = await services({ 'web/destination/a': destination('10.0.0.1'), '': service('192.0.2.1'), 'a/destinations/b/c': '{}' })
  expect(Object.keys(problems(found))).toEqual(['web/destination/a', '', 'a/destinations/b/c'].map((key) => `${below}${key}`))
  await take(found, { 'web/destination/a': undefined, '': undefined, 'a/destinations/b/c': undefined })
  expect(found.problems()).toEqual([])
})
