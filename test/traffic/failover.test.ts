import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { Conversation } from '../../scripts/network/host.js'
import { Program } from '../../scripts/network/program.js'
import { ADDRESSES, SYNC_SETTINGS, TwoDirectors, type DirectorMachine } from '../../scripts/network/two-directors.js'
import { until } from '../support/until.js'

/** Connections to each service. */
const EACH = 200
/** Conversations that are held at once. */
const AT_ONCE = 50
const services = { NAT: ADDRESSES.nat, DR: ADDRESSES.dr }

interface Held {
  service: keyof typeof services
  conversation: Conversation
  server: string
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
  const answers = await inTurns(shuffled(held), async ({ service, conversation, server }) => {
    const [answer] = await conversation.say().catch(({ code }: NodeJS.ErrnoException) => [code])
    return answer === server ? service : `${service} ${answer}`
  })
  const counts: Record<string, number> = {}
  for (const answer of answers) counts[answer] = (counts[answer] ?? 0) + 1
  return counts
}

/**
 * Waits until a director knows every connection. Sync messages are not acknowledged: a connection whose message was lost is sent again
 * with its next packet.
 */
async function knows(director: DirectorMachine, held: readonly Held[]): Promise<void> {
  for (let round = 0; round < 10; round++) {
    const known = await until(() => director.connections(), (count) => count >= held.length, 10).catch(() => 0)
    if (known > 0) return
    await answered(held)
  }
  throw new Error(`${director.name} knows ${await director.connections()} of ${held.length} connections`)
}

const takesPart = /takes part in VRRP/

test('every connection survives the death of a director and its return, with NAT and with DR', async () => {
  await using scene = await TwoDirectors.create()
  const { client, directors: [one, two] } = scene
  for (const machine of [one, two]) {
    await machine.settings(SYNC_SETTINGS)
    await machine.startDirector()
    await machine.startKeepalived()
    if (machine === one) await scene.heldBy('d1')
    else await machine.director!.printed(takesPart)
  }

  const all = (Object.keys(services) as (keyof typeof services)[]).flatMap((service) => Array<typeof service>(EACH).fill(service))
  const held = await inTurns(all, async (service): Promise<Held> => {
    const conversation = await client.connect({ transport: 'tcp', address: services[service], port: 80 })
    const [server] = await conversation.say()
    return { service, conversation, server }
  })
  const everybody = { NAT: EACH, DR: EACH }
  await knows(two, held)

  await one.die()
  await scene.heldBy('d2')
  await one.bear()
  await one.settings(SYNC_SETTINGS)
  await one.startDirector()
  await one.startKeepalived()
  // The second director goes on where the first has stopped, and tells the first of it.
  expect(await answered(held)).toEqual(everybody)
  await knows(one, held)
  await one.director!.printed(takesPart)
  expect(await scene.holders()).toEqual(['d2'])

  const vips = [ADDRESSES.nat, ADDRESSES.dr, ADDRESSES.gateway]
  const there = await two.ipvs('director', 'hand-over', '--track-file', two.trackFile, '--timeout', '60', '--vip', ...vips)
  expect(there).toMatchObject({ status: 0, stderr: '' })
  await scene.heldBy('d1')
  expect(await answered(held)).toEqual(everybody)
})

/** How often each director is cut off; more give a better median. */
const RUNS = Number(process.env.IPVS_FAILOVER_RUNS ?? 1)
/** Seconds between advertisements. */
const ADVERTISEMENTS = Number(process.env.IPVS_FAILOVER_ADVERTISEMENTS ?? 1)
const traffic = fileURLToPath(new URL('../../scripts/network/traffic.mjs', import.meta.url))

test('new connections are served after the death of either director; the gap is told beside that of keepalived alone with a static table', async () => {
  await using scene = await TwoDirectors.create({ advertisements: ADVERTISEMENTS })
  const { client, directors } = scene
  for (const machine of directors) {
    await machine.startDirector('--return-after', '0')
    await machine.startKeepalived()
    if (machine === directors[0]) await scene.heldBy('d1')
  }
  await directors[1].keepalived!.printed(/entering BACKUP STATE/i)
  await using requests = new Program(client.namespace, process.execPath, [traffic, 'requests', '80', ...Object.values(services)])
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
          for (const [service, address] of Object.entries(services)) seen[service] = Math.max(seen[service] ?? 0, now[address].gap)
          return Object.values(services).every((address) => now[address].good > 0)
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
