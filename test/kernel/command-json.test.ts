import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Ipvs } from 'ipvs'
import { outputDefinitions, outputMistakes } from '../support/output-schema.js'
import { Scene } from '../support/scene.js'

const command = fileURLToPath(new URL('../../dist/bin/ipvs.cjs', import.meta.url))
let scene: Scene
beforeAll(async () => {
  scene = await Scene.create(Ipvs, 'json')
  const { ipvs, ipvsadm, namespace } = scene
  await namespace.ip('link add dummy9 type dummy', 'link set dummy9 up', 'address add 10.10.10.1/24 dev dummy9')
  await ipvs.addService({ protocol: 'tcp', address: '127.0.0.1', port: 80, scheduler: 'mh', schedulerFlags: ['mh-port'] })
  await ipvs.addDestination({ protocol: 'tcp', address: '127.0.0.1', port: 80 }, { address: '127.0.0.1', port: 8080, forward: 'nat', upperThreshold: 9 })
  await ipvs.addService({ protocol: 'udp', address: '2001:db8::1', port: 53, scheduler: 'rr', persistence: { timeout: 60 }, onePacket: false })
  await ipvsadm.run('-A -f 7 -s wlc -p 300 -M 255.255.255.0', '-a -f 7 -r 10.10.10.2 -i', '--start-daemon master --mcast-interface dummy9 --syncid 3')
  await namespace.must(process.execPath, ['-e', `
    const server = require('net').createServer().listen(8080, '127.0.0.1', () => {
      const socket = require('net').connect(80, '127.0.0.1', () => { socket.destroy(); server.close() })
    })`])
})
afterAll(() => scene[Symbol.asyncDispose]())

const printed = async (...args: string[]): Promise<string> => (await scene.namespace.run(process.execPath, [command, ...args])).stdout

test.each([
  ['Table', ['-L', '--json']],
  ['Service', ['-L', '-t', '127.0.0.1:80', '--json']],
  ['Service', ['-L', '-f', '7', '--json']],
  ['Connections', ['-L', '-c', '--json']],
  ['Timeouts', ['-L', '--timeout', '--json']],
  ['Daemons', ['-L', '--daemon', '--json']],
  ['TopLook', ['top', '--json', '--count', '1', '--interval', '0.1']],
  ['DoctorReport', ['doctor', '--json']],
  ['DoctorReport', ['doctor', '--on', 'real-server', '--vip', '192.0.2.1', '--json']],
])('%s is what ipvs %j prints', async (definition, args) => {
  const text = await printed(...args)
  expect(outputMistakes(definition, JSON.parse(text)), text).toEqual([])
  expect(JSON.stringify(JSON.parse(text)).length).toBeGreaterThan(20)
})

test('the listings that were validated are not empty', async () => {
  const table = JSON.parse(await printed('-L', '--json')) as { services: { destinations: object[] }[] }
  expect(table.services.map(({ destinations }) => destinations.length).sort()).toEqual([0, 1, 1])
  expect(JSON.parse(await printed('-L', '-c', '--json'))).toHaveLength(1)
  expect(JSON.parse(await printed('-L', '--daemon', '--json'))).toHaveLength(1)
})

test.each(outputDefinitions)('%s refuses what it does not know', (definition) => {
  expect(outputMistakes(definition, { unheard: 'of' })).not.toEqual([])
})
