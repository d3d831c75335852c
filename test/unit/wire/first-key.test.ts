import { expect, test } from 'vitest'
import { index, records } from '../../../lib/wire/layout.js'
import { Requests } from '../../../lib/wire/pack/requests.js'
import { SERVICE_KEY_SIZE, writeServiceKey } from '../../../lib/wire/pack/service.js'

// In a file of its own: what is packed first in a process finds nothing that was packed before.

const FWMARK = index('service', 'fwmark', 'u32')

test('the first key of a process may be a firewall mark or a bad key with as many properties as an address key', () => {
  const requests = new Requests(records.service.requestSize * 2)
  const pack = (key: object): number => {
    const at = requests.reserve(SERVICE_KEY_SIZE)
    writeServiceKey(requests, at, key)
    return at
  }
  expect(() => pack({ a: 1, b: 2, c: 3 })).toThrow('service.protocol')
  expect(() => pack({ protocol: undefined, address: undefined, port: undefined })).toThrow('service.protocol')
  expect(() => pack({ fwmark: 7, family: 4, bogus: 'rr' })).toThrow('service.bogus')
  const at = pack({ fwmark: 7, family: 4, scheduler: 'rr' })
  expect(requests.u32[(at >> 2) + FWMARK]).toBe(7)
})
