import { expect, test } from 'vitest'
import type { Conversation } from '../../scripts/network/host.js'
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
