import { integer, object, refuseUnknown, type Known } from '../../arguments/validate.js'
import { TIMEOUT } from '../../model/limits.js'
import { bits, index, records } from '../layout.js'
import type { Requests } from './requests.js'

/** Bytes of the timeouts in a request. */
export const TIMEOUTS_SIZE = records.config.requestSize

const PRESENT = index('config', 'present', 'u32')
const FIELDS = ['tcp', 'tcpFin', 'udp'].map((name) => ({ name, at: index('config', name, 'u32'), bit: bits('config', name) }))

const TIMEOUTS: Known = { what: 'timeouts', names: new Set(FIELDS.map(({ name }) => name)) }

/** Writes the given timeouts. The kernel leaves the others unchanged. */
export function writeTimeouts(requests: Requests, at: number, value: unknown): void {
  const timeouts = object(value, 'timeouts')
  refuseUnknown(timeouts, 'timeouts', TIMEOUTS)
  let present = 0
  for (const { name, at: field, bit } of FIELDS) {
    const seconds = timeouts[name]
    if (seconds === undefined) continue
    requests.u32[(at >> 2) + field] = integer(seconds, `timeouts.${name}`, TIMEOUT)
    present |= bit
  }
  requests.u32[(at >> 2) + PRESENT] = present
}
