import { describe, expect, test } from 'vitest'
import type { InterfaceAddress } from 'ipvs/network'
import { Holding } from '../../../lib/director/holding.js'

const on = (address: string, more: Partial<InterfaceAddress> = {}): InterfaceAddress =>
  ({ address, prefixLength: 32, interface: 'eth0', index: 2, scope: 'global', tentative: false, ...more })

/** A machine that has these addresses, and looks for those. */
function machine(has: InterfaceAddress[], looks: string[]): Holding {
  const holding = new Holding()
  holding.take({ type: 'list', addresses: has })
  holding.watch(looks)
  return holding
}

describe('who holds the addresses', () => {
  test('is not known before the kernel has told', () => {
    const holding = new Holding()
    holding.watch(['10.0.0.1'])
    expect(holding.has('10.0.0.1')).toBeUndefined()
    expect(holding.news()).toBeUndefined()
    holding.take({ type: 'list', addresses: [] })
    expect(holding.has('10.0.0.1')).toBe(false)
    expect(holding.news()).toMatchObject({ held: 'none', came: [], went: [] })
    expect(holding.news()).toBeUndefined()
  })

  test('is told when addresses come, all of them together, and when they go', () => {
    const holding = machine([on('10.0.0.9')], ['10.0.0.1', '10.0.0.2'])
    expect(holding.news()).toMatchObject({ held: 'none', why: 'as the kernel has it at the start' })
    holding.take({ type: 'added', address: on('10.0.0.1') })
    holding.take({ type: 'added', address: on('10.0.0.2', { interface: 'eth1', index: 3 }) })
    expect(holding.news()).toMatchObject({ held: 'all', came: ['10.0.0.1', '10.0.0.2'], why: '10.0.0.1 came to eth0, 10.0.0.2 came to eth1' })
    holding.take({ type: 'removed', address: on('10.0.0.2', { interface: 'eth1', index: 3 }) })
    expect(holding.news()).toMatchObject({ held: 'some', went: ['10.0.0.2'], why: '10.0.0.2 has gone from eth1' })
    holding.take({ type: 'removed', address: on('10.0.0.1') })
    expect(holding.news()).toMatchObject({ held: 'none', went: ['10.0.0.1'] })
  })

  test('counts an address on two interfaces until it has gone from both', () => {
    const holding = machine([on('10.0.0.1'), on('10.0.0.1', { interface: 'lo', index: 1 })], ['10.0.0.1'])
    expect(holding.news()).toMatchObject({ held: 'all' })
    holding.take({ type: 'removed', address: on('10.0.0.1') })
    expect(holding.news()).toBeUndefined()
    holding.take({ type: 'removed', address: on('10.0.0.1', { interface: 'lo', index: 1 }) })
    expect(holding.news()).toMatchObject({ held: 'none', why: '10.0.0.1 has gone from lo' })
  })

  test('does not count an IPv6 address that another machine may have', () => {
    const holding = machine([on('fd00::1', { tentative: true })], ['FD00:0::1'])
    expect(holding.news()).toMatchObject({ held: 'none' })
    holding.take({ type: 'changed', address: on('fd00::1') })
    expect(holding.news()).toMatchObject({ held: 'all', came: ['fd00::1'] })
  })

  test('says nothing of an address that went and came back in between, nor of one that nobody looks for any more', () => {
    const holding = machine([on('10.0.0.1')], ['10.0.0.1', '10.0.0.2'])
    holding.news()
    holding.take({ type: 'removed', address: on('10.0.0.1') })
    holding.take({ type: 'list', addresses: [on('10.0.0.1')] })
    expect(holding.news()).toBeUndefined()
    holding.take({ type: 'added', address: on('10.0.0.2') })
    holding.watch(['10.0.0.1'])
    expect(holding.news()).toMatchObject({ held: 'all', came: [], why: 'other addresses are looked for' })
    expect(holding.addresses).toMatchObject([{ address: '10.0.0.1', held: true, interface: 'eth0' }])
  })
})
