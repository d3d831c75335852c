import { readFile, rm, writeFile } from 'node:fs/promises'
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
})
afterEach(() => scene[Symbol.asyncDispose]())

const vips = [ADDRESSES.nat, ADDRESSES.dr, ADDRESSES.gateway]
const handOver = (machine: DirectorMachine, ...options: string[]): Promise<{ status: number | null, stdout: string, stderr: string }> =>
  machine.ipvs('director', 'hand-over', '--track-file', machine.trackFile, '--vip', ...vips, ...options)
const track = async ({ trackFile }: DirectorMachine): Promise<string> => (await readFile(trackFile, 'utf8')).trim()
const hardware = (machine: DirectorMachine, side: 0 | 1): string => `02:00:00:00:0${side}:0${machine.number}`

test('a director hands its addresses over and says who has them, and takes them back where nobody wants them', async () => {
  await one.startKeepalived()
  await scene.heldBy('d1')
  await two.startKeepalived()
  const there = await handOver(one, '--timeout', '60')
  expect(there).toMatchObject({ status: 0, stderr: '' })
  expect(there.stdout).toContain(`${one.trackFile} says -254 instead of 0 now\n${vips.join(', ')} have left this machine after `)
  expect(there.stdout).toContain(`${ADDRESSES.nat} is answered for by ${hardware(two, 0)} on eth0 after `)
  expect(there.stdout).toContain(`${ADDRESSES.gateway} is answered for by ${hardware(two, 1)} on eth1 after `)
  expect(await track(one)).toBe('-254')
  await scene.heldBy('d2')

  // It can be said again.
  expect(await handOver(one, '--timeout', '60')).toMatchObject({ status: 0, stdout: expect.stringContaining('says -254 already') as string })

  // The first one is still out, so nobody takes the addresses of the second.
  const back = await handOver(two, '--timeout', '5')
  expect(back).toMatchObject({ status: 1 })
  expect(back.stderr).toMatch(/nobody else answers for it on eth0: does keepalived run on the other director\?.* says 0 again, so this machine takes part as before/)
  expect(await track(two)).toBe('0')
  await scene.heldBy('d2')

  await writeFile(one.trackFile, '0\n')
  expect(await handOver(one)).toMatchObject({ status: 1, stderr: expect.stringContaining(`are not on this machine: nothing is handed over, and ${one.trackFile} is left at 0`) as string })
  expect(await handOver(two, '--timeout', '60')).toMatchObject({ status: 0 })
  await scene.heldBy('d1')
})

test('nothing is different from before where keepalived does not follow the file', async () => {
  await one.namespace.ip(...vips.map((address) => `addr add ${address}/32 dev ${address === ADDRESSES.gateway ? 'eth1' : 'eth0'}`))
  await writeFile(one.trackFile, '5\n')
  const refused = await handOver(one, '--timeout', '1')
  expect(refused).toMatchObject({ status: 1 })
  expect(refused.stderr).toMatch(/are still here after 1 s: does keepalived run, and does its vrrp_instance follow the file with weight 1\?.* says 5 again/)
  expect(await track(one)).toBe('5')
})

test('a command line that is not understood, and a file that is not there, change nothing', async () => {
  expect(await one.ipvs('director', 'hand-over', '--vip', ADDRESSES.nat)).toMatchObject({ status: 2, stderr: expect.stringContaining('Give --track-file FILE') as string })
  expect(await one.ipvs('director', 'hand-over', '--track-file', one.trackFile)).toMatchObject({ status: 2, stderr: expect.stringContaining('Give --vip ADDRESS') as string })
  expect(await one.ipvs('director', 'hand-over', '--track-file', one.trackFile, '--vip', 'nowhere')).toMatchObject({ status: 2, stderr: expect.stringContaining('expected an IPv4 or IPv6 address') as string })
  expect(await one.ipvs('director', 'hand-over', '--track-file', `${one.trackFile}.no`, '--vip', ADDRESSES.nat)).toMatchObject({ status: 1, stderr: expect.stringContaining('is not there') as string })
  expect(await one.ipvs('director', 'hand-over', '--help')).toMatchObject({ status: 0, stderr: '' })
  expect(await track(one)).toBe('0')
})

test('a director with an empty table stays out beside one that holds the addresses, and takes part when that has nothing more to tell', async () => {
  for (const machine of [one, two]) await machine.settings({ sync_refresh_period: '2' })
  // keepalived makes the file where it is missing, and takes nothing before a director has said that the table is there.
  await rm(one.trackFile)
  await one.startKeepalived()
  expect(await track(one)).toBe('-254')
  expect(await scene.holders()).toEqual([])
  await one.startDirector()
  await until(() => track(one), (now) => now === '0')
  await scene.heldBy('d1')
  await two.startDirector()
  await two.director!.printed(/stays out of VRRP, .* -254: another director holds the addresses, and this machine knows none of its connections/)
  await two.director!.printed(/takes part in VRRP, .* 0: no more came in 6 s; 0 connections/)
  expect(await track(two)).toBe('0')
})

test('a director that stays out takes part at once when nobody holds the addresses any more, and in time otherwise', async () => {
  // It would wait half an hour.
  await two.settings({ sync_refresh_period: '600' })
  await one.startKeepalived()
  await scene.heldBy('d1')
  await two.namespace.ip('link set lo up')
  await two.startDirector('--listen', '9102')
  await two.director!.printed(/stays out of VRRP/)
  await metricsAre(two, { director_stays_out: 1 })
  await two.startKeepalived()
  expect(await track(two)).toBe('-254')
  await one.die()
  await two.director!.printed(/takes part in VRRP, .* 0: nobody holds the addresses/)
  await metricsAre(two, { director_stays_out: 0 })
  await scene.heldBy('d2')

  await one.bear()
  await one.settings({ sync_refresh_period: '600' })
  await one.startDirector('--return-after', '3')
  await one.director!.printed(/stays out of VRRP/)
  await one.director!.printed(/takes part in VRRP, .* 0: 3 s are over/)
})
