import { expect, test } from 'vitest'
import type { Finding } from '../../../lib/host/index.js'
import { reasonsIn } from '../../../lib/command/director/announcer.js'

const web = { protocol: 'tcp', address: '192.0.2.1', port: 80 } as const
const mail = { protocol: 'tcp', address: '192.0.2.2', port: 25 } as const
const a = { address: '10.0.0.2', port: 80 }
const b = { address: '10.0.0.3', port: 80 }

const stands = (service: typeof web | typeof mail, ...destinations: typeof a[]) => ({
  service, destinations: destinations.map((destination) => ({ destination, up: true, since: 0, ups: 0, downs: 0, weight: 1 })),
})
const finding = (change: Partial<Finding>): Finding =>
  ({ row: 'vip-not-here', severity: 'fault', certainty: 'certain', missing: 'x', breaks: [], client: 'x', mend: [], causes: [], ...change })

test.each<[string, Partial<Finding>, number]>([
  ['breaks every service', { breaks: [{ service: web }, { address: '192.0.2.2' }] }, 1],
  ['breaks one of two services', { breaks: [{ service: web }] }, 0],
  ['breaks all destinations of every service', { row: 'link-to-destination', breaks: [{ service: web, destination: a }, { service: web, destination: b }, { service: mail }] }, 1],
  ['breaks some destinations', { row: 'link-to-destination', breaks: [{ service: web, destination: a }, { service: mail }] }, 0],
  ['is likely only', { certainty: 'likely', breaks: [{ service: web }, { service: mail }] }, 0],
  ['is a warning', { severity: 'warning', breaks: [{ service: web }, { service: mail }] }, 0],
  ['is about servers', { row: 'nobody-there', breaks: [{ service: web }, { service: mail }] }, 0],
])('a finding that %s keeps a director from being announced: %#', (_, change, reasons) => {
  expect(reasonsIn([finding(change)], [stands(web, a, b), stands(mail, a)])).toHaveLength(reasons)
})

test('without a service nothing keeps it from that', () => {
  expect(reasonsIn([finding({ breaks: [{ address: '192.0.2.1' }] })], [])).toEqual([])
})
