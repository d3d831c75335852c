/** Prints what `ipvs top` shows in a terminal while there is traffic. It runs inside the lab. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Ipvs } from 'ipvs'
import { Workshop } from '../network/workshop.js'
import { checkout } from '../setup/checkout.js'
import { must } from '../setup/run.js'

await using workshop = await Workshop.create(['alpha', 'beta', 'gamma'])
const { client, director, backends, virtual } = workshop
await using ipvs = await Ipvs.open({ netns: director.namespace.name })
const ports = { http: 80, tcp: 5432, udp: 53 } as const
for (const [transport, port] of Object.entries(ports)) {
  const service = { protocol: transport === 'udp' ? 'udp' : 'tcp', address: virtual[4], port } as const
  await ipvs.addService({ ...service, scheduler: transport === 'http' ? 'wrr' : 'rr' })
  for (const [index, { name, host, address }] of backends.entries()) {
    await host.serve(transport as 'http', address[4], port, name)
    await ipvs.addDestination(service, { address: address[4], port, forward: 'nat', weight: index + 1 })
  }
}

// The socket has a folder of its own. The folder that tmux makes in /tmp otherwise stays there, and no other user can use it.
const folder = await mkdtemp(join(tmpdir(), 'ipvs-picture-'))
const tmux = (...words: string[]): Promise<string> =>
  must('tmux', ['-u', '-S', join(folder, 'socket'), ...words], { env: { TERM: 'xterm', TMUX: '' } })
const command = ['nsenter', `--net=${director.namespace.path}`, process.execPath, join(checkout, 'dist/bin/ipvs.cjs'), 'top']
await tmux('-f', '/dev/null', 'new-session', '-d', '-x', '110', '-y', '18', ...command)
const shown = async (): Promise<string> => tmux('capture-pane', '-p')
// Traffic until the kernel has added up whole periods of it, and every service has a rate.
const end = Date.now() + 60_000
for (;;) {
  for (const [transport, port] of Object.entries(ports)) {
    await client.ask({ transport: transport as 'http', address: virtual[4], port, payload: 'x'.repeat(200) }, transport === 'http' ? 60 : 20)
  }
  const lines = (await shown()).split('\n').filter(line => /^(TCP|UDP) /.test(line))
  const busy = lines.filter(line => / [\d.]+[KM]? +[\d.]+[KM]? +\d+ +\d+$/.test(line) && !/ 0 +0 +0 +0 +0 +\d+ +\d+$/.test(line))
  if (busy.length === 3 || Date.now() > end) break
  await setTimeout(100)
}
process.stdout.write(await shown())
await tmux('kill-server')
await rm(folder, { recursive: true })
