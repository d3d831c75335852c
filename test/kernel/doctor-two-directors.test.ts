import { expect, test } from 'vitest'
import { Ipvs } from 'ipvs'
import { examineDirector, examineRealServer } from 'ipvs/doctor'
import { SYNC_SETTINGS, TwoDirectors } from '../../scripts/network/two-directors.js'

test.each([4, 6] as const)('two directors and their real servers, of which none lacks anything, have no finding: IPv%i', async (family) => {
  await using scene = await TwoDirectors.create({ family })
  const { client, directors, servers, addresses } = scene
  for (const machine of directors) {
    await machine.settings(SYNC_SETTINGS)
    await machine.startDirector('--return-after', '0')
    await machine.startKeepalived()
    if (machine === directors[0]) await scene.heldBy('d1')
  }
  const stops = await Promise.all([addresses.nat, addresses.dr].map((address) => client.keepAsking({ address, port: 80 }, 300)))
  const reports = await Promise.all([
    ...directors.map(async ({ namespace }) => {
      await using ipvs = await Ipvs.open({ netns: namespace.name })
      return await examineDirector(ipvs)
    }),
    ...servers.map(({ host }) => examineRealServer({ netns: host.namespace.name, vips: [addresses.dr] })),
  ])
  const answers = (await Promise.all(stops.map((stop) => stop()))).flat()
  expect(reports).toEqual(['director', 'director', 'real-server', 'real-server'].map((on) => ({ on, findings: [], notLooked: [] })))
  expect(new Set(answers)).toEqual(new Set(['alpha', 'beta']))
})
