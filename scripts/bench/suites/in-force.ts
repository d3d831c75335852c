import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { Ipvs, type ServiceKey } from 'ipvs'
import { median } from 'ipvs/bench'
import { ownProgram, runProgram } from '../child.js'
import { Namespace } from '../namespace.js'
import type { Row } from '../row.js'
import type { Run, Suite } from '../suite.js'

const virtual = '198.18.0.1'
const real = '198.18.0.2'
const port = 8080
const key: ServiceKey = { protocol: 'udp', address: virtual, port }
const backend = { address: real, port, forward: 'nat' as const }

async function bound(address: string, port: number): Promise<Socket> {
  const socket = createSocket('udp4')
  socket.bind(port, address)
  await once(socket, 'listening')
  return socket
}

/** Sends one packet to the virtual address, and waits until it has come out at the backend. */
async function packetThrough(server: Socket, client: Socket, text: string): Promise<void> {
  const arrived = once(server, 'message') as Promise<[Buffer]>
  client.send(text, port, virtual)
  const [message] = await arrived
  if (message.toString() !== text) {
    throw new Error(
      `the backend received '${message.toString()}' where '${text}' was sent: a packet came through before its rule was there`,
    )
  }
}

/** Services of the tables in which one service is changed. The first is what the others are compared with. */
const TABLES = [10, 1000, 10_000]
const LARGE_TABLE = 100_000

/** From `update` of a reconciler until the change is in force: it costs what a change costs, however large the table is. */
async function updates(run: Run): Promise<Row[]> {
  const rows: Row[] = []
  let smallest: number | undefined
  for (const services of run.large ? [...TABLES, LARGE_TABLE] : TABLES) {
    await using namespace = await Namespace.create()
    const { output } = await namespace.run(...ownProgram('update', [services, 2]))
    const { update, call } = JSON.parse(output) as Record<'update' | 'call', number>
    const what = `one changed service among ${services.toLocaleString('en')}, update() until it is in force`
    rows.push({ what, value: update, unit: 'µs', goal: 1000 + 3 * call, note: `the goal is 1 ms + 3 synchronous calls of ${call.toFixed(1)} µs` })
    if (smallest === undefined) smallest = update
    else rows.push({ what: `the same, against the table of ${TABLES[0]}`, value: update, unit: 'µs', ratio: update / smallest, goal: 1.2 })
  }
  return rows
}

/**
 * From the call that adds a rule until the first packet has gone the way the rule says. The packet before it, sent without the rule, must
 * not arrive: whatever arrives says which one it is.
 */
export const inForce: Suite = {
  title: 'From the call until the rule is in force, seen by a packet',
  async measure(run) {
    for (const address of [virtual, real]) await runProgram('ip', ['address', 'add', `${address}/32`, 'dev', 'lo'])
    const ipvs = await Ipvs.open()
    const server = await bound(real, port)
    try {
      await ipvs.addService({ ...key, scheduler: 'rr', onePacket: true })
      const rule: number[] = []
      const alone: number[] = []
      for (let i = 0; i < 100 * run.rounds; i++) {
        // A socket of its own for each turn: the refusal that its first packet earns is not the next one's.
        const client = await bound(virtual, 0)
        client.on('error', () => {})
        await new Promise(sent => { client.send('before the rule', port, virtual, sent) })
        const start = performance.now()
        await ipvs.addDestination(key, backend)
        await packetThrough(server, client, `after rule ${i}`)
        rule.push((performance.now() - start) * 1000)
        const next = performance.now()
        await packetThrough(server, client, `once more after rule ${i}`)
        alone.push((performance.now() - next) * 1000)
        await ipvs.removeDestination(key, backend)
        client.close()
      }
      return [
        { what: 'await addDestination(), then a packet to the backend', value: median(rule), unit: 'µs' },
        { what: 'a packet alone, the rule being there', value: median(alone), unit: 'µs' },
        {
          what: 'the rule\'s part of it', value: median(rule) - median(alone), unit: 'µs',
          note: `medians of ${rule.length}; the first packet was sent the moment the promise settled, and none was lost`,
        },
        ...await updates(run),
      ]
    } finally {
      server.close()
      await ipvs.flush()
      await ipvs.close()
      for (const address of [virtual, real]) await runProgram('ip', ['address', 'delete', `${address}/32`, 'dev', 'lo'])
    }
  },
}
