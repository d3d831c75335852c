import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { changes, packOperation, reads } from '../../../lib/client/operations.js'
import { Requests } from '../../../lib/wire/pack/requests.js'
import type { ArgumentError } from '../../../lib/model/errors.js'
import type { Operation } from '../../../lib/model/types.js'

/** Bad input is found while it is packed: before anything is sent, and nothing of it stays in the buffer. */
function refusal(pack: (requests: Requests) => void): ArgumentError {
  const requests = new Requests(1024)
  try {
    pack(requests)
  } catch (error) {
    expect(requests.count).toBe(0)
    expect(requests.length).toBe(0)
    return error as ArgumentError
  }
  throw new Error('was accepted')
}

const accepted = (pack: (requests: Requests) => void): void => {
  const requests = new Requests(1024)
  pack(requests)
  expect(requests.count).toBe(1)
}

const TYPE = 'ERR_INVALID_ARG_TYPE'
const RANGE = 'ERR_OUT_OF_RANGE'
const VALUE = 'ERR_INVALID_ARG_VALUE'

type Case = [field: string, value: unknown, code: string]

const notIntegers = (field: string): Case[] => [
  [field, '80', TYPE],
  [field, 80n, TYPE],
  [field, null, TYPE],
  [field, true, TYPE],
  [field, [80], TYPE],
  [field, {}, TYPE],
  [field, NaN, RANGE],
  [field, Infinity, RANGE],
  [field, -Infinity, RANGE],
  [field, 1.5, RANGE],
  [field, -0, RANGE],
  [field, -1, RANGE],
  [field, 2 ** 53, RANGE],
]

const notObjects = (field: string): Case[] => [
  [field, 'text', TYPE], [field, 1, TYPE], [field, true, TYPE], [field, [], TYPE], [field, () => {}, TYPE], [field, Symbol('s'), TYPE],
]

const notStrings = (field: string): Case[] => [[field, 1, TYPE], [field, {}, TYPE], [field, ['rr'], TYPE], [field, Symbol('rr'), TYPE]]

const web = { protocol: 'tcp', address: '10.10.10.100', port: 80 }
const web6 = { protocol: 'tcp', address: '2001:db8::1', port: 80 }
const marked = { fwmark: 7, family: 4 }
const service = { ...web, scheduler: 'rr', schedulerFlags: [], onePacket: false, persistence: null, persistenceEngine: null }
const destination = { address: '10.10.10.2', port: 80, forward: 'nat', weight: 1, upperThreshold: 0, lowerThreshold: 0, tunnel: null }

/** Objects of another kind, which have no property that is meant: an `await` is missing, or the wrong variable was taken. */
const otherKinds: [string, unknown][] = [
  ['Map', new Map([['tcp', 900]])], ['Promise', Promise.resolve({})], ['Date', new Date(0)], ['Service', new class Service {}()],
]

/** Replaces the property that a path like 'service.persistence.timeout' names. */
function withValue(object: object, path: string[], value: unknown): object {
  const [name, ...rest] = path
  const inner = (object as Record<string, unknown>)[name]
  return { ...object, [name]: rest.length === 0 ? value : withValue((inner ?? {}), rest, value) }
}

describe('a key of a service', () => {
  const cases: Case[] = [
    ['service.protocol', undefined, TYPE],
    ['service.protocol', 6, TYPE],
    ['service.protocol', 'TCP', VALUE],
    ['service.protocol', 'icmp', VALUE],
    ['service.protocol', '', VALUE],
    ['service.protocol', 'constructor', VALUE],
    ['service.address', undefined, TYPE],
    ['service.address', 1, TYPE],
    ['service.address', null, TYPE],
    ['service.address', ['10.0.0.1'], TYPE],
    ['service.address', '', VALUE],
    ['service.address', 'localhost', VALUE],
    ['service.address', '10.0.0.01', VALUE],
    ['service.address', 'fe80::1%lo', VALUE],
    ['service.address', '10.0.0.1/32', VALUE],
    ['service.port', undefined, TYPE],
    ...notIntegers('service.port'),
    ['service.port', 65536, RANGE],
    ['service.family', 6, VALUE],
    ['service.family', '4', VALUE],
  ]
  it.each(cases)('%s = %o is refused', (field, value, code) => {
    const [, ...path] = field.split('.')
    for (const change of ['addService', 'updateService', 'removeService', 'zero'] as const) {
      expect(refusal((requests) => changes[change].pack(requests, withValue(service, path, value), undefined))).toMatchObject({
        code,
        field,
      })
    }
    for (const change of ['addDestination', 'updateDestination', 'removeDestination'] as const) {
      expect(refusal((requests) => changes[change].pack(requests, withValue(web, path, value), destination))).toMatchObject({ code, field })
    }
    for (const read of ['getService', 'destinations'] as const) {
      expect(refusal((requests) => reads[read].pack(requests, withValue(web, path, value)))).toMatchObject({ code, field })
    }
  })

  it.each([
    ...notIntegers('service.fwmark'), ['service.fwmark', 0, RANGE], ['service.fwmark', 2 ** 32, RANGE],
    ['service.family', undefined, TYPE], ['service.family', '4', TYPE], ['service.family', 5, VALUE], ['service.family', 0, VALUE],
    ['service.address', '10.0.0.1', VALUE], ['service.port', 80, VALUE], ['service.protocol', 'tcp', VALUE],
  ] satisfies Case[])('with a firewall mark: %s = %o is refused', (field, value, code) => {
    expect(
      refusal((requests) => changes.removeService.pack(requests, withValue(marked, field.split('.').slice(1), value), undefined)),
    ).toMatchObject({ code, field })
  })

  it.each(notObjects('service'))('%s = %o is refused', (field, value, code) => {
    expect(refusal((requests) => changes.addService.pack(requests, value, undefined))).toMatchObject({ code, field })
    expect(refusal((requests) => changes.zero.pack(requests, value, undefined))).toMatchObject({ code, field })
  })

  it('may be a listed service, with its destinations or without', () => {
    accepted((requests) => changes.removeService.pack(requests, { ...service, stats: {}, rates: {}, destinations: [] }, undefined))
    accepted((requests) => changes.addDestination.pack(requests, { ...service, stats: {}, rates: {}, destinations: [] }, destination))
  })

  it('is refused with an unknown property, even right after the same key without it', () => {
    accepted((requests) => changes.removeService.pack(requests, web, undefined))
    expect(refusal((requests) => changes.removeService.pack(requests, { ...web, adress: 'x' }, undefined))).toMatchObject({
      code: VALUE,
      field: 'service.adress',
    })
    expect(refusal((requests) => changes.removeService.pack(requests, { ...web, fwmark: 3 }, undefined))).toMatchObject({ code: VALUE })
  })

  it('passes on the error of a getter', () => {
    const trap = { get protocol(): string { throw new Error('trap') } }
    expect(refusal((requests) => changes.removeService.pack(requests, trap, undefined)).message).toBe('trap')
  })
})

describe('a service', () => {
  const cases: Case[] = [
    ...notStrings('service.scheduler'),
    ['service.scheduler', null, TYPE],
    ['service.scheduler', '', VALUE],
    ['service.scheduler', 'r r', VALUE],
    ['service.scheduler', 'rr\0', VALUE],
    ['service.scheduler', 'ünder', VALUE],
    ['service.scheduler', 'sixteen-letters-', VALUE],
    ['service.schedulerFlags', 'sh-port', TYPE],
    ['service.schedulerFlags', null, TYPE],
    ['service.schedulerFlags', { length: 1 }, TYPE],
    ['service.onePacket', 1, TYPE],
    ['service.onePacket', 'true', TYPE],
    ['service.onePacket', null, TYPE],
    ['service.persistence', 300, TYPE],
    ['service.persistence', true, TYPE],
    ['service.persistence', [], TYPE],
    ...notStrings('service.persistenceEngine'),
    ['service.persistenceEngine', '', VALUE],
    ['service.persistenceEngine', 'seventeen-letters', VALUE],
    ['service.destinations', [], VALUE],
    ['service.weight', 1, VALUE],
    ['service.activeConnections', 0, VALUE],
  ]
  it.each(cases)('%s = %o is refused', (field, value, code) => {
    for (const change of [changes.addService, changes.updateService]) {
      expect(refusal((requests) => change.pack(requests, withValue(service, field.split('.').slice(1), value), undefined))).toMatchObject({
        code,
        field,
      })
    }
  })

  it.each([
    ...notIntegers('service.persistence.timeout'),
    ['service.persistence.timeout', 0, RANGE],
    ['service.persistence.timeout', 4294968, RANGE],
    ...notIntegers('service.persistence.prefixLength'),
    ['service.persistence.prefixLength', 33, RANGE],
    ['service.persistence.netmask', 24, TYPE],
    ['service.persistence.netmask', 'ffff::', VALUE],
    ['service.persistence.netmask', '255.255.255', VALUE],
    ['service.persistence.netmask', '255.255.0.0', VALUE],
    ['service.persistence.mask', '255.255.255.0', VALUE],
  ] satisfies Case[])('%s = %o is refused', (field, value, code) => {
    const persistent = { ...service, persistence: { timeout: 300, prefixLength: 24 } }
    for (const change of [changes.addService, changes.updateService]) {
      expect(
        refusal((requests) => change.pack(requests, withValue(persistent, field.split('.').slice(1), value), undefined)),
      ).toMatchObject({ code, field })
    }
  })

  it.each(otherKinds)('whose persistence is a %s is refused: it does not pass for an empty object', (kind, value) => {
    expect(refusal((requests) => changes.addService.pack(requests, { ...web, persistence: value }, undefined)))
      .toMatchObject({ code: TYPE, field: 'service.persistence', message: expect.stringContaining(`Received an instance of ${kind}`) as string })
  })

  it('may have persistence of a class with getters, of another realm, or without a prototype', () => {
    class Affinity { get timeout(): number { return 300 } }
    for (const persistence of [new Affinity(), runInNewContext('({})') as object, Object.create(null) as object]) {
      accepted((requests) => changes.addService.pack(requests, { ...web, persistence }, undefined))
    }
  })

  it('is identified by its address if its firewall mark is undefined', () => {
    for (const change of [changes.addService, changes.removeService]) {
      accepted((requests) => change.pack(requests, { ...web, fwmark: undefined }, undefined))
    }
  })

  it('of IPv6 takes a prefix length from 1 to 128, and no netmask', () => {
    const six = (persistence: object) => (requests: Requests) => changes.addService.pack(requests, { ...web6, persistence }, undefined)
    expect(refusal(six({ prefixLength: 0 }))).toMatchObject({ code: RANGE, field: 'service.persistence.prefixLength' })
    expect(refusal(six({ prefixLength: 129 }))).toMatchObject({ code: RANGE })
    expect(refusal(six({ netmask: '255.255.255.0' }))).toMatchObject({ code: VALUE, field: 'service.persistence.netmask' })
    accepted(six({ prefixLength: 1 }))
    accepted(six({ prefixLength: 128 }))
    accepted(six({}))
  })

  it.each([
    ['rr', 'sh-port'], ['sh', 'mh-port'], ['mh', 'sh-fallback'], ['sh', 'flag-4'], ['sh', 'SH-PORT'], ['sh', ''],
  ])('with scheduler %s has no flag %j', (scheduler, flag) => {
    expect(refusal((requests) => changes.addService.pack(requests, { ...web, scheduler, schedulerFlags: ['flag-1', flag] }, undefined)))
      .toMatchObject({ code: VALUE, field: 'service.schedulerFlags[1]' })
  })

  it('has flags that are strings', () => {
    expect(refusal((requests) => changes.addService.pack(requests, { ...web, schedulerFlags: [1] }, undefined))).toMatchObject({
      code: TYPE,
      field: 'service.schedulerFlags[0]',
    })
  })

  it('takes what the kernel takes', () => {
    for (const more of [
      { scheduler: 'none' },
      { scheduler: 'fifteen-letters' },
      { scheduler: 'sh', schedulerFlags: ['sh-port', 'sh-fallback', 'flag-3', 'flag-1'] },
      { port: 0 },
      { onePacket: true },
      { persistence: {} },
      { persistence: { timeout: 4294967, prefixLength: 0 } },
      { persistence: { netmask: '255.0.255.0' } },
      { persistence: { netmask: '255.255.0.0', prefixLength: 16 } },
      { persistenceEngine: 'sip' },
      { address: '0.0.0.0' },
    ]) {
      accepted((requests) => changes.addService.pack(requests, { ...web, ...more }, undefined))
    }
    accepted((requests) => changes.addService.pack(requests, { fwmark: 2 ** 32 - 1, family: 6 }, undefined))
  })

  it('is updated with the complete configuration only', () => {
    accepted((requests) => changes.updateService.pack(requests, { ...service, stats: {}, rates: {} }, undefined))
    for (const name of ['scheduler', 'schedulerFlags', 'onePacket', 'persistence', 'persistenceEngine']) {
      expect(refusal((requests) => changes.updateService.pack(requests, { ...service, [name]: undefined }, undefined))).toMatchObject({ code: TYPE, field: `service.${name}` })
    }
    const update = (persistence: object) =>
      refusal((requests) => changes.updateService.pack(requests, { ...service, persistence }, undefined))
    expect(update({ prefixLength: 24 })).toMatchObject({ code: TYPE, field: 'service.persistence.timeout' })
    expect(update({ timeout: 24 })).toMatchObject({ code: TYPE, field: 'service.persistence.prefixLength' })
  })
})

describe('a destination', () => {
  const cases: Case[] = [
    ['destination.address', undefined, TYPE],
    ['destination.address', 1, TYPE],
    ['destination.address', '10.0.0.256', VALUE],
    ['destination.address', '', VALUE],
    ['destination.port', undefined, TYPE],
    ...notIntegers('destination.port'),
    ['destination.port', 65536, RANGE],
    ['destination.forward', 'masq', VALUE],
    ['destination.forward', 0, TYPE],
    ['destination.forward', null, TYPE],
    ['destination.forward', 'NAT', VALUE],
    ...notIntegers('destination.weight'),
    ['destination.weight', 2 ** 31, RANGE],
    ...notIntegers('destination.upperThreshold'),
    ['destination.upperThreshold', 2 ** 31, RANGE],
    ...notIntegers('destination.lowerThreshold'),
    ['destination.lowerThreshold', 2 ** 31, RANGE],
    ['destination.lowerThreshold', 1, RANGE],
    ['destination.tunnel', 'ipip', VALUE],
    ['destination.tunnel', { type: 'ipip' }, VALUE],
    ['destination.wieght', 1, VALUE],
  ]
  it.each(cases)('%s = %o is refused', (field, value, code) => {
    for (const change of [changes.addDestination, changes.updateDestination]) {
      expect(refusal((requests) => change.pack(requests, web, withValue(destination, field.split('.').slice(1), value)))).toMatchObject({
        code,
        field,
      })
    }
  })

  it.each(otherKinds)('whose tunnel is a %s is refused', (kind, value) => {
    expect(refusal((requests) => changes.addDestination.pack(requests, web, { ...destination, forward: 'tun', tunnel: value })))
      .toMatchObject({ code: TYPE, field: 'destination.tunnel', message: expect.stringContaining(kind) as string })
  })

  it.each([...notObjects('destination'), ['destination', undefined, TYPE], ['destination', null, TYPE]] as Case[])('%s = %o is refused', (field, value, code) => {
    for (const change of [changes.addDestination, changes.updateDestination, changes.removeDestination]) {
      expect(refusal((requests) => change.pack(requests, web, value))).toMatchObject({ code, field })
    }
  })

  it.each([
    ['destination.tunnel', 'ipip', TYPE],
    ['destination.tunnel', [], TYPE],
    ['destination.tunnel.type', 'vxlan', VALUE],
    ['destination.tunnel.type', 1, TYPE],
    ['destination.tunnel.port', undefined, TYPE],
    ...notIntegers('destination.tunnel.port'),
    ['destination.tunnel.port', 0, RANGE],
    ['destination.tunnel.port', 65536, RANGE],
    ['destination.tunnel.checksum', 'crc', VALUE],
    ['destination.tunnel.checksum', true, TYPE],
    ['destination.tunnel.key', 1, VALUE],
  ] satisfies Case[])('behind a GUE tunnel: %s = %o is refused', (field, value, code) => {
    const tunneled = { ...destination, forward: 'tun', tunnel: { type: 'gue', port: 6080, checksum: 'csum' } }
    for (const change of [changes.addDestination, changes.updateDestination]) {
      expect(refusal((requests) => change.pack(requests, web, withValue(tunneled, field.split('.').slice(1), value)))).toMatchObject({
        code,
        field,
      })
    }
  })

  it('has a tunnel port with GUE only, and the checksums of its tunnel', () => {
    const tunnel = (tunnel: object) => (requests: Requests) =>
      changes.addDestination.pack(requests, web, { ...destination, forward: 'tun', tunnel })
    expect(refusal(tunnel({ type: 'gre', port: 6080 }))).toMatchObject({ field: 'destination.tunnel.port' })
    expect(refusal(tunnel({ type: 'ipip', checksum: 'csum' }))).toMatchObject({ field: 'destination.tunnel.checksum' })
    expect(refusal(tunnel({ type: 'gre', checksum: 'remcsum' }))).toMatchObject({ field: 'destination.tunnel.checksum' })
    accepted(tunnel({ type: 'gue', port: 1, checksum: 'remcsum' }))
    accepted(tunnel({ type: 'gre', checksum: 'csum' }))
    accepted(tunnel({ type: 'ipip' }))
    accepted(tunnel({}))
  })

  it.each(['dr', 'tun'])('with %s has the port of its service, unless that has a firewall mark', (forward) => {
    expect(refusal((requests) => changes.addDestination.pack(requests, web, { address: '10.0.0.1', port: 8080, forward }))).toMatchObject({
      code: VALUE,
      field: 'destination.port',
    })
    accepted((requests) => changes.addDestination.pack(requests, marked, { address: '10.0.0.1', port: 8080, forward }))
    accepted((requests) => changes.addDestination.pack(requests, web, { address: '10.0.0.1', port: 8080, forward: 'nat' }))
  })

  it('has the other address family only with a tunnel; its key is enough to remove it', () => {
    const other = { address: '2001:db8::2', port: 80 }
    expect(refusal((requests) => changes.addDestination.pack(requests, web, { ...other, forward: 'nat' }))).toMatchObject({
      code: VALUE,
      field: 'destination.address',
    })
    expect(refusal((requests) => changes.addDestination.pack(requests, web, other))).toMatchObject({ field: 'destination.address' })
    accepted((requests) => changes.addDestination.pack(requests, web, { ...other, forward: 'tun' }))
    accepted((requests) => changes.removeDestination.pack(requests, web, other))
  })

  it('is updated with the complete configuration only', () => {
    accepted((requests) => changes.updateDestination.pack(requests, web, {
      ...destination, activeConnections: 1, inactiveConnections: 2, persistentConnections: 3, stats: {}, rates: {},
    }))
    for (const name of ['forward', 'weight', 'upperThreshold', 'lowerThreshold', 'tunnel']) {
      expect(refusal((requests) => changes.updateDestination.pack(requests, web, { ...destination, [name]: undefined }))).toMatchObject({ code: TYPE, field: `destination.${name}` })
    }
  })

  it('takes what the kernel takes', () => {
    for (const more of [
      { weight: 0 },
      { weight: 2 ** 31 - 1 },
      { upperThreshold: 2 ** 31 - 1, lowerThreshold: 2 ** 31 - 1 },
      { forward: 'local' },
      { forward: 'bypass' },
      { forward: 'dr' },
      { forward: 'tun' },
      { port: 0, forward: 'nat' },
      { address: '0.0.0.0' },
    ]) {
      accepted((requests) => changes.addDestination.pack(requests, web, { ...destination, ...more }))
    }
  })
})

describe('a sync daemon', () => {
  const daemon = { role: 'master', interface: 'eth0' }
  it.each([
    ['daemon.role', undefined, TYPE],
    ['daemon.role', 1, TYPE],
    ['daemon.role', 'Master', VALUE],
    ['daemon.interface', undefined, TYPE],
    ['daemon.interface', 1, TYPE],
    ['daemon.interface', '', VALUE],
    ['daemon.interface', 'a/b', VALUE],
    ['daemon.interface', 'a b', VALUE],
    ['daemon.interface', '..', VALUE],
    ['daemon.interface', 'eth0\0', VALUE],
    ['daemon.interface', 'sixteen-letters-', VALUE],
    ['daemon.interface', 'éééééééé', VALUE],
    ...notIntegers('daemon.syncId'),
    ['daemon.syncId', 256, RANGE],
    ...notIntegers('daemon.maxLength'),
    ['daemon.maxLength', 0, RANGE],
    ['daemon.maxLength', 65508, RANGE],
    ['daemon.group', 1, TYPE],
    ['daemon.group', '10.0.0.1', VALUE],
    ['daemon.group', 'fe80::1', VALUE],
    ['daemon.group', 'all', VALUE],
    ['daemon.group', '', VALUE],
    ...notIntegers('daemon.port'),
    ['daemon.port', 0, RANGE],
    ['daemon.port', 65536, RANGE],
    ...notIntegers('daemon.ttl'),
    ['daemon.ttl', 0, RANGE],
    ['daemon.ttl', 256, RANGE],
    ['daemon.state', 1, VALUE],
  ] satisfies Case[])('%s = %o is refused', (field, value, code) => {
    expect(
      refusal((requests) => changes.startDaemon.pack(requests, withValue(daemon, field.split('.').slice(1), value), undefined)),
    ).toMatchObject({ code, field })
  })

  it.each([...notObjects('daemon'), ['daemon', undefined, TYPE], ['daemon', null, TYPE]] as Case[])('%s = %o is refused', (field, value, code) => {
    for (const change of [changes.startDaemon, changes.stopDaemon]) {
      expect(refusal((requests) => change.pack(requests, value, undefined))).toMatchObject({ code, field })
    }
  })

  it('takes what the kernel takes; to stop it, its role is enough', () => {
    accepted((requests) => changes.startDaemon.pack(requests, daemon, undefined))
    accepted((requests) =>
      changes.startDaemon.pack(
        requests,
        { ...daemon, syncId: 255, maxLength: 65507, group: 'FF02::81', port: 65535, ttl: 255, interface: 'fifteen-letters' },
        undefined,
      ),
    )
    accepted((requests) => changes.stopDaemon.pack(requests, { role: 'backup' }, undefined))
    accepted((requests) =>
      changes.stopDaemon.pack(requests, { ...daemon, syncId: 3, maxLength: 1, group: 'x', port: 1, ttl: 1 }, undefined),
    )
    expect(refusal((requests) => changes.stopDaemon.pack(requests, {}, undefined))).toMatchObject({ code: TYPE, field: 'daemon.role' })
  })
})

describe('timeouts', () => {
  it.each(['tcp', 'tcpFin', 'udp'].flatMap((name) => [...notIntegers(`timeouts.${name}`), [`timeouts.${name}`, 2 ** 31, RANGE] as Case]))('%s = %o is refused', (field, value, code) => {
    expect(
      refusal((requests) => changes.setTimeouts.pack(requests, withValue({}, field.split('.').slice(1), value), undefined)),
    ).toMatchObject({ code, field })
  })

  it('are an object with names that are known', () => {
    for (const [kind, value] of otherKinds) {
      expect(refusal((requests) => changes.setTimeouts.pack(requests, value, undefined))).toMatchObject({
        code: TYPE,
        field: 'timeouts',
        message: expect.stringContaining(kind) as string,
      })
    }
    for (const [field, value, code] of notObjects('timeouts')) {
      expect(refusal((requests) => changes.setTimeouts.pack(requests, value, undefined))).toMatchObject({ code, field })
    }
    expect(refusal((requests) => changes.setTimeouts.pack(requests, { tcpfin: 1 }, undefined))).toMatchObject({
      code: VALUE,
      field: 'timeouts.tcpfin',
    })
    accepted((requests) => changes.setTimeouts.pack(requests, { tcp: 1, tcpFin: undefined, udp: 0 }, undefined))
  })
})

describe('an operation of a batch', () => {
  it.each([
    ['operation', undefined],
    ['operation', null],
    ['operation', 'flush'],
    ['operation', 3],
    ['operation.type', {}],
    ['operation.type', { type: 'addservice' }],
    ['operation.type', { type: 'constructor' }],
    ['service', { type: 'addService' }],
    ['destination', { type: 'addDestination', service: web }],
    ['daemon', { type: 'startDaemon' }],
    ['timeouts', { type: 'setTimeouts' }],
  ])('without its %s is refused: %o', (field, operation) => {
    expect(refusal((requests) => packOperation(requests, operation as Operation))).toMatchObject({ code: TYPE, field })
  })

  it('may have more properties, like the reason that a plan gives', () => {
    accepted((requests) => packOperation(requests, { type: 'flush', reason: 'because' } as unknown as Operation))
    accepted((requests) => packOperation(requests, { type: 'zero' }))
  })
})

describe('messages', () => {
  it.each([
    [{ ...destination, weight: -1 }, 'destination.weight must be an integer from 0 to 2147483647. Received -1'],
    [{ ...destination, weight: -0 }, 'destination.weight must be an integer from 0 to 2147483647. Received -0'],
    [{ ...destination, weight: 1n }, 'destination.weight must be an integer from 0 to 2147483647. Received 1n'],
    [{ ...destination, weight: '1' }, "destination.weight must be an integer from 0 to 2147483647. Received '1'"],
    [{ ...destination, forward: 'masq' }, "destination.forward must be one of 'nat', 'local', 'tun', 'dr', 'bypass'. Received 'masq'"],
    [{ port: 80 }, 'destination.address is missing: it must be IPv4 or IPv6 address text'],
  ])('%o: %s', (given, message) => {
    expect(refusal((requests) => changes.addDestination.pack(requests, web, given)).message).toBe(message)
  })

  it('of an update that leaves something out say what to do', () => {
    const advice = 'because the kernel resets what is left out. Read it, change it, and write it back'
    expect(refusal((requests) => changes.updateDestination.pack(requests, web, { address: '10.0.0.2', port: 80, weight: 0 })).message)
      .toBe(`destination.forward is missing: an update takes the whole destination, ${advice}`)
    expect(refusal((requests) => changes.updateService.pack(requests, { ...web, scheduler: 'rr' }, undefined)).message)
      .toBe(`service.schedulerFlags is missing: an update takes the whole service, ${advice}`)
  })

  it('are TypeErrors and RangeErrors', () => {
    expect(refusal((requests) => changes.addDestination.pack(requests, web, { ...destination, weight: -1 }))).toBeInstanceOf(RangeError)
    expect(refusal((requests) => changes.addDestination.pack(requests, web, { ...destination, weight: '1' }))).toBeInstanceOf(TypeError)
    expect(refusal((requests) => changes.addDestination.pack(requests, web, { ...destination, forward: 'x' }))).toBeInstanceOf(TypeError)
  })
})
