import assert from 'node:assert/strict'
import { describe, expect, it } from 'vitest'
import { changes, reads } from '../../../lib/client/operations.js'
import { Requests } from '../../../lib/wire/pack/requests.js'
import { SERVICE_KEY_SIZE } from '../../../lib/wire/pack/service.js'
import type { Daemon, Destination, ListedDestination, ListedService, Service } from '../../../lib/model/types.js'
import { Reply } from '../../../lib/wire/unpack/reply.js'
import { echo, FIRST, packReply, set } from './support/replies.js'

/** What a kernel that keeps exactly what it is told would list. */
function listedService(service: object): ListedService {
  const requests = new Requests(1024)
  changes.addService.pack(requests, service, undefined)
  const reply = new Reply(packReply([{ records: [echo(requests, FIRST, 'service')] }]))
  return reads.services.read(reply, reply.recordsOf(0))
}

function listedDestination(service: object, destination: object): ListedDestination {
  const requests = new Requests(1024)
  changes.addDestination.pack(requests, service, destination)
  const reply = new Reply(packReply([{ records: [echo(requests, FIRST + SERVICE_KEY_SIZE, 'destination')] }]))
  return reads.destinations.read(reply, reply.recordsOf(0))
}

const stats = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n }
const rates = { connections: 0, inPackets: 0, outPackets: 0, inBytes: 0, outBytes: 0 }
const web = { protocol: 'tcp', address: '10.10.10.100', port: 80 } as const
const plain = { scheduler: 'wlc', schedulerFlags: [], onePacket: false, persistence: null, persistenceEngine: null }

describe('what is written is read back', () => {
  const services: Service[] = [
    { ...web, ...plain },
    { protocol: 'udp', address: '2001:db8::1', port: 65535, ...plain, scheduler: 'fifteen-letters' },
    { protocol: 'sctp', address: '::', port: 0, ...plain, onePacket: true },
    { fwmark: 4294967295, family: 4, ...plain },
    { fwmark: 1, family: 6, ...plain, persistence: { timeout: 1, prefixLength: 128 }, persistenceEngine: 'sixteen-letters-' },
    { ...web, ...plain, scheduler: 'sh', schedulerFlags: ['sh-fallback', 'sh-port', 'flag-3'] },
    { ...web, ...plain, scheduler: 'mh', schedulerFlags: ['mh-port'] },
    { ...web, ...plain, scheduler: 'rr', schedulerFlags: ['flag-1', 'flag-2'] },
    ...Array.from({ length: 33 }, (_, prefixLength): Service => ({ ...web, ...plain, persistence: { timeout: 4294967, prefixLength } })),
    { ...web, ...plain, persistence: { timeout: 5, netmask: '255.0.255.0' } } as unknown as Service,
  ]
  it.each(services)('service %o', (service) => {
    assert.deepEqual(listedService(service), { ...service, stats, rates })
    // What is listed can be written again, as it is.
    assert.deepEqual(listedService(listedService(service)), { ...service, stats, rates })
    changes.updateService.pack(new Requests(1024), listedService(service), undefined)
  })

  const destinations: Destination[] = (['nat', 'dr', 'tun', 'local', 'bypass'] as const).map((forward) => ({
    address: '10.10.10.2', port: 80, forward, weight: 2147483647, upperThreshold: 2147483647, lowerThreshold: 5,
    tunnel: forward === 'tun' ? { type: 'gue', port: 65535, checksum: 'remcsum' } : null,
  }))
  it.each([
    ...destinations,
    { ...destinations[2], address: '2001:db8::2', tunnel: { type: 'ipip', checksum: 'none' } },
    { ...destinations[2], weight: 0, tunnel: { type: 'gre', checksum: 'csum' } },
  ] satisfies Destination[])('destination %o', (destination) => {
    const listed = listedDestination(web, destination)
    assert.deepEqual(listed, { ...destination, activeConnections: 0, inactiveConnections: 0, persistentConnections: 0, stats, rates })
    changes.updateDestination.pack(new Requests(1024), web, listed)
  })

  it('sync daemons, over IPv4 and IPv6', () => {
    for (const daemon of [
      { role: 'master', interface: 'eth0', syncId: 255, maxLength: 65507, group: '224.0.0.81', port: 8848, ttl: 1 },
      { role: 'backup', interface: 'fifteen-letters', syncId: 0, maxLength: 1, group: 'ff02::81', port: 65535, ttl: 255 },
      { role: 'backup', interface: 'größe', syncId: 0, maxLength: 1, group: 'ff02::81', port: 65535, ttl: 255 },
    ] satisfies Daemon[]) {
      const requests = new Requests(1024)
      changes.startDaemon.pack(requests, daemon, undefined)
      const reply = new Reply(packReply([{ records: [echo(requests, FIRST, 'daemon')] }]))
      assert.deepEqual(reads.daemons.read(reply, reply.recordsOf(0)), daemon)
    }
  })
})

describe('defaults are ipvsadm\'s', () => {
  it('of a service', () => {
    assert.deepEqual(listedService(web), { ...web, ...plain, stats, rates })
    assert.deepEqual(listedService({ ...web, persistence: {} }).persistence, { timeout: 360, prefixLength: 32 })
    assert.deepEqual(listedService({ fwmark: 1, family: 6, persistence: {} }).persistence, { timeout: 360, prefixLength: 128 })
  })

  it('of a destination', () => {
    const { forward, weight, upperThreshold, lowerThreshold, tunnel } = listedDestination(web, { address: '10.0.0.1', port: 80 })
    assert.deepEqual(
      { forward, weight, upperThreshold, lowerThreshold, tunnel },
      { forward: 'dr', weight: 1, upperThreshold: 0, lowerThreshold: 0, tunnel: null },
    )
    for (const given of [undefined, null, {}]) {
      assert.deepEqual(listedDestination(web, { address: '10.0.0.1', port: 80, forward: 'tun', tunnel: given }).tunnel, {
        type: 'ipip',
        checksum: 'none',
      })
    }
  })
})

describe('what is listed', () => {
  function counted(): ListedDestination {
    const requests = new Requests(1024)
    changes.addDestination.pack(requests, web, { address: '10.0.0.1', port: 80 })
    const record = echo(requests, FIRST + SERVICE_KEY_SIZE, 'destination')
    set(record, 'destination', 'connections', 2n ** 64n - 1n)
    set(record, 'destination', 'inPackets', 2n)
    set(record, 'destination', 'outPackets', 2n ** 32n)
    set(record, 'destination', 'inBytes', 2n ** 53n + 1n)
    set(record, 'destination', 'outBytes', 5n)
    set(record, 'destination', 'rateConnections', 1n)
    set(record, 'destination', 'rateInPackets', 2n)
    set(record, 'destination', 'rateOutPackets', 3n)
    set(record, 'destination', 'rateInBytes', 2n ** 32n)
    set(record, 'destination', 'rateOutBytes', 5n)
    set(record, 'destination', 'activeConnections', 4294967295)
    set(record, 'destination', 'inactiveConnections', 2)
    set(record, 'destination', 'persistentConnections', 3)
    const reply = new Reply(packReply([{ records: [record] }]))
    return reads.destinations.read(reply, reply.recordsOf(0))
  }
  const expected = {
    address: '10.0.0.1', port: 80, forward: 'dr', weight: 1, upperThreshold: 0, lowerThreshold: 0, tunnel: null,
    activeConnections: 4294967295, inactiveConnections: 2, persistentConnections: 3,
    stats: { connections: 18446744073709551615n, inPackets: 2n, outPackets: 4294967296n, inBytes: 9007199254740993n, outBytes: 5n },
    rates: { connections: 1, inPackets: 2, outPackets: 3, inBytes: 4294967296, outBytes: 5 },
  }

  it('has plain properties, that compare, copy and clone', () => {
    assert.deepEqual(counted(), expected)
    assert.deepEqual({ ...counted() }, expected)
    assert.deepEqual({ ...counted().stats }, expected.stats)
    assert.deepEqual(structuredClone(counted()), expected)
    assert.deepEqual(Object.keys(counted().stats), Object.keys(expected.stats))
    expect(counted()).toStrictEqual(expected)
  })

  it('becomes JSON, with counters as decimal text', () => {
    assert.deepEqual(JSON.parse(JSON.stringify({ ...counted() })), {
      ...expected,
      stats: { connections: '18446744073709551615', inPackets: '2', outPackets: '4294967296', inBytes: '9007199254740993', outBytes: '5' },
    })
  })

  it('has numbers where the kernel has values without a name', () => {
    const requests = new Requests(1024)
    changes.addDestination.pack(requests, web, { address: '10.0.0.1', port: 80, forward: 'tun' })
    const record = echo(requests, FIRST + SERVICE_KEY_SIZE, 'destination')
    set(record, 'destination', 'tunnelType', 9)
    set(record, 'destination', 'tunnelFlags', 4)
    const reply = new Reply(packReply([{ records: [record, record] }]))
    assert.deepEqual(reads.destinations.read(reply, reply.recordsOf(0)).tunnel, { type: 9, checksum: 4 })
    set(record, 'destination', 'forward', 0xf7)
    const later = new Reply(packReply([{ records: [record] }]))
    assert.equal(reads.destinations.read(later, later.recordsOf(0)).forward, 7)
  })

  it('reads the version and the timeouts', () => {
    const record = new Uint8Array(16)
    set(record, 'info', 'version', 0x010203)
    set(record, 'info', 'connectionTableSize', 4096)
    const reply = new Reply(packReply([{ records: [record] }]))
    assert.deepEqual(reads.info.read(reply, reply.recordsOf(0)), { version: '1.2.3', connectionTableSize: 4096 })
  })
})

describe('a service key', () => {
  it('is written the same from memory as anew', () => {
    const keys = [
      web,
      { ...web, port: 81 },
      { ...web, protocol: 'udp' },
      { ...web, address: '10.10.10.101' },
      { fwmark: 3, family: 4 },
      { ...web, address: '::1' },
    ]
    const once = keys.map((key) => {
      const requests = new Requests(1024)
      changes.removeService.pack(requests, { ...key, address: 'address' in key ? key.address : undefined }, undefined)
      return Buffer.from(requests.u8.subarray(0, requests.length))
    })
    for (const i of [0, 0, 1, 0, 2, 2, 0, 3, 0, 4, 0, 4, 5, 5, 0]) {
      const requests = new Requests(1024)
      changes.removeService.pack(requests, keys[i], undefined)
      expect(Buffer.from(requests.u8.subarray(0, requests.length)).equals(once[i])).toBe(true)
    }
  })
})
