import { afterEach, beforeEach, expect, test } from 'vitest'
import { ADDRESSES, TwoDirectors, type DirectorMachine } from '../../scripts/network/two-directors.js'
import { metricsAre } from '../support/director-metrics.js'
import { until } from '../support/until.js'

let scene: TwoDirectors
let one: DirectorMachine
let two: DirectorMachine
beforeEach(async () => {
  scene = await TwoDirectors.create()
  ;[one, two] = scene.directors
  for (const machine of [one, two]) {
    await machine.namespace.ip('link set lo up')
    await machine.startDirector('--fifo', machine.fifo, '--listen', '9102', '--return-after', '0')
    await machine.startKeepalived()
    if (machine === one) await scene.heldBy('d1')
  }
  await metricsAre(one, { director_holding: 1, director_addresses_shared: 0, [group]: 2 })
})
afterEach(() => scene[Symbol.asyncDispose]())

const kept = { director_holding: 0, director_addresses_shared: 0 }
const group = 'director_vrrp_state{type="group",name="lvs"}'

test('keepalived ends at a SIGTERM: it says so, and the other director has the addresses', async () => {
  await one.stopKeepalived()
  await scene.heldBy('d2')
  const { director } = one
  await director!.printed(/keepalived: group lvs is STOP/)
  await director!.printed(/does not hold its addresses: .*10\.0\.0\.100 has gone from eth0/)
  expect(await director!.printed(/keepalived has closed its FIFO/)).not.toMatch(/left its addresses here/)
  await two.director!.printed(/keepalived: group lvs is MASTER/)
  // Without keepalived there are no states of it; the other one is MASTER.
  await metricsAre(one, { ...kept, [group]: undefined })
  await metricsAre(two, { director_holding: 1, director_addresses_shared: 0, [group]: 2 })
})

test('it reads its configuration again: the addresses stay where they are, and nobody is warned', async () => {
  const [from, said] = [one.keepalived!.lines.length, one.director!.lines.length]
  process.kill(one.keepalived!.pid, 'SIGHUP')
  await one.keepalived!.printed(/reload (complete|finished)/i, { from })
  expect(await scene.holders()).toEqual(['d1'])
  // It has the FIFO open again.
  await one.stopKeepalived()
  await one.director!.printed(/keepalived: group lvs is STOP/, { from: said })
  expect(one.director!.lines.slice(said).filter((line) => line.includes('left its addresses here'))).toEqual([])
  await scene.heldBy('d2')
})

test('its process for VRRP is killed: another one takes its place and removes the addresses, and one director has them again', async () => {
  await one.killKeepalived('child')
  await one.director!.printed(/does not hold its addresses: .*10\.0\.0\.100 has gone from eth0/)
  // Both wait for three advertisements. The one whose process was killed waits a fifth of a second less, because its priority is higher,
  // and begins later: either can be the first.
  const [holder] = await until(() => scene.holders(), (holders) => holders.length > 0)
  await scene.heldBy(holder)
  for (const machine of [one, two]) {
    await metricsAre(machine, { director_holding: machine.name === holder ? 1 : 0, director_addresses_shared: 0 })
  }
  expect(one.keepalived!.hasEnded).toBe(false)
})

test('its first process is killed: the one for VRRP ends as at a SIGTERM', async () => {
  await one.killKeepalived('parent')
  await scene.heldBy('d2')
  const { director } = one
  await director!.printed(/keepalived: group lvs is STOP/)
  expect(await director!.printed(/keepalived has closed its FIFO/)).not.toMatch(/left its addresses here/)
  await metricsAre(one, kept)
  await metricsAre(two, { director_holding: 1, director_addresses_shared: 0 })
})

test('both are killed: both directors have the addresses and warn, until keepalived is started again', async () => {
  await one.killKeepalived()
  await one.director!.printed(/keepalived has closed its FIFO and left its addresses here/)
  await scene.heldBy('d1', 'd2')
  for (const { director } of [one, two]) {
    for (const address of [ADDRESSES.nat, ADDRESSES.dr]) {
      await director!.printed(new RegExp(`${address}, which this machine holds on eth0, is answered for by 02:00:00:00:00:0[12] too`))
    }
    await director!.printed(new RegExp(`${ADDRESSES.gateway}, which this machine holds on eth1, is answered for by .* too`))
  }
  for (const machine of [one, two]) await metricsAre(machine, { director_holding: 1, director_addresses_shared: 3 })

  const from = two.director!.lines.length
  await one.startKeepalived()
  await scene.heldBy('d2')
  await one.director!.printed(/does not hold its addresses/)
  await metricsAre(one, kept)
  for (const address of [ADDRESSES.nat, ADDRESSES.dr, ADDRESSES.gateway]) {
    await two.director!.printed(new RegExp(`${address} is answered for by nobody else any more`), { from })
  }
  await metricsAre(two, { director_holding: 1, director_addresses_shared: 0 })
})
