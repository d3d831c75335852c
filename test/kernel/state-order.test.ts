import { Ipvs } from 'ipvs'
import { expect, onTestFinished, test } from 'vitest'
import { Scene } from '../support/scene.js'

const web = { protocol: 'tcp', address: '192.0.2.1', port: 80, scheduler: 'mh' } as const
const destinations = ['10.0.0.2', '10.0.0.3', '10.0.0.4'].map((address) => ({ address, port: 80, forward: 'nat' as const }))

test('a plan warns where ipvsadm has added destinations of mh in another order than a new table would have', async () => {
  const scene = await Scene.create(Ipvs, 'order')
  onTestFinished(() => scene[Symbol.asyncDispose]())
  const { ipvs, ipvsadm } = scene
  const warnings = async (): Promise<string[]> => {
    const { warnings } = await ipvs.plan([{ ...web, destinations }], { prune: 'all' })
    return warnings.map(({ code }) => code)
  }
  await ipvsadm.run('-A -t 192.0.2.1:80 -s mh', ...destinations.map(({ address }) => `-a -t 192.0.2.1:80 -r ${address}:80 -m`))
  expect(await warnings()).toEqual([])
  await ipvsadm.run('-d -t 192.0.2.1:80 -r 10.0.0.3:80', '-a -t 192.0.2.1:80 -r 10.0.0.3:80 -m')
  expect(await warnings()).toEqual(['order'])
  // What this package makes has the order of the list.
  await ipvs.flush()
  await ipvs.apply([{ ...web, destinations }])
  expect(await warnings()).toEqual([])
})
