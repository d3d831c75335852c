import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import type { Ended } from '../../scripts/setup/run.js'
import { stories, VIP, type Machines } from '../support/doctor-machines.js'

const ipvsCommand = fileURLToPath(new URL('../../dist/bin/ipvs.cjs', import.meta.url))
const NOTHING = 'Nothing is missing, as far as can be seen from here.\n'

const story = stories(2)

/** `ipvs doctor` on the director. */
const doctor = ({ workshop }: Machines, ...args: string[]): Promise<Ended> =>
  workshop.director.namespace.run(process.execPath, [ipvsCommand, 'doctor', ...args])

story('ipvs doctor ends with 0 where nothing is missing, on the director and on a real server', async (m) => {
  await m.table()
  const [director, server, without] = await Promise.all([
    doctor(m),
    doctor(m, '--on', 'real-server', '--netns', m.server.host.namespace.path, '--vip', VIP, m.workshop.virtual[6]),
    m.workshop.director.namespace.run('setpriv', [
      '--bounding-set=-net_raw,-sys_admin', '--inh-caps=-net_raw,-sys_admin', process.execPath, ipvsCommand, 'doctor',
    ]),
  ])
  expect(director).toEqual({ status: 0, stdout: NOTHING, stderr: '' })
  expect(server).toEqual({ status: 0, stdout: NOTHING, stderr: '' })
  // It needs no CAP_SYS_ADMIN in its own namespace, and says what was not looked at without CAP_NET_RAW.
  expect(without).toMatchObject({
    status: 0,
    stdout: `${NOTHING}not looked: who answers ARP for ${VIP} (the question needs a packet socket, which needs CAP_NET_RAW)\n`,
  })
})

story('ipvs doctor says what is missing, for people and for programs, and ends with 1', async (m) => {
  const ports = await m.table()
  await m.onDirector.set({ 'net/ipv4/ip_forward': 0 })()
  const [people, program] = await Promise.all([
    doctor(m), doctor(m, '--json', '--netns', m.workshop.director.namespace.path, '--vip', VIP),
  ])
  const expected = [
    'fault, certain: this machine does not forward packets, so the answers of destinations with `nat` end here [ip-forward]',
    `  breaks  tcp ${VIP}:${ports.nat} → ${m.destination(ports.nat)}`, '  client  a timeout', '  mend    sysctl -w net.ipv4.ip_forward=1', '',
  ]
  expect(people).toEqual({ status: 1, stdout: expected.join('\n'), stderr: '' })
  const { stdout, ...rest } = program
  expect(rest).toEqual({ status: 1, stderr: '' })
  expect(JSON.parse(stdout)).toMatchObject({
    on: 'director',
    notLooked: [],
    findings: [{ row: 'ip-forward', breaks: [{ service: { port: ports.nat } }] }],
  })
  await m.onDirector.set({ 'net/ipv4/ip_forward': 1, 'net/ipv4/conf/all/send_redirects': 0 })()
})

story('ipvs doctor ends with 4 where there are only warnings', async (m) => {
  await m.table()
  await m.ipvs.startDaemon({ role: 'master', interface: 'br0' })
  expect(await doctor(m)).toMatchObject({ status: 4, stdout: expect.stringContaining('warning, certain: ') as string })
  await m.ipvs.stopDaemon({ role: 'master' })
})

story('ipvs doctor says what is wrong with its command line, or out of reach', async (m) => {
  await Promise.all(([
    [2, ['--on', 'moon'], "--on 'moon'; expected director or real-server"],
    [2, ['--vip', '10.0.0'], "--vip '10.0.0'; expected an IPv4 or IPv6 address"],
    [2, ['--jsn'], 'there is no option --jsn\nDid you mean --json?'],
    [2, ['more'], "'more' is one word too many: everything is said by options"],
    [2, ['--vip'], '--vip needs an argument'],
    [2, ['--netns', 'a', '--netns', 'b'], '--netns is there twice'],
    [3, ['--netns', 'nowhere'], "network namespace 'nowhere'"],
  ] as const).map(async ([status, args, words]) => {
    expect(await doctor(m, ...args), args.join(' '))
      .toMatchObject({ status, stdout: '', stderr: expect.stringContaining(words) as string })
  }))
  expect(await doctor(m, '--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('Usage: ipvs doctor') as string })
})
