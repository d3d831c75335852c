/** `npm run demo -- failover`: two directors, of which one dies, returns, hands over, and loses its keepalived. Then the doctor. */
import { release } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Conversation } from '../network/host.js'
import { Program } from '../network/program.js'
import { ADDRESSES, SYNC_SETTINGS, TwoDirectors, type DirectorMachine } from '../network/two-directors.js'
import { checkout } from '../setup/checkout.js'
import { filled, PREPARATIONS, Preparations, rowNames } from './preparations.js'

const print = (...lines: string[]): void => { process.stdout.write(lines.map((line) => `${line}\n`).join('')) }
const chapter = (title: string): void => { print('', '', `── ${title} ${'─'.repeat(Math.max(0, 96 - title.length))}`, '') }
const wrong: string[] = []

/** Prints the result and records a failure. */
function verdict(good: boolean, words: string, otherwise: string): void {
  print(`    ${good ? `✓ ${words}` : `✗ ${otherwise}`}`)
  if (!good) wrong.push(otherwise)
}

const SERVICES = [['NAT', ADDRESSES.nat], ['DR', ADDRESSES.dr]] as const
/** Connections to each service that stay open. */
const HELD = 20
const DOWNLOAD = 8_080
const traffic = join(checkout, 'scripts/network/traffic.mjs')
const vips = [ADDRESSES.nat, ADDRESSES.dr, ADDRESSES.gateway]

interface Report { good: number, failed: number, gap: number, state?: string }

/** The traffic that goes on all the time. */
class Traffic {
  readonly held: { service: string, conversation: Conversation, server: string }[] = []
  /** Gaps of the stream of requests, by what happened. */
  readonly gaps: { what: string, gaps: number[] }[] = []

  constructor(readonly requests: Program, readonly downloads: Program) {}

  async #asked(program: Program): Promise<Record<string, Report>> {
    const from = program.lines.length
    program.write('')
    return JSON.parse(await program.printed(/^\{/, { from })) as Record<string, Report>
  }

  /** Forgets what was until now. */
  async begin(): Promise<void> {
    await this.#asked(this.requests)
    await this.#asked(this.downloads)
  }

  /** Waits until both streams flow again, then tells what was lost. */
  async tell(what: string): Promise<void> {
    await setTimeout(1_000)
    const [requests, downloads] = [await this.#asked(this.requests), await this.#asked(this.downloads)]
    this.gaps.push({ what, gaps: SERVICES.map(([, address]) => requests[address].gap) })
    const answers = await Promise.all(this.held.map(async ({ service, conversation, server }) => {
      const [name] = await conversation.say().catch(() => ['lost'])
      return { service, isKept: name === server }
    }))
    for (const [service, address] of SERVICES) {
      const { good, failed, gap } = requests[address]
      const download = downloads[address]
      const kept = answers.filter((one) => one.service === service && one.isKept).length
      print(`    ${service.padEnd(3)} short requests: ${good} answered, ${failed} not, longest gap ${gap} ms; the download ${download.state === 'going' ? `goes on, longest pause ${download.gap} ms` : `has ended: ${download.state}`}`)
      verdict(kept === HELD, `${service}: ${kept} of ${HELD} open connections were answered by the same server as before`, `${service}: ${kept} of ${HELD} open connections live`)
      if (download.state !== 'going') verdict(false, '', `${service}: the download ended: ${download.state}`)
    }
  }
}

print(
  '',
  `Two directors: keepalived does VRRP, ipvs does the rest. Linux ${release()}, Node ${process.version}`,
  '',
  '    client   10.0.0.10 ────────────────────────────────┐ front',
  '    d1, d2   10.0.0.1, .2;  VRRP: 10.0.0.100, .200 ────┤        back: 10.1.0.1, .2;  VRRP: 10.1.0.254, the way back of NAT',
  '    alpha    10.0.0.21, and 10.0.0.200 on lo (DR) ─────┤        back: 10.1.0.11 (NAT)',
  '    beta     10.0.0.22, and 10.0.0.200 on lo (DR) ─────┘        back: 10.1.0.12 (NAT)',
)

await using scene = await TwoDirectors.create({ ports: [80, DOWNLOAD] })
const { client, servers, directors: [one, two] } = scene

const shown = new Map<string, number>()
/** Prints what directors have said since it was printed last. */
function log(...machines: DirectorMachine[]): void {
  for (const { name, director } of machines) {
    if (director === undefined) continue
    const id = `${name} ${director.pid}`
    for (const line of director.lines.slice(shown.get(id) ?? 0)) {
      const message = line.replace(/^\S+Z /, '')
      if (/holds?|the doctor|VRRP|keepalived|answered for|went from|directs|has left|hand/.test(message)) print(`    ${name}: ${message}`)
    }
    shown.set(id, director.lines.length)
  }
}

chapter('1. Both directors start, from one keepalived.conf each')
print('    $ keepalived --vrrp -f d1.conf', '    $ ipvs director --keepalived d1.conf --sync eth1 --track-file d1.track --fifo d1.fifo', '')
for (const machine of [one, two]) {
  await machine.settings(SYNC_SETTINGS)
  await machine.startDirector('--fifo', machine.fifo)
  await machine.startKeepalived()
  if (machine === one) await scene.heldBy('d1')
  else await machine.director!.printed(/takes part in VRRP/)
}
log(one, two)
print('', ...(await one.ipvs('-Ln')).stdout.trimEnd().split('\n').map((line) => `    ${line}`))

const node = process.execPath
const downloadServers: Program[] = []
for (const { host, nat } of servers) {
  const server = new Program(host.namespace, node, [traffic, 'serve', String(DOWNLOAD), nat, ADDRESSES.dr])
  downloadServers.push(server)
  await server.printed(/ready/)
}
const addresses = SERVICES.map(([, address]) => address)
await using requests = new Program(client.namespace, node, [traffic, 'requests', '80', ...addresses])
await using downloads = new Program(client.namespace, node, [traffic, 'download', String(DOWNLOAD), ...addresses])
const stream = new Traffic(requests, downloads)
for (const [service, address] of SERVICES) {
  for (let number = 0; number < HELD; number++) {
    const conversation = await client.connect({ transport: 'tcp', address, port: 80 })
    stream.held.push({ service, conversation, server: (await conversation.say())[0] })
  }
}
// What is younger than three seconds may not have been told to the other director.
await setTimeout(4_000)
await stream.begin()

/** Does something, and waits until the addresses are where they should be. */
async function step(what: string, act: () => Promise<unknown>, ...holders: string[]): Promise<void> {
  const begun = performance.now()
  await act()
  await scene.heldBy(...holders)
  print(`    ${what}: ${holders.join(' and ')} ${holders.length === 1 ? 'has' : 'have'} the addresses after ${((performance.now() - begun) / 1_000).toFixed(2)} s`)
  await stream.tell(what)
  log(one, two)
}

chapter('2. The first director dies: both links cut, everything on it gone')
await step('d1 is dead', () => one.die(), 'd2')

chapter('3. It comes back, with nothing in its tables')
await one.bear()
await one.settings(SYNC_SETTINGS)
await one.startDirector('--fifo', one.fifo, '--return-after', '60')
await one.startKeepalived()
await stream.tell('d1 is back')
await one.director!.printed(/takes part in VRRP/, { seconds: 330 })
await step('d1 takes part again, and d2 keeps what it has (nopreempt)', () => Promise.resolve(), 'd2')

chapter('4. Hand-over: d2 gives the addresses to d1')
await step('handed over', async () => {
  print('    $ ipvs director hand-over --track-file d2.track --vip …')
  const { stdout, stderr, status } = await two.ipvs('director', 'hand-over', '--track-file', two.trackFile, '--timeout', '60', '--vip', ...vips)
  print(...(stdout + stderr).trimEnd().split('\n').map((line) => `    ${line}`))
  verdict(status === 0, 'exit status 0', `exit status ${status}`)
}, 'd1')
const told = two.keepalived!.lines.length
await two.namespace.must('sh', ['-c', `echo 0 > ${two.trackFile}`])
await two.keepalived!.printed(/Entering BACKUP STATE/, { from: told })

chapter('5. keepalived of d1 is stopped')
await step('d1 has stopped', () => one.stopKeepalived(), 'd2')
await one.startKeepalived()

chapter('6. keepalived of d2 is killed: nobody takes its addresses away')
await step('keepalived of d2 is killed', () => two.killKeepalived(), 'd1', 'd2')
await one.director!.printed(/is answered for by .* too/)
log(one, two)
await step('keepalived of d2 is started again, and removes them first', () => two.startKeepalived(), 'd1')

chapter('7. The same without ipvs director: keepalived alone, and a table that nobody looks after')
for (const machine of [one, two]) await machine.director!.end('SIGKILL')
await stream.begin()
await step('both links of d1 are cut', () => one.link('down').then(() => waitFor(() => two.holds(ADDRESSES.nat))), 'd2')

async function waitFor(holds: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 60_000; !await holds() && performance.now() < end;) await setTimeout(20)
}

print('', '    The longest gap of new connections, in ms (a request every 15 ms, and 200 ms until one counts as failed):', '')
for (const { what, gaps } of stream.gaps) print(`      ${what.padEnd(66)} NAT ${String(gaps[0]).padStart(5)}   DR ${String(gaps[1]).padStart(5)}`)

await requests.end()
await downloads.end()
// Killed, it leaves the addresses where they are, whatever happens to the links.
await two.killKeepalived()
await one.stopKeepalived()

await one.link('up')
/** Each preparation has a port and a client of its own: 10.0.0.31 and so on. */
const [FIRST_PORT, FIRST_CLIENT] = [1_001, 31]
const preparations = new Preparations(scene)
chapter('8. The doctor: each preparation is taken away once, found, and mended')
print('    Nothing is missing: no finding')
for (const { side, findings } of await preparations.everywhere()) {
  verdict(findings.length === 0, `${side}: 0 findings`, `${side}: ${findings.map(({ row }) => row).join(', ')}`)
}
for (const [index, preparation] of PREPARATIONS.entries()) {
  const { words, breaks, mends, on, row } = preparation
  const port = FIRST_PORT + index
  print('', `    ${words}`, `      ${on}$ ${filled(breaks, port)}`)
  const { found, besides, left } = await preparations.takeAway(preparation, port, `10.0.0.${FIRST_CLIENT + index}`)
  for (const { side, finding } of found.filter((one, index) => found.findIndex(({ side: first }) => first === one.side) === index)) {
    print(`      ${side} finds ${finding.row}, ${finding.certainty}: ${finding.missing}`, `        the client sees ${finding.client}`)
    print(`        ${finding.mend.length > 0 ? 'mend' : `most likely, ${finding.causes[0].cause}`}: ${[...finding.mend, ...finding.causes.flatMap(({ mend }) => mend)][0]}`)
  }
  const missed = Object.entries(row).filter(([side]) => !found.some((one) => one.side === side))
  const also = besides.length === 0 ? '' : `, and what follows from it: ${besides.join(', ')}`
  verdict(missed.length === 0, `found${also}`, `not found: ${missed.map(([side, name]) => `${name} on ${side}`).join(', ')}${also}`)
  print(`      ${on}$ ${filled(mends, port)}`)
  verdict(left.length === 0, 'mended: 0 findings', `after it was mended, found: ${left.join(', ')}`)
}
const shownRows = new Set(PREPARATIONS.flatMap(({ row }) => Object.values(row)))
const unseen = (await rowNames()).filter((name) => !shownRows.has(name))
print('', `    ${shownRows.size} rows of docs/doctor.md were shown. Not shown: ${unseen.join(', ')}`)

// The other connections end with their machines: those that lost a link meanwhile would take their time.
for (const server of downloadServers) await server.end('SIGKILL')
print('', '', wrong.length === 0 ? 'Everything went where it should.' : `${wrong.length} checks failed:`, ...wrong.map((line) => `  ✗ ${line}`), '')
process.exitCode = wrong.length === 0 ? 0 : 1
