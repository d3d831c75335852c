import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Ipvs, IpvsSync } from 'ipvs'
import { Host } from '../../scripts/network/host.js'
import { refusal } from '../support/errors.js'
import { Ipvsadm } from '../support/ipvsadm.js'
import { apis } from '../support/scene.js'

type Handle = Ipvs | IpvsSync
/** Calls that TypeScript would not let through. */
type Untyped = Record<string, (...args: unknown[]) => unknown>

const TYPE = 'ERR_INVALID_ARG_TYPE'
const RANGE = 'ERR_OUT_OF_RANGE'
const VALUE = 'ERR_INVALID_ARG_VALUE'

/** Codes, each with the values that it is for. */
type Bad = [code: string, values: unknown[]][]

const noObject: Bad = [[TYPE, [undefined, null, 'text', 1, true, [], () => undefined, Symbol('object'), 1n]]]
const noString: Bad = [[TYPE, [null, 1, true, {}, ['rr'], Symbol('text'), 1n]]]
const noInteger: Bad = [[TYPE, [null, '1', '', true, {}, [1], 1n, Symbol('number'), new Date(0)]]]
const noBoolean: Bad = [[TYPE, [null, 0, 1, 'true', '', {}]]]
const outside = (...beyond: number[]): Bad => [...noInteger, [RANGE, [NaN, Infinity, -Infinity, 0.5, -0, -1, ...beyond]]]
const noAddress: Bad = [...noString, [VALUE, [
  '', ' ', 'localhost', '10.10.10', '10.10.10.10.10', '10.10.10.256', '10.10.10.-1', '010.10.10.100', '10.10.10.0x1', ' 10.10.10.100', '10.10.10.100 ', '10.10.10.100\n',
  '10.10.10.100\0', '10.10.10.100/32', '10.10.10.100:80', '[fd00::1]', 'fd00::1%lo', 'fd00:::1', 'fd00::1::2', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', 'fd00::12345', '::10.0.0.256', ':1', '1:', 'g::1',
]]]
const unknownName: Bad = [[VALUE, [1]]]

const web = { protocol: 'tcp', address: '10.10.10.100', port: 80 }
const other = { ...web, port: 81 }
const web6 = { ...web, address: 'fd00::100' }
const full = { scheduler: 'rr', schedulerFlags: [], onePacket: false, persistence: null, persistenceEngine: null }
const near = { address: '10.10.10.2', port: 80 }
const far = { address: '10.10.10.3', port: 80 }
const complete = { forward: 'nat', weight: 1, upperThreshold: 0, lowerThreshold: 0, tunnel: null }

/** A field of what a method takes: what is good but for it, where it goes, and values that it must not have. */
interface Case {
  method: string
  /** The arguments, of which `path` says the place to spoil. */
  args: unknown[]
  path: (string | number)[]
  /** The name the error gives it. */
  field: string
  bad: Bad
}

const keyCases = (method: string, args: (key: object) => unknown[], rest: object = {}): Case[] => [
  { method, args: args({}), path: [0], field: 'service', bad: noObject },
  { method, args: args({ ...other, ...rest }), path: [0, 'protocol'], field: 'service.protocol', bad: [...noString, [TYPE, [undefined]], [VALUE, ['', 'TCP', 'icmp', 'tcp ', '6', '__proto__', 'constructor']]] },
  { method, args: args({ ...other, ...rest }), path: [0, 'address'], field: 'service.address', bad: [...noAddress, [TYPE, [undefined]]] },
  { method, args: args({ ...other, ...rest }), path: [0, 'port'], field: 'service.port', bad: [...outside(65536, 2 ** 32 + 80), [TYPE, [undefined]]] },
  { method, args: args({ fwmark: 9, family: 4, ...rest }), path: [0, 'fwmark'], field: 'service.fwmark', bad: outside(0, 2 ** 32) },
  { method, args: args({ fwmark: 9, family: 4, ...rest }), path: [0, 'family'], field: 'service.family', bad: [[TYPE, [undefined, null, '4', 4n, {}]], [VALUE, [0, 2, 5, 10, NaN]]] },
  { method, args: args({ ...other, ...rest }), path: [0, 'fwmark'], field: 'service', bad: [[VALUE, [9]]] },
  { method, args: args({ ...other, ...rest }), path: [0, 'prot'], field: 'service.prot', bad: unknownName },
]

const destinationKeyCases = (method: string, rest: object = {}): Case[] => [
  { method, args: [web, {}], path: [1], field: 'destination', bad: noObject },
  { method, args: [web, { ...near, ...rest }], path: [1, 'address'], field: 'destination.address', bad: [...noAddress, [TYPE, [undefined]]] },
  { method, args: [web, { ...near, ...rest }], path: [1, 'port'], field: 'destination.port', bad: [...outside(65536), [TYPE, [undefined]]] },
  { method, args: [web, { ...near, ...rest }], path: [1, 'host'], field: 'destination.host', bad: unknownName },
]

const configurationCases = (method: string, service: object): Case[] => [
  { method, args: [service], path: [0, 'scheduler'], field: 'service.scheduler', bad: [...noString, [VALUE, ['', ' ', 'r r', 'rr\0', 'rr\n', 'sixteen-letters-', 'ärr', '../rr'.padEnd(16, 'r')]]] },
  { method, args: [service], path: [0, 'schedulerFlags'], field: 'service.schedulerFlags', bad: [[TYPE, [null, 'flag-1', 1, {}, true, new Set(['flag-1'])]]] },
  { method, args: [{ ...service, schedulerFlags: ['flag-1'] }], path: [0, 'schedulerFlags', 0], field: 'service.schedulerFlags[0]', bad: [[TYPE, [null, undefined, 1, {}, []]], [VALUE, ['', 'flag-0', 'flag-4', 'sh-port', 'mh-port', 'FLAG-1']]] },
  { method, args: [{ ...service, scheduler: 'sh', schedulerFlags: ['flag-1'] }], path: [0, 'schedulerFlags', 0], field: 'service.schedulerFlags[0]', bad: [[VALUE, ['mh-port', 'mh-fallback']]] },
  { method, args: [service], path: [0, 'onePacket'], field: 'service.onePacket', bad: noBoolean },
  { method, args: [service], path: [0, 'persistence'], field: 'service.persistence', bad: [[TYPE, [true, 300, '300', [], Symbol('persistence')]]] },
  { method, args: [{ ...service, persistence: { timeout: 1, prefixLength: 32 } }], path: [0, 'persistence', 'timeout'], field: 'service.persistence.timeout', bad: outside(0, 2 ** 32) },
  { method, args: [{ ...service, persistence: { timeout: 1, prefixLength: 32 } }], path: [0, 'persistence', 'prefixLength'], field: 'service.persistence.prefixLength', bad: outside(33, 128) },
  { method, args: [{ ...service, ...web6, persistence: { timeout: 1, prefixLength: 32 } }], path: [0, 'persistence', 'prefixLength'], field: 'service.persistence.prefixLength', bad: outside(0, 129) },
  { method, args: [{ ...service, persistence: { timeout: 1 } }], path: [0, 'persistence', 'netmask'], field: 'service.persistence.netmask', bad: [...noString, [VALUE, ['', '24', '/24', '255.255.255', '255.255.255.256', 'ffff::']]] },
  { method, args: [{ ...service, persistence: { timeout: 1, prefixLength: 24 } }], path: [0, 'persistence', 'netmask'], field: 'service.persistence.netmask', bad: [[VALUE, ['255.255.0.0', '255.0.255.0']]] },
  { method, args: [{ ...service, ...web6, persistence: { timeout: 1 } }], path: [0, 'persistence', 'netmask'], field: 'service.persistence.netmask', bad: [[VALUE, ['255.255.0.0']]] },
  { method, args: [{ ...service, persistence: { timeout: 1, prefixLength: 32 } }], path: [0, 'persistence', 'mask'], field: 'service.persistence.mask', bad: unknownName },
  { method, args: [service], path: [0, 'persistenceEngine'], field: 'service.persistenceEngine', bad: [...noString.map(([code, values]): Bad[number] => [code, values.filter(value => value !== null)]), [VALUE, ['', 'si p', 'sip\0', 'seventeen-letters']]] },
]

const destinationCases = (method: string, rest: object): Case[] => {
  const args = [web, { ...near, ...rest }]
  const tunnel = (properties: object): unknown[] => [web, { ...near, ...rest, forward: 'tun', tunnel: { type: 'ipip', checksum: 'none', ...properties } }]
  return [
    { method, args, path: [1, 'forward'], field: 'destination.forward', bad: [...noString, [VALUE, ['', 'masq', 'NAT', 'dr ', 'toString']]] },
    { method, args, path: [1, 'weight'], field: 'destination.weight', bad: outside(2 ** 31) },
    { method, args, path: [1, 'upperThreshold'], field: 'destination.upperThreshold', bad: outside(2 ** 31) },
    { method, args: [web, { ...near, ...rest, upperThreshold: 5 }], path: [1, 'lowerThreshold'], field: 'destination.lowerThreshold', bad: outside(6, 2 ** 31) },
    { method, args: [web, { ...near, ...rest, forward: 'tun' }], path: [1, 'tunnel'], field: 'destination.tunnel', bad: [[TYPE, [true, 'ipip', 1, []]]] },
    { method, args, path: [1, 'tunnel'], field: 'destination.tunnel', bad: [[VALUE, [{ type: 'ipip', checksum: 'none' }]]] },
    { method, args: tunnel({}), path: [1, 'tunnel', 'type'], field: 'destination.tunnel.type', bad: [...noString, [VALUE, ['', 'IPIP', 'vxlan']]] },
    { method, args: tunnel({ type: 'gue' }), path: [1, 'tunnel', 'port'], field: 'destination.tunnel.port', bad: [...outside(0, 65536), [TYPE, [undefined]]] },
    { method, args: tunnel({}), path: [1, 'tunnel', 'port'], field: 'destination.tunnel.port', bad: [[VALUE, [6080]]] },
    { method, args: tunnel({ type: 'gre' }), path: [1, 'tunnel', 'port'], field: 'destination.tunnel.port', bad: [[VALUE, [6080]]] },
    { method, args: tunnel({}), path: [1, 'tunnel', 'checksum'], field: 'destination.tunnel.checksum', bad: [...noString, [VALUE, ['', 'csum', 'remcsum', 'nocsum']]] },
    { method, args: tunnel({ type: 'gre' }), path: [1, 'tunnel', 'checksum'], field: 'destination.tunnel.checksum', bad: [[VALUE, ['remcsum']]] },
    { method, args: tunnel({}), path: [1, 'tunnel', 'ttl'], field: 'destination.tunnel.ttl', bad: unknownName },
    { method, args: [web, { ...near, ...rest, forward: 'dr' }], path: [1, 'port'], field: 'destination.port', bad: [[VALUE, [81, 0]]] },
    { method, args: [web, { ...near, ...rest, forward: 'tun' }], path: [1, 'port'], field: 'destination.port', bad: [[VALUE, [8080]]] },
    { method, args, path: [1, 'address'], field: 'destination.address', bad: [[VALUE, ['fd00::2']]] },
  ]
}

/** An update must say everything: every property of the configuration that is left out is missed. */
const missing = (method: string, args: unknown[], place: number, what: string, properties: string[]): Case[] =>
  properties.map(property => ({ method, args, path: [place, property], field: `${what}.${property}`, bad: [[TYPE, [undefined]]] }))

const daemon = { role: 'backup', interface: 'lo' }
const cases: Case[] = [
  ...keyCases('addService', key => [key]),
  ...keyCases('updateService', key => [key], full),
  ...keyCases('removeService', key => [key]),
  ...keyCases('getService', key => [key]),
  ...keyCases('destinations', key => [key]),
  ...keyCases('addDestination', key => [key, near]),
  ...keyCases('updateDestination', key => [key, { ...near, ...complete }]),
  ...keyCases('removeDestination', key => [key, near]),
  ...keyCases('zero', key => [key]).filter(({ path }) => path.length > 1),
  { method: 'zero', args: [{}], path: [0], field: 'service', bad: [[TYPE, [null, 'text', 1, true, [], () => undefined]]] },
  ...configurationCases('addService', other),
  ...configurationCases('updateService', { ...web, ...full }),
  ...missing('updateService', [{ ...web, ...full }], 0, 'service', Object.keys(full)),
  ...destinationKeyCases('addDestination'),
  ...destinationKeyCases('updateDestination', complete),
  ...destinationKeyCases('removeDestination'),
  ...destinationCases('addDestination', far),
  ...destinationCases('updateDestination', complete),
  ...missing('updateDestination', [web, { ...near, ...complete }], 1, 'destination', Object.keys(complete)),
  { method: 'setTimeouts', args: [{}], path: [0], field: 'timeouts', bad: noObject },
  ...['tcp', 'tcpFin', 'udp'].map(name => ({ method: 'setTimeouts', args: [{ tcp: 5 }], path: [0, name], field: `timeouts.${name}`, bad: outside(2 ** 31) })),
  { method: 'setTimeouts', args: [{ tcp: 5 }], path: [0, 'tcpfin'], field: 'timeouts.tcpfin', bad: unknownName },
  { method: 'startDaemon', args: [{}], path: [0], field: 'daemon', bad: noObject },
  { method: 'stopDaemon', args: [{}], path: [0], field: 'daemon', bad: noObject },
  ...['startDaemon', 'stopDaemon'].flatMap((method): Case[] => [
    { method, args: [daemon], path: [0, 'role'], field: 'daemon.role', bad: [...noString, [TYPE, [undefined]], [VALUE, ['', 'Master', 'slave']]] },
    { method, args: [daemon], path: [0, 'syncId'], field: 'daemon.syncId', bad: outside(256) },
    { method, args: [daemon], path: [0, 'mtu'], field: 'daemon.mtu', bad: unknownName },
  ]),
  { method: 'startDaemon', args: [daemon], path: [0, 'interface'], field: 'daemon.interface', bad: [...noString, [TYPE, [undefined]], [VALUE, ['', 'sixteen-letters-', 'lo\0', 'l o', 'a/b']]] },
  { method: 'startDaemon', args: [daemon], path: [0, 'maxLength'], field: 'daemon.maxLength', bad: outside(0, 65508, 65536) },
  { method: 'startDaemon', args: [daemon], path: [0, 'group'], field: 'daemon.group', bad: [...noAddress, [VALUE, ['10.10.10.1', 'fd00::1']]] },
  { method: 'startDaemon', args: [daemon], path: [0, 'port'], field: 'daemon.port', bad: outside(0, 65536) },
  { method: 'startDaemon', args: [daemon], path: [0, 'ttl'], field: 'daemon.ttl', bad: outside(0, 256) },
]

/** The arguments with one place changed; `undefined` leaves a property out. */
function spoiled(args: unknown[], path: (string | number)[], value: unknown): unknown[] {
  const [first, ...rest] = path
  const change = (target: unknown, [key, ...deeper]: (string | number)[]): unknown => {
    const copy = (Array.isArray(target) ? [...target as unknown[]] : { ...target as object }) as Record<string | number, unknown>
    if (deeper.length > 0) copy[key] = change(copy[key], deeper)
    else if (value === undefined && !Array.isArray(target)) delete copy[key]
    else copy[key] = value
    return copy
  }
  return args.map((arg, place) => place !== first ? arg : rest.length === 0 ? value : change(arg, rest))
}

describe.each(apis)('bad input to %s', (label, Api) => {
  let host: Host
  let ipvs: Handle
  let call: Untyped
  let ipvsadm: Ipvsadm
  let before: unknown

  /** Everything that ipvsadm can tell of a table. */
  const everything = async (): Promise<unknown> => [await ipvsadm.save(), await ipvsadm.thresholds(), await ipvsadm.timeouts(), await ipvsadm.daemons()]
  /** The kernel's own listing: less, but at no cost. */
  const listing = (): Promise<string> => host.read('/proc/net/ip_vs')

  beforeAll(async () => {
    host = await Host.create(label)
    ipvs = await Api.open({ netns: host.namespace.name })
    call = ipvs as unknown as Untyped
    ipvsadm = new Ipvsadm(host.namespace.path)
    await ipvsadm.restore(['-A -t 10.10.10.100:80 -s rr', '-a -t 10.10.10.100:80 -r 10.10.10.2:80 -m -w 5 -x 100 -y 10', '--start-daemon master --mcast-interface lo'])
    before = await everything()
  })
  afterAll(async () => {
    expect(await everything()).toEqual(before)
    await ipvs.close()
    await host[Symbol.asyncDispose]()
  })

  test.each(cases.map((one, number) => ({ ...one, number })))('$number: $method with a bad $field', async ({ method, args, path, field, bad }) => {
    const unchanged = await listing()
    for (const [code, values] of bad) {
      for (const value of values) {
        const error = await refusal(() => call[method](...spoiled(args, path, value)))
        expect(error, `${field}: ${typeof value === 'symbol' ? 'a symbol' : String(value)}: ${error.stack}`).toMatchObject({ code })
        expect(error).toBeInstanceOf(code === RANGE ? RangeError : TypeError)
        expect(error.message).toContain(field)
      }
    }
    expect(await listing()).toBe(unchanged)
  })

  test('a getter that throws is the caller\'s own error', async () => {
    const boom = new Error('boom')
    const service = Object.defineProperty({ ...other }, 'port', { get: () => { throw boom }, enumerable: true })
    expect(await refusal(() => call.addService(service))).toBe(boom)
  })

  test('bad input beside good input, called in one turn: the good is carried out', async () => {
    const bad = refusal(() => call.removeDestination(web, { ...near, port: -1 }))
    const good = call.addService(other)
    expect(await bad).toMatchObject({ code: RANGE })
    await good
    expect(await ipvs.getService({ protocol: 'tcp', address: '10.10.10.100', port: 81 })).toBeDefined()
    await call.removeService(other)
  })
})

describe.each(apis)('bad options to %s', (_, Api) => {
  const open = Api.open.bind(Api) as unknown as (options: unknown) => unknown

  test.each<[string, unknown, string]>([
    ['options', null, TYPE], ['options', 'director', TYPE], ['options', 1, TYPE], ['options', [], TYPE],
    ['netns', 1, TYPE], ['netns', null, TYPE], ['netns', {}, TYPE], ['netns', [], TYPE], ['netns', true, TYPE],
    ['netns', '', VALUE], ['netns', 'a\0b', VALUE],
    ['netns.pid', { pid: 0 }, RANGE], ['netns.pid', { pid: -1 }, RANGE], ['netns.pid', { pid: 1.5 }, RANGE], ['netns.pid', { pid: '1' }, TYPE],
    ['netns.fd', { fd: -1 }, RANGE], ['netns.fd', { fd: 2 ** 31 }, RANGE], ['netns.fd', { fd: '3' }, TYPE],
    ['receiveBuffer', 0, RANGE], ['receiveBuffer', '1', TYPE], ['receiveBuffer', 2 ** 31, RANGE],
    ['sendBuffer', -1, RANGE], ['sendBuffer', null, TYPE], ['nets', 'director', VALUE],
  ])('%s: %j', async (field, value, code) => {
    const error = await refusal(() => open(field === 'options' ? value : { [field.replace(/\..*/, '')]: value }))
    expect(error).toMatchObject({ code })
    expect(error.message).toContain(field)
  })
})
