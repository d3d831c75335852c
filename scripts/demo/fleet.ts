/**
 * The demo of a fleet: a router spreads clients over three directors (ECMP, by BGP with bird), which follow three members of etcd and send
 * clients to six servers. Then things die.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { release } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { Host, type Conversation } from '../network/host.js'
import { Namespace } from '../network/namespace.js'
import { checkout } from '../setup/checkout.js'
import { must, run } from '../setup/run.js'

const VIP = '10.9.9.9'
const CONNECTIONS = 300
const PREFIX = '/demo'
const MEMBERS = ['127.9.0.1', '127.9.0.2', '127.9.0.3']
const PATIENCE = 60_000

const print = (...lines: string[]): void => { process.stdout.write(lines.map((line) => `${line}\n`).join('')) }
const wrong: string[] = []
function verdict(isGood: boolean, words: string): void {
  print(`    ${isGood ? 'ok ' : 'NOT'}  ${words}`)
  if (!isGood) wrong.push(words)
}

/** Looks until something holds. Returns the milliseconds that it took. */
async function until(what: string, holds: () => Promise<boolean>): Promise<number> {
  const begun = performance.now()
  while (!await holds()) {
    if (performance.now() - begun > PATIENCE) throw new Error(`this did not come about: ${what}`)
    await wait(5)
  }
  return Math.round(performance.now() - begun)
}

const folder = await mkdtemp('/run/ipvs-demo-')
const processes = new Set<ChildProcess>()
function start(program: string, args: readonly string[], inside?: Namespace): ChildProcess {
  const [first, ...rest] = inside === undefined ? [program, ...args] : ['nsenter', `--net=${inside.path}`, program, ...args]
  const child = spawn(first, rest, { stdio: ['ignore', 'ignore', 'pipe'] })
  child.stderr.resume()
  processes.add(child)
  child.once('exit', () => processes.delete(child))
  return child
}
async function kill(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill(signal)
  await ended
}

// etcd
const members = new Map<string, ChildProcess>()
const isOld = new Set<string>()
function startMember(address: string): void {
  members.set(address, start('etcd', [
    `--name=${address}`, `--data-dir=${join(folder, address)}`, `--listen-client-urls=http://${address}:2379`, `--advertise-client-urls=http://${address}:2379`,
    `--listen-peer-urls=http://${address}:2380`, `--initial-advertise-peer-urls=http://${address}:2380`, '--log-level=error', '--logger=zap',
    `--initial-cluster=${MEMBERS.map((one) => `${one}=http://${one}:2380`).join(',')}`, `--initial-cluster-state=${isOld.has(address) ? 'existing' : 'new'}`,
  ]))
  isOld.add(address)
}
const endpoints = MEMBERS.map((one) => `http://${one}:2379`).join(',')
const environment = { ETCDCTL_API: '3' }
const living = (): string => [...members].filter(([, { exitCode, signalCode }]) => exitCode === null && signalCode === null)
  .map(([address]) => `http://${address}:2379`).join(',')
const etcdctl = (...args: string[]) => run('etcdctl', [`--endpoints=${living()}`, '--command-timeout=20s', ...args], { env: environment })
const put = async (name: string, value: unknown): Promise<void> => {
  await must('etcdctl', [`--endpoints=${living()}`, '--command-timeout=20s', 'put', `${PREFIX}/v1/services/${name}`, JSON.stringify(value)], { env: environment })
}
const etcdAnswers = (): Promise<number> => until('etcd answers', async () => (await etcdctl('get', 'nothing')).status === 0)
const leader = async (): Promise<string> => {
  const { stdout } = await etcdctl('endpoint', 'status', '-w', 'json')
  const status = JSON.parse(stdout) as { Endpoint: string, Status: { header: { member_id: number }, leader: number } }[]
  const { Endpoint } = status.find(({ Status }) => Status.leader === Status.header.member_id)!
  return new URL(Endpoint).hostname
}

// The network
const hosts: Host[] = []
async function host(name: string): Promise<Host> {
  const made = await Host.create(name)
  hosts.push(made)
  return made
}

/** A director: its machine, bird on it, and the program. */
class DirectorHost {
  bird!: ChildProcess
  program!: ChildProcess

  constructor(readonly id: string, readonly address: string, readonly host: Host) {}

  async startBird(): Promise<void> {
    const file = join(folder, `${this.id}.conf`)
    await writeFile(file, `router id ${this.address};
protocol device { scan time 10; }
protocol static vip { disabled yes; ipv4; route ${VIP}/32 blackhole; }
protocol bfd { interface "eth0" { interval 50 ms; multiplier 3; }; }
protocol bgp upstream { local as 65001; neighbor 10.1.0.1 as 65000; hold time 9; connect retry time 1; connect delay time 1; error wait time 1, 2;
  bfd yes; ipv4 { import none; export all; next hop self; }; }
`)
    this.bird = start('bird', ['-f', '-c', file, '-s', join(folder, `${this.id}.ctl`), '-P', join(folder, `${this.id}.pid`)], this.host.namespace)
  }

  startProgram(): void {
    this.program = start(process.execPath, [
      join(checkout, 'dist/bin/ipvs.cjs'), 'director', '--etcd', endpoints, '--prefix', PREFIX, '--id', this.id, '--netns', this.host.namespace.name,
      '--announce', 'vip', '--bird', join(folder, `${this.id}.ctl`), '--drain', '5', '--log', 'json',
    ])
    createInterface({ input: this.program.stderr! }).on('line', (line) => {
      const { level, message } = JSON.parse(line) as { level: string, message: string }
      if (level === 'error') print(`         ${this.id}: ${message}`)
    })
  }

  table(): Promise<string> {
    return this.host.namespace.must('ipvsadm', ['-Sn'])
  }
}

const router = await host('router')
const client = await host('client')
const directors: DirectorHost[] = []
for (const number of [1, 2, 3]) directors.push(new DirectorHost(`d${number}`, `10.1.0.1${number}`, await host(`d${number}`)))
const servers: { name: string, address: string, host: Host }[] = []
for (const number of [1, 2, 3, 4, 5, 6]) servers.push({ name: `b${number}`, address: `10.1.0.2${number}`, host: await host(`b${number}`) })

/** Addresses and routes of a machine on the inner segment. */
async function plugIn(machine: Host, name: string, address: string): Promise<void> {
  await router.namespace.ip(
    `link add ${name} type veth peer name eth0 netns ${machine.namespace.name}`, `link set ${name} master br0 up`,
  )
  await machine.namespace.ip(`address add ${address}/24 dev eth0`, `link set eth0 up`, `route add default via 10.1.0.1`)
}

await router.namespace.ip(
  'link add br0 type bridge', 'address add 10.1.0.1/24 dev br0', 'link set br0 up',
  `link add outer type veth peer name eth0 netns ${client.namespace.name}`, 'address add 10.0.0.1/24 dev outer', 'link set outer up',
)
await client.namespace.ip('address add 10.0.0.2/24 dev eth0', 'link set eth0 up', 'route add default via 10.0.0.1')
await router.sysctl({ 'net/ipv4/ip_forward': 1, 'net/ipv4/fib_multipath_hash_policy': 1, 'net/ipv4/conf/all/send_redirects': 0 })
for (const { id, address, host: machine } of directors) {
  await plugIn(machine, id, address)
  await machine.namespace.ip(`address add ${VIP}/32 dev lo`)
  await machine.sysctl({ 'net/ipv4/ip_forward': 1, 'net/ipv4/conf/all/send_redirects': 0, 'net/ipv4/conf/eth0/send_redirects': 0 })
  // The setting of IPVS is there once IPVS is.
  await machine.namespace.must('ipvsadm', ['-Ln'])
  await machine.sysctl({ 'net/ipv4/vs/sloppy_tcp': 1 })
}
for (const { name, address, host: machine } of servers) {
  await plugIn(machine, name, address)
  await machine.sysctl({ 'net/ipv4/conf/all/arp_ignore': 1, 'net/ipv4/conf/all/arp_announce': 2 })
  await machine.namespace.ip(`address add ${VIP}/32 dev lo`)
  await machine.serve('tcp', VIP, 80, name)
  await machine.serve('tcp', address, 80, name)
}
const routerFile = join(folder, 'router.conf')
await writeFile(routerFile, `router id 10.1.0.1;
protocol device { scan time 10; }
protocol kernel { ipv4 { import none; export all; }; merge paths yes; }
protocol bfd { interface "br0" { interval 50 ms; multiplier 3; }; }
template bgp director { local as 65000; hold time 9; connect retry time 1; connect delay time 1; error wait time 1, 2; bfd yes; ipv4 { import all; export none; }; }
${directors.map(({ id, address }) => `protocol bgp ${id} from director { neighbor ${address} as 65001; }`).join('\n')}
`)

const nextHops = async (): Promise<string[]> =>
  [...(await router.namespace.must('ip', ['route', 'show', VIP])).matchAll(/via (\S+)/g)].map(([, address]) => address).sort()
const service = (count: number) => ({
  protocol: 'tcp', address: VIP, port: 80, scheduler: 'mh', schedulerFlags: ['mh-port'], checks: [{ type: 'tcp', interval: 1, timeout: 5 }],
  destinations: servers.slice(0, count).map(({ address }) => ({ address, port: 80 })),
})
const other = (count: number) => ({
  ...service(count), port: 8080, checks: [], destinations: servers.slice(0, count).map(({ address }) => ({ address, port: 8080 })),
})

/** Puts a value, and looks until all directors have it. */
async function inForceEverywhere(what: string, name: string, value: unknown, has: (table: string) => boolean): Promise<void> {
  const begun = performance.now()
  await put(name, value)
  const took = Math.round(performance.now() - begun)
  const more = await until(what, async () => (await Promise.all(directors.map((one) => one.table()))).every(has))
  print(`         ${what}: the put took ${took} ms (etcdctl's start included); in force in all three after ${more} ms more`)
}

const connections: { conversation: Conversation, server: string }[] = []
/** Asks on every connection, and says how many are lost. */
async function ask(what: string): Promise<void> {
  let lost = 0
  for (const { conversation, server } of connections) {
    const [answer] = await conversation.say().catch(() => ['lost'])
    if (answer !== server) lost++
  }
  verdict(lost === 0, `${what}: ${lost} of ${connections.length} connections lost`)
}

try {
  print('', `A fleet on a real kernel: Linux ${release()}, Node ${process.version}`, '',
    '    client ── router ──┬── d1 d2 d3        three directors, each with bird: the router spreads clients over them',
    '                       └── b1 … b6         six servers, by direct routing',
    '    etcd 1 2 3                             what the directors follow', '')
  for (const address of MEMBERS) startMember(address)
  await etcdAnswers()
  await put('web', service(6))
  await put('other', other(5))
  start('bird', ['-f', '-c', routerFile, '-s', join(folder, 'router.ctl'), '-P', join(folder, 'router.pid')], router.namespace)
  for (const one of directors) {
    await one.startBird()
    one.startProgram()
  }
  const ready = await until('three next hops', async () => (await nextHops()).length === 3)
  print(`    Three directors have read etcd, and the router has three ways to ${VIP}, after ${ready} ms`)
  for (let count = 0; count < CONNECTIONS; count++) {
    const conversation = await client.connect({ transport: 'tcp', address: VIP, port: 80 })
    const [server] = await conversation.say()
    connections.push({ conversation, server })
  }
  print(`    ${CONNECTIONS} long connections, at ${new Set(connections.map(({ server }) => server)).size} servers`)
  await ask('before anything happens')

  print('', '  A server is added to another service, and drained from it')
  await inForceEverywhere('added', 'other', other(6), (table) => table.includes('10.1.0.26:8080'))
  await inForceEverywhere('drained', 'other', other(5), (table) => !table.includes('10.1.0.26:8080'))
  await ask('while that happened')

  print('', '  d1 is killed: its program, its bird and its network')
  const [first] = directors
  await first.host.namespace.ip('link set eth0 down')
  const gone = await until('d1 withdrawn', async () => !(await nextHops()).includes(first.address))
  await kill(first.program)
  await kill(first.bird)
  print(`         the router has no way to d1 any more after ${gone} ms (BFD, 50 ms × 3)`)
  await ask('d1 killed')

  print('', '  d1 returns with an empty table')
  await first.host.namespace.must('ipvsadm', ['-C'])
  await first.host.namespace.ip('link set eth0 up', 'route replace default via 10.1.0.1')
  await first.startBird()
  first.startProgram()
  print(`         back at the router after ${await until('d1 back', async () => (await nextHops()).length === 3)} ms`)
  await ask('d1 returned')

  print('', '  A member of etcd is killed; then the leader')
  for (const which of ['a member', 'the leader'] as const) {
    const victim = which === 'the leader' ? await leader() : MEMBERS.find((one) => one !== MEMBERS[0])!
    await kill(members.get(victim)!)
    await etcdAnswers()
    await inForceEverywhere(`${which} killed, and a server added`, 'other', other(6), (table) => table.includes('10.1.0.26:8080'))
    await inForceEverywhere('and drained', 'other', other(5), (table) => !table.includes('10.1.0.26:8080'))
    startMember(victim)
    await etcdAnswers()
  }
  await ask('members killed')

  print('', '  etcd is gone for ten seconds')
  const before = await directors[1].table()
  for (const child of members.values()) await kill(child)
  await wait(10_000)
  verdict(await directors[1].table() === before && (await nextHops()).length === 3, 'tables and announcements are as they were')
  for (const address of MEMBERS) startMember(address)
  await etcdAnswers()
  await inForceEverywhere('etcd back, and a server added', 'other', other(6), (table) => table.includes('10.1.0.26:8080'))
  await ask('etcd gone and back')

  print('', '  What the fleet says of itself')
  await until('the tables are told', async () => {
    const { status } = await run(process.execPath, [join(checkout, 'dist/bin/ipvs.cjs'), 'fleet', '--etcd', endpoints, '--prefix', PREFIX])
    return status === 0
  })
  print(await must(process.execPath, [join(checkout, 'dist/bin/ipvs.cjs'), 'fleet', '--etcd', endpoints, '--prefix', PREFIX]))
} catch (error) {
  wrong.push((error as Error).message)
} finally {
  for (const one of directors) if (one.program !== undefined) await kill(one.program, 'SIGTERM')
  for (const child of [...processes]) await kill(child)
  for (const one of hosts) await one[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
}
print(wrong.length === 0 ? '\nEverything went as it should.' : `\nNot as it should: ${wrong.join('; ')}`)
process.exitCode = wrong.length === 0 ? 0 : 1
