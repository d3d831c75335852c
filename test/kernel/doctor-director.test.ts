import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { DirectorProcess, type Logged } from '../support/director-process.js'
import { stories, VIP, type Machines } from '../support/doctor-machines.js'

const story = stories(3)

/** A file, in a folder that is gone afterwards. */
async function withFile(text: string, use: (file: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'doctor-director-'))
  try {
    const file = join(folder, 'configuration')
    await writeFile(file, text)
    await use(file)
  } finally {
    await rm(folder, { recursive: true })
  }
}

const start = ({ workshop }: Machines, ...args: string[]): Promise<DirectorProcess> =>
  DirectorProcess.start([...args, '--netns', workshop.director.namespace.path, '--remove-on-exit'])

/** What `ipvs director` tells of its machine after its start. */
async function told(m: Machines, ...args: string[]): Promise<{ findings: Logged[], examined: Logged }> {
  await using director = await start(m, ...args)
  const examined = await director.logged(({ event }) => event === 'examined')
  expect(await director.end()).toBe(0)
  return { findings: director.log.filter(({ event }) => event === 'finding'), examined }
}

const json = ({ server }: Machines, ports: readonly number[], address = VIP): string => JSON.stringify({
  services: ports.map((port) => ({
    protocol: 'tcp', address, port, scheduler: 'rr', destinations: [{ address: server.address[4], port, forward: 'nat' }],
  })),
})

story('ipvs director has the doctor look at its machine at the start, and tells that nothing is missing', (m) => withFile(json(m, [80]), async (file) => {
  expect(await told(m, '--config', file)).toEqual({
    findings: [],
    examined: expect.objectContaining({
      level: 'info', findings: 0, notLooked: [], message: 'the doctor has looked at this machine: nothing is missing',
    }) as Logged,
  })
}))

story('ipvs director tells at its start what the machine lacks, whom that breaks and what mends it', (m) => withFile(json(m, [80, 81]), async (file) => {
  await m.onDirector.set({ 'net/ipv4/ip_forward': 0 })()
  const { findings, examined } = await told(m, '--config', file)
  await m.onDirector.set({ 'net/ipv4/ip_forward': 1, 'net/ipv4/conf/all/send_redirects': 0 })()
  expect(findings).toMatchObject([{
    level: 'error', row: 'ip-forward', severity: 'fault', certainty: 'certain', mend: ['sysctl -w net.ipv4.ip_forward=1'],
    breaks: [80, 81].map((port) => ({ destination: { address: m.server.address[4], port } })),
    message: 'the doctor finds: this machine does not forward packets, so the answers of destinations with `nat` end here [ip-forward]; '
      + `it breaks tcp ${VIP}:80 → ${m.server.address[4]}:80 and 1 more; the client sees a timeout; mend: sysctl -w net.ipv4.ip_forward=1`,
  }])
  expect(examined).toMatchObject({ findings: 1, message: expect.stringContaining('1 thing is missing') as string })
}))

story('ipvs director says that a virtual address is missing, unless VRRP moves it', async (m) => {
  const elsewhere = '10.10.20.101'
  await withFile(json(m, [80], elsewhere), async (file) => {
    expect((await told(m, '--config', file)).findings).toMatchObject([{ row: 'vip-not-here', mend: [`ip addr add ${elsewhere}/32 dev br0`] }])
  })
  await withFile(`
vrrp_instance front {
  interface br0
  virtual_router_id 51
  virtual_ipaddress {
    ${elsewhere}/32
  }
}
virtual_server ${elsewhere} 80 {
  lb_algo rr
  lb_kind NAT
  protocol TCP
  real_server ${m.server.address[4]} 80 {
  }
}
`, async (file) => {
    expect(await told(m, '--keepalived', file)).toMatchObject({ findings: [], examined: { findings: 0 } })
  })
})

story('of a large table ipvs director has the doctor look at a part', (m) => withFile(json(m, Array.from({ length: 65 }, (_, index) => 1 + index)), async (file) => {
  expect((await told(m, '--config', file)).examined.message).toContain('the doctor has looked at 64 of 65 services and this machine: ')
}))

story('ipvs director ends while the doctor looks, and says nothing of it', (m) => withFile(json(m, [80]), async (file) => {
  await using director = await start(m, '--config', file)
  expect(await director.end()).toBe(0)
  expect(director.log.map(({ event }) => event)).toContain('ended')
  expect(director.log.filter(({ event }) => ['finding', 'examined', 'examination'].includes(event))).toEqual([])
}))
