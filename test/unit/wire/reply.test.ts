import { describe, expect, it } from 'vitest'
import { inEntry, reply as layout } from '../../../lib/wire/layout.js'
import { changes, reads } from '../../../lib/client/operations.js'
import { Requests } from '../../../lib/wire/pack/requests.js'
import { SERVICE_KEY_SIZE } from '../../../lib/wire/pack/service.js'
import { readDestinationKey } from '../../../lib/wire/unpack/destination.js'
import { repeatedDestinations } from '../../../lib/wire/unpack/key-index.js'
import { Reply } from '../../../lib/wire/unpack/reply.js'
import { echo, FIRST, packReply, set } from './support/replies.js'

const web = { protocol: 'tcp', address: '10.0.0.1', port: 80 } as const

describe('a reply', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('may end with a text of %i characters', (length) => {
    const text = 'x'.repeat(length)
    const reply = new Reply(packReply([{ outcome: -22, text }, {}]))
    expect([reply.outcome(0), reply.text(0), reply.outcome(1), reply.text(1)]).toEqual([-22, text, 0, undefined])
  })

  it('may have records beyond two gigabytes', () => {
    const requests = new Requests(1024)
    changes.addDestination.pack(requests, web, { address: '10.0.0.2', port: 8080, forward: 'nat', weight: 7 })
    const record = echo(requests, FIRST + SERVICE_KEY_SIZE, 'destination')
    set(record, 'destination', 'rateInBytes', 5)
    const count = 9
    const at = 2 ** 31 + 8
    // Pages that nobody touches take no memory.
    const reply = new Reply(new ArrayBuffer(at + count * record.length))
    const entry = layout.headerSize / 4
    reply.u32[entry + inEntry('recordCount', 'u32')] = count
    reply.u32[entry + inEntry('recordsOffset', 'u32')] = at
    for (let n = 0; n < count; n++) reply.u8.set(record, at + n * record.length)
    expect(reply.recordsOf(0)).toBe(at)
    expect(readDestinationKey(reply, at)).toEqual({ address: '10.0.0.2', port: 8080 })
    expect(reads.destinations.read(reply, at)).toMatchObject({
      address: '10.0.0.2',
      port: 8080,
      forward: 'nat',
      weight: 7,
      rates: { inBytes: 5 },
    })
    expect(repeatedDestinations(reply, 0)).toEqual(new Set([1, 2, 3, 4, 5, 6, 7, 8]))
  })
})
