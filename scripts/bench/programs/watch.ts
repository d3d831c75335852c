/**
 * watch SERVICES DESTINATIONS BUSY: makes a table, and watches it at 1 s while datagrams go through BUSY further services. Prints, as JSON:
 * processor time as a share of one processor, seconds from one look to the next, the mean and the most memory in bytes, memory before
 * watching, and the entries of the last observation.
 */
import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { fileURLToPath } from 'node:url'
import { Ipvs } from 'ipvs'
import { collectGarbage } from '../garbage.js'
import { operations } from '../workload.js'

/** Looks that are not counted, and looks that are. */
const FIRST = 3
const LOOKS = 15

/** Makes this program the one that sends. */
const SEND = 'send'
const PORT = 9000
const busyService = (index: number) => ({ protocol: 'udp', address: '127.0.0.1', port: PORT + index }) as const

/**
 * Sends fifty datagrams a second through each of the busy services. Nobody receives them. In a process of its own, whose time does not
 * count.
 */
function send(busy: number): void {
  const socket = createSocket('udp4').on('error', () => {})
  setInterval(() => {
    for (let i = 0; i < busy; i++) socket.send('x'.repeat(100), PORT + i, '127.0.0.1', () => {})
  }, 20)
}

async function measure(): Promise<void> {
  const [services, destinations, busy] = process.argv.slice(2).map(Number)
  const ipvs = await Ipvs.open()
  await ipvs.batch(operations('add', { services, destinations }))
  for (let i = 0; i < busy; i++) {
    await ipvs.addService({ ...busyService(i), scheduler: 'rr' })
    await ipvs.addDestination(busyService(i), { address: '127.0.0.1', port: PORT + i, forward: 'nat' })
  }
  const sender = busy === 0 ? undefined : spawn(process.execPath, [fileURLToPath(import.meta.url), SEND, `${busy}`], { stdio: 'ignore' })
  collectGarbage()
  const before = process.memoryUsage.rss()
  const memory: number[] = []
  let entries = 0
  let looks = 0
  let start = 0
  let used: NodeJS.CpuUsage | undefined
  for await (const { rates } of ipvs.watch({ interval: 1 })) {
    if (looks++ === FIRST) {
      start = performance.now()
      used = process.cpuUsage()
      memory.length = 0
    }
    memory.push(process.memoryUsage.rss())
    entries = rates.length
    if (looks > FIRST + LOOKS) break
  }
  const took = performance.now() - start
  const { user, system } = process.cpuUsage(used)
  sender?.kill()
  await ipvs.close()
  console.log(JSON.stringify({
    share: (user + system) / 1000 / took, interval: took / LOOKS / 1000, entries,
    before, mean: memory.reduce((sum, bytes) => sum + bytes) / memory.length, most: Math.max(...memory),
  }))
}

if (process.argv[2] === SEND) send(Number(process.argv[3]))
else await measure()
