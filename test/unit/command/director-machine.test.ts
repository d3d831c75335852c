import { describe, expect, test } from 'vitest'
import { movingAddresses, movingPlaces, syncOf, trackFault, withSync } from '../../../lib/command/director/machine.js'
import { readDirectorCommand } from '../../../lib/command/director/options.js'
import { parseKeepalived, type Vrrp } from '../../../lib/keepalived/index.js'

const vrrpOf = (text: string): Vrrp => parseKeepalived(text).vrrp
const INSTANCES = `
vrrp_instance front {
  interface eth0
  virtual_router_id 51
  virtual_ipaddress {
    10.0.0.100/32
    10.0.0.200/32 dev eth2
  }
}
vrrp_instance back {
  interface eth1
  virtual_router_id 52
  virtual_ipaddress {
    10.1.0.254/24
    10.0.0.100/32
  }
}
`

describe('what keepalived.conf says of two directors', () => {
  test('is which addresses move, and where they are put', () => {
    expect(movingAddresses(vrrpOf(INSTANCES))).toEqual(['10.0.0.100', '10.0.0.200', '10.1.0.254'])
    expect(movingPlaces(vrrpOf(INSTANCES)).map(({ address, interface: name }) => `${address} ${name}`)).toEqual([
      '10.0.0.100 eth0', '10.0.0.200 eth2', '10.1.0.254 eth1', '10.0.0.100 eth1',
    ])
    expect(movingAddresses(vrrpOf(''))).toBeUndefined()
    expect(movingAddresses(undefined)).toBeUndefined()
  })

  test('is whether keepalived follows the track file, and with which weight', () => {
    const file = (lines: string): Vrrp => vrrpOf(`vrrp_track_file director {\n  file /run/a\n${lines}\n}\n`)
    expect(trackFault('/run/a', file(''))).toBeUndefined()
    expect(trackFault('/run/b', file(''))).toMatch(/^keepalived.conf names no vrrp_track_file \/run\/b/)
    expect(trackFault('/run/b', undefined)).toBeUndefined()
  })
})

describe('--sync', () => {
  test('runs both roles', () => {
    expect(withSync({ services: [] }, syncOf('eth1,id=7'), undefined)).toEqual({
      configuration: { services: [], daemons: [{ role: 'master', interface: 'eth1', syncId: 7 }, { role: 'backup', interface: 'eth1', syncId: 7 }] },
    })
    expect(withSync({ services: [] }, undefined, undefined)).toEqual({ configuration: { services: [] } })
  })

  test('leaves the daemons alone that keepalived.conf gives to VRRP', () => {
    const { configuration, words } = withSync({ services: [] }, syncOf('eth1'), vrrpOf(`global_defs {\n  lvs_sync_daemon eth1 front id 7\n}\n${INSTANCES}`))
    expect(configuration).toEqual({ services: [] })
    expect(words).toMatch(/^--sync has no effect: keepalived.conf gives the sync daemons to VRRP instance front/)
  })

  test('counts before the daemons of the configuration, and says so', () => {
    const { configuration, words } = withSync({ services: [], daemons: [{ role: 'master', interface: 'eth9' }] }, syncOf('eth1'), undefined)
    expect(configuration.daemons.map(({ interface: name }) => name)).toEqual(['eth1', 'eth1'])
    expect(words).toMatch(/not those of the configuration/)
  })

  test.each(['', 'eth1,', 'eth1,id=', 'eth1,id=256', 'eth1,id=-1', 'eth1 id=1', 'eth1/x', 'an-interface-with-a-long-name', 'eth1,port=1'])(
    '%j is refused', (text) => expect(() => syncOf(text)).toThrow(/expected INTERFACE\[,id=N\]/),
  )
})

test('the command line of two directors', () => {
  const read = (line: string): ReturnType<typeof readDirectorCommand> => readDirectorCommand(['--keepalived', 'a.conf', ...line.split(' ')])
  expect(read('--sync eth1 --fifo /run/fifo --track-file /run/track')).toMatchObject({
    sync: { interface: 'eth1' }, fifo: '/run/fifo', trackFile: { path: '/run/track', after: 300 },
  })
  expect(read('--track-file /run/track --return-after 0')).toMatchObject({ trackFile: { path: '/run/track', after: 0 } })
  expect(() => read('--return-after 5')).toThrow(/goes with --track-file/)
  expect(() => read('--track-file /run/track --return-after soon')).toThrow(/expected seconds/)
  expect(() => read('--fifo fifo')).toThrow(/expected the absolute path/)
  expect(() => read('--check --fifo /run/fifo')).toThrow(/--fifo does not go with --check/)
})
