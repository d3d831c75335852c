/** The demo, which runs inside the lab on a real kernel with real packets. */
import { readFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Ipvs, type Destination } from 'ipvs'
import type { Host } from '../network/host.js'
import { Workshop, type Backend } from '../network/workshop.js'
import { checkout } from '../setup/checkout.js'
import { directorChapters } from './director.js'

const print = (...lines: string[]): void => { process.stdout.write(lines.map(line => `${line}\n`).join('')) }
const indented = (lines: readonly string[]): string[] => lines.map(line => line === '' ? '' : `    ${line}`)

let asked = 0
const wrong: string[] = []
const durations: number[] = []

const machine = (): string => {
  const processor = readFileSync('/proc/cpuinfo', 'latin1')
  return /User Mode Linux/.test(processor) ? 'user-mode Linux' : /QEMU/.test(processor) ? 'QEMU' : 'this machine\'s own kernel'
}

print(
  '',
  `IPVS from Node, on a real kernel: Linux ${release()} (${machine()}), Node ${process.version}`,
  '',
  '    client     10.10.20.1 ────────┐',
  '    director   10.10.20.100:80 ───┤   the virtual service, programmed by this package',
  '    alpha      10.10.10.1:80 ─────┤   two web servers that answer with their names',
  '    beta       10.10.10.2:80 ─────┤',
  '    sorry      10.10.10.3:80 ─────┘   a third one, for when both are dead',
  '',
  'Each line is a network namespace of that kernel; one bridge joins them.',
)

await using workshop = await Workshop.create(['alpha', 'beta', 'sorry'])
const { client, director, backends: [alpha, beta] } = workshop
await workshop.openTunnels()
const serve = async ({ name, host, address }: Backend): Promise<void> => {
  await host.serve('http', address[4], 80, name)
  // With direct routing and tunnels, requests keep the virtual address, which each backend has on its loopback interface.
  await host.serve('http', workshop.virtual[4], 80, name)
}
const stop = async ({ host, address }: Backend): Promise<void> => {
  await host.stop('http', address[4], 80)
  await host.stop('http', workshop.virtual[4], 80)
}
await serve(alpha)
await serve(beta)

await using ipvs = await Ipvs.open({ netns: director.namespace.name })
const web = { protocol: 'tcp', address: workshop.virtual[4], port: 80 } as const
const question = { transport: 'http', address: web.address, port: web.port, from: workshop.clients[4][0] } as const
const destination = ({ address }: Backend, change: Partial<Destination>): Destination =>
  ({ address: address[4], port: 80, forward: 'nat', weight: 1, upperThreshold: 0, lowerThreshold: 0, tunnel: null, ...change })

/** Carries out one operation and prints how long it took until the kernel acknowledged it, which means that it is in force. */
async function rule(words: string, act: () => Promise<void>): Promise<void> {
  const start = process.hrtime.bigint()
  await act()
  const milliseconds = Number(process.hrtime.bigint() - start) / 1e6
  durations.push(milliseconds)
  print(`    ${words.padEnd(66)} in force after ${milliseconds.toFixed(2)} ms`)
}

/** Prints the result and records a failure. */
function verdict(good: boolean, words: string, otherwise: string): void {
  print(`    ${good ? `✓ ${words}` : `✗ ${otherwise}`}`)
  if (!good) wrong.push(otherwise)
}

/** Sends requests, each over a new connection, and returns who answered. A failed request counts as an error. */
async function ask(times: number, from: string = question.from, asking = client): Promise<string[]> {
  asked += times
  try {
    return await asking.ask({ ...question, from }, times)
  } catch (error) {
    verdict(false, '', `a request failed: ${(error as Error).message}`)
    return []
  }
}

/** Checks that requests alternate between servers. */
async function requests(times: number): Promise<void> {
  const names = await ask(times)
  print('', `    ${times} requests to http://${web.address}/ were answered by`, `      ${names.join(' ')}`)
  const alternating = names.length === times && names[0] !== names[1] && names.every((name, index) => name === names[index % 2])
  verdict(alternating, 'the two in turn', `they do not alternate: ${names.join(' ')}`)
}

/** The table as the command `ipvs` lists it, in ipvsadm's words. */
const listIn = async (machine: Host, ...options: string[]): Promise<string[]> =>
  (await machine.namespace.must(process.execPath, [join(checkout, 'dist/bin/ipvs.cjs'), '-Ln', ...options])).trimEnd().split('\n')
const listed = (...options: string[]): Promise<string[]> => listIn(director, ...options)

/** Waits until the kernel has updated its counters, which it does every two seconds, then prints the table. */
async function table(connections: number): Promise<void> {
  let { services } = await ipvs.snapshot()
  const end = Date.now() + 20_000
  while (services[0].stats.connections < connections && Date.now() < end) {
    await setTimeout(100)
    services = (await ipvs.snapshot()).services
  }
  print('', ...indented([...await listed(), '', ...(await listed('--stats')).slice(1)]))
  const counted = services[0].stats.connections
  if (counted !== BigInt(connections)) verdict(false, '', `the kernel has counted ${counted} connections of ${connections}`)
}

const chapter = (title: string): void => { print('', '', `── ${title} ${'─'.repeat(Math.max(0, 96 - title.length))}`, '') }

chapter('1. Network address translation (NAT), round robin')
await rule('addService tcp 10.10.20.100:80, scheduler rr', () => ipvs.addService({ ...web, scheduler: 'rr' }))
for (const backend of [alpha, beta]) {
  await rule(`addDestination ${backend.address[4]}:80 (${backend.name}), forward nat`, () => ipvs.addDestination(
    web, { address: backend.address[4], port: 80, forward: 'nat' },
  ))
}
await requests(8)
await table(8)

chapter('2. Direct routing (DR): the answers go straight to the client')
await ipvs.zero()
for (const backend of [alpha, beta]) {
  await rule(`updateDestination ${backend.address[4]}:80 (${backend.name}), forward dr`, () => ipvs.updateDestination(
    web, destination(backend, { forward: 'dr' }),
  ))
}
await requests(8)
await table(8)

chapter('3. An IPIP tunnel: backends may be in any network')
await ipvs.zero()
for (const backend of [alpha, beta]) {
  await rule(`updateDestination ${backend.address[4]}:80 (${backend.name}), forward tun, tunnel ipip`, () =>
    ipvs.updateDestination(web, destination(backend, { forward: 'tun', tunnel: { type: 'ipip', checksum: 'none' } })))
}
await requests(8)
await table(8)

chapter('4. A backend is drained and stopped while requests go on')
for (const backend of [alpha, beta]) await ipvs.updateDestination(web, destination(backend, {}))
await ipvs.zero()

// A client that stays connected to alpha.
let visitor = await client.connect(question)
if ((await visitor.say())[0] !== 'alpha') {
  await visitor.end()
  visitor = await client.connect(question)
  await visitor.say()
}

/** Sends requests one after the other until it is stopped. A new phase begins with each change of the rules. */
let answers: string[] = []
let phase = 0
let going = true
const stream = (async (): Promise<void> => {
  while (going) {
    const began = phase
    const names = await ask(1)
    if (names.length === 0) going = false
    // A request that was in progress when the rule changed does not count for either side.
    if (began === phase) answers.push(...names)
  }
})()
/** Waits for this many requests and returns who answered them. */
const next = async (times: number): Promise<string[]> => {
  phase++
  answers = []
  while (going && answers.length < times) await Promise.race([setTimeout(1), stream])
  return answers.slice(0, times)
}
const shown = (names: readonly string[]): string =>
  ['alpha', 'beta'].map(name => `${names.filter(other => other === name).length} × ${name}`).join(', ')
const only = (names: readonly string[], ...allowed: string[]): boolean =>
  allowed.every(name => names.includes(name)) && names.every(name => allowed.includes(name))

let names = await next(10)
verdict(only(names, 'alpha', 'beta'), `before: ${shown(names)}`, `before: not both answer: ${shown(names)}`)

await rule('updateDestination 10.10.10.1:80 (alpha), weight 0', () => ipvs.updateDestination(web, destination(alpha, { weight: 0 })))
names = await next(10)
verdict(only(names, 'beta'), `alpha at weight 0: ${shown(names)}`, `alpha at weight 0 got new connections: ${shown(names)}`)
const [held] = await visitor.say()
verdict(
  held === 'alpha', 'the visitor with an open connection to alpha is still answered by alpha', `the visitor with an open connection was answered by ${held}`,
)

const active = async (): Promise<number> =>
  (await ipvs.destinations(web)).find(({ address }) => address === alpha.address[4])!.activeConnections
verdict(await active() === 1, 'alpha has 1 active connection left', `alpha has ${await active()} active connections, not 1`)
await visitor.end()
for (const end = Date.now() + 20_000; await active() > 0 && Date.now() < end;) await setTimeout(1)
verdict(
  await active() === 0, 'the visitor leaves: alpha has none, it can be stopped', `the visitor has left, and alpha has ${await active()} active connections`,
)

await rule('removeDestination 10.10.10.1:80 (alpha)', () => ipvs.removeDestination(web, { address: alpha.address[4], port: 80 }))
await stop(alpha)
names = await next(10)
verdict(only(names, 'beta'), `alpha removed and its server stopped: ${shown(names)}`, `alpha removed: ${shown(names)}`)

await serve(alpha)
await rule('addDestination 10.10.10.1:80 (alpha), forward nat', () => ipvs.addDestination(
  web, { address: alpha.address[4], port: 80, forward: 'nat' },
))
names = await next(10)
verdict(only(names, 'alpha', 'beta'), `alpha is back: ${shown(names)}`, `alpha is back, but not both answer: ${shown(names)}`)
verdict(going, 'no request failed or waited for a server that was gone', 'requests failed on the way')
going = false
await stream
print('', ...indented(await listed()))

await directorChapters({ print, chapter, verdict, ask, listIn })

durations.sort((a, b) => a - b)
print('', '', `${durations.length} rules, each in force after ${durations[durations.length >> 1].toFixed(2)} ms (median; ${durations[0].toFixed(2)} to ${durations.at(-1)!.toFixed(2)} ms). `
  + (wrong.length === 0 ? `All ${asked} requests went where they should.` : `${wrong.length} checks failed:`),
...wrong.map(line => `  ✗ ${line}`), '')
process.exitCode = wrong.length === 0 ? 0 : 1
