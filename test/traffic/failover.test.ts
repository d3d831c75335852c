import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { expect, test } from 'vitest'
import type { Conversation } from '../../scripts/network/host.js'
import { Program } from '../../scripts/network/program.js'
import { SYNC_SETTINGS, TwoDirectors, type DirectorMachine } from '../../scripts/network/two-directors.js'
import { until } from '../support/until.js'

/** Connections to each service. */
const EACH = 200
/** Conversations that are held at once. */
const AT_ONCE = 50
const services = { NAT: 'nat', DR: 'dr' } as const

interface Held {
  service: keyof typeof services
  conversation: Conversation
  server: string
  /** Whether it was reset. */
  isLost?: boolean
}

/** A fixed shuffle: asked in the order in which they were opened, round robin would deal out lost connections as they were. */
function shuffled<Value>(values: readonly Value[]): Value[] {
  const keys = values.map((_, index) => (index * 7_919) % 104_729 % values.length)
  return values.map((value, index) => ({ value, key: keys[index] })).sort((a, b) => a.key - b.key).map(({ value }) => value)
}

async function inTurns<Value, Result>(values: readonly Value[], act: (value: Value) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = []
  for (let from = 0; from < values.length; from += AT_ONCE) results.push(...await Promise.all(values.slice(from, from + AT_ONCE).map(act)))
  return results
}

/** Asks once on every connection. Counts those that the same server answered as before. */
async function answered(held: readonly Held[]): Promise<Record<string, number>> {
  const answers = await inTurns(shuffled(held), async (one) => {
    const { service, conversation, server } = one
    const [answer] = await conversation.say().catch(({ code }: NodeJS.ErrnoException) => [code])
    if (answer !== server) one.isLost = true
    return answer === server ? service : `${service} ${answer}`
  })
  const counts: Record<string, number> = {}
  for (const answer of answers) counts[answer] = (counts[answer] ?? 0) + 1
  return counts
}

/** How many messages of connection sync one director has sent and the other has not received. */
async function lostMessages(teller: DirectorMachine, hearer: DirectorMachine): Promise<number> {
  return (await teller.syncMessages()).sent - (await hearer.syncMessages()).received
}

/**
 * Waits until the other director knows every connection. Sync messages are UDP and not acknowledged. Where the kernel's own counters say
 * that one was lost, the connections that were in it are asked once more: their next packet makes up for it. Where none was lost, a
 * connection that is not known is an error.
 *
 * @returns how many messages were lost
 */
async function tellsOf(held: readonly Held[], teller: DirectorMachine, hearer: DirectorMachine, lostBefore: number): Promise<number> {
  const missing = async (): Promise<Held[]> => {
    const ports = await hearer.clientPorts()
    return held.filter(({ conversation }) => !ports.has(conversation.port))
  }
  for (let lost = 0; ;) {
    const left = await until(missing, ({ length }) => length === 0, 15).catch(missing)
    if (left.length === 0) return lost
    const now = await lostMessages(teller, hearer) - lostBefore
    if (now <= lost) throw new Error(`${hearer.name} does not know ${left.length} of ${held.length} connections, and ${now} sync messages were lost`)
    lost = now
    await answered(left)
  }
}

/** How often a director dies, or each is cut off; more say more. */
const RUNS = Number(process.env.IPVS_FAILOVER_RUNS ?? 1)
/** Of so many runs all but one have to lose nothing. */
const BUT_ONE_OF = 20
/** Milliseconds for a run of either test. */
const LONGEST_RUN = 300_000
/** Connections to each service that say nothing between their handshake and the end. */
const IDLE = 50

const takesPart = /takes part in VRRP/

const survives = 'every connection survives the death of a director and its return, with NAT and with DR'

test.each([4, 6] as const)(`${survives}, over IPv%i`, { timeout: RUNS * LONGEST_RUN }, async (family) => {
  await using scene = await TwoDirectors.create({ family })
  const { client, directors: [one, two] } = scene
  for (const machine of [one, two]) {
    await machine.settings(SYNC_SETTINGS)
    await machine.startDirector()
    await machine.startKeepalived()
    if (machine === one) await scene.heldBy('d1')
    else await machine.director!.printed(takesPart)
  }
  const names = Object.keys(services) as (keyof typeof services)[]
  const connect = (service: keyof typeof services): Promise<Conversation> =>
    client.connect({ transport: 'tcp', address: scene.addresses[services[service]], port: 80 })
  const everybody = { NAT: EACH, DR: EACH }
  const results: { death: Record<string, number>, after: Record<string, number>, idle: number, lost: number }[] = []

  for (let run = 0; run < RUNS; run++) {
    const lostBefore = await lostMessages(one, two)
    const held = await inTurns(names.flatMap((service) => Array<typeof service>(EACH).fill(service)), async (service): Promise<Held> => {
      const conversation = await connect(service)
      const [server] = await conversation.say()
      return { service, conversation, server }
    })
    const idle = await inTurns(names.flatMap((service) => Array<typeof service>(IDLE).fill(service)), connect)
    const lostAtFirst = await tellsOf(held, one, two, lostBefore)

    await one.die()
    await scene.heldBy('d2')
    await one.bear()
    await one.settings(SYNC_SETTINGS)
    await one.startDirector()
    await one.startKeepalived()
    const lostAtReturn = await lostMessages(two, one)
    // The second director goes on where the first has stopped, and tells the first of it.
    const death = await answered(held)
    const living = held.filter(({ isLost }) => isLost !== true)
    const lost = lostAtFirst + await tellsOf(living, two, one, lostAtReturn)
    await one.director!.printed(takesPart)
    expect(await scene.holders()).toEqual(['d2'])

    const there = await two.ipvs('director', 'hand-over', '--track-file', two.trackFile, '--timeout', '60', '--vip', ...scene.vips)
    expect(there).toMatchObject({ status: 0, stderr: '' })
    await scene.heldBy('d1')
    const after = await answered(held)
    const idleAnswers = await inTurns(idle, (conversation) => conversation.say().then(() => 1, () => 0))
    results.push({ death, after, idle: idleAnswers.reduce<number>((sum, count) => sum + count, 0), lost })
    await inTurns([...held.map(({ conversation }) => conversation), ...idle], (conversation) => conversation.end())
    const from = two.keepalived!.lines.length
    await writeFile(two.trackFile, '0\n')
    await two.keepalived!.printed(/entering BACKUP state/i, { from })
  }

  const isWhole = ({ death, after }: typeof results[number]): boolean =>
    [death, after].every((counts) => isDeepStrictEqual(counts, everybody))
  const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0)
  console.log(`IPv${family}: ${results.filter(isWhole).length} of ${RUNS} runs lost none of ${EACH * 2} connections; ` +
    `sync messages lost, and made up for by the next packet: ${sum(results.map(({ lost }) => lost))}; ` +
    `idle connections that lived: ${results.map(({ idle }) => idle).join(' ')} of ${IDLE * 2} each`)
  const broken = results.filter((result) => !isWhole(result))
  expect(broken.slice(Math.floor(RUNS / BUT_ONE_OF))).toEqual([])
})

/** Seconds between advertisements. */
const ADVERTISEMENTS = Number(process.env.IPVS_FAILOVER_ADVERTISEMENTS ?? 1)
const traffic = fileURLToPath(new URL('../../scripts/network/traffic.mjs', import.meta.url))

const servesAgain = 'new connections are served after the death of either director; the gap is told beside that of keepalived alone with a static table'

test(servesAgain, { timeout: RUNS * LONGEST_RUN }, async () => {
  await using scene = await TwoDirectors.create({ advertisements: ADVERTISEMENTS })
  const { client, directors } = scene
  for (const machine of directors) {
    await machine.startDirector('--return-after', '0')
    await machine.startKeepalived()
    if (machine === directors[0]) await scene.heldBy('d1')
  }
  await directors[1].keepalived!.printed(/entering BACKUP STATE/i)
  await using requests = new Program(client.namespace, process.execPath, [traffic, 'requests', '80', scene.addresses.nat, scene.addresses.dr])
  const report = async (): Promise<Record<string, { good: number, gap: number }>> => {
    const from = requests.lines.length
    requests.write('')
    return JSON.parse(await requests.printed(/^\{/, { from })) as Record<string, { good: number, gap: number }>
  }

  const complete = await directors[0].destinations()
  expect(complete).toBe(4)
  const gaps: Record<string, number[]> = {}
  for (const what of ['ipvs director', 'static table']) {
    if (what === 'static table') for (const { director } of directors) await director!.end('SIGKILL')
    for (let run = 0; run < RUNS; run++) {
      for (const [dies, lives] of [[directors[0], directors[1]], [directors[1], directors[0]]]) {
        await report()
        const from = dies.keepalived!.lines.length
        await dies.link('down')
        await scene.heldBy(lives.name)
        const seen: Record<string, number> = {}
        const note = (now: Awaited<ReturnType<typeof report>>): boolean => {
          const told = Object.entries(services).map(([service, kind]) => ({ service, ...now[scene.addresses[kind]] }))
          for (const { service, gap } of told) seen[service] = Math.max(seen[service] ?? 0, gap)
          return told.every(({ good }) => good > 0)
        }
        // What was answered before the cut is in the first report.
        note(await report())
        await until(report, note)
        for (const [service, gap] of Object.entries(seen)) (gaps[`${what}, ${service}`] ??= []).push(gap)
        await dies.link('up')
        await dies.keepalived!.printed(/entering BACKUP STATE/i, { from })
        // A director whose links were cut saw every server down: its table is whole again before the other dies, or before it is killed.
        await until(() => dies.destinations(), (count) => count === complete)
      }
    }
  }
  const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]
  const words = Object.entries(gaps).map(([what, values]) => `${what}: median of ${values.length} ${median(values)} ms (${values[0]} to ${values.at(-1)})`)
  console.log(`gap of new connections, advert_int ${ADVERTISEMENTS}\n  ${words.join('\n  ')}`)
})
