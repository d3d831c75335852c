// Traffic whose gaps are measured. Plain JavaScript, so that it runs the same from the sources and from the compiled scripts.
//
//   node traffic.mjs serve PORT ADDRESS…      serves a download that lasts as long as somebody takes it
//   node traffic.mjs download PORT ADDRESS…   downloads from each address
//   node traffic.mjs requests PORT ADDRESS…   asks each address again and again, each time over a new connection
//
// Each line on the standard input is answered with one line of JSON: what there was since the line before, by address.
import { Buffer } from 'node:buffer'
import { connect, createServer } from 'node:net'
import { performance } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
import { clearInterval, clearTimeout, setInterval, setTimeout } from 'node:timers'

const [mode, port, ...addresses] = process.argv.slice(2)
/** Milliseconds between two pieces of a download, between two requests, and until a request has failed. */
const [PACE, PAUSE, PATIENCE] = [20, 15, 200]
const PIECE = Buffer.alloc(1_000, 'x')

/** Counts what succeeds and what does not, and the longest time between two successes. */
class Tally {
  good = 0
  failed = 0
  #last = performance.now()
  #longest = 0

  success() {
    const now = performance.now()
    this.#longest = Math.max(this.#longest, now - this.#last)
    this.#last = now
    this.good++
  }

  report() {
    const gap = Math.max(this.#longest, performance.now() - this.#last)
    const { good, failed } = this
    this.good = this.failed = this.#longest = 0
    return { good, failed, gap: Math.round(gap) }
  }
}

const reports = {}

function download(address) {
  const tally = new Tally()
  let state = 'connecting'
  const socket = connect(Number(port), address)
  socket.on('connect', () => { state = 'going' })
  socket.on('data', data => {
    tally.success()
    tally.good += data.length - 1
  })
  socket.on('error', error => { state = error.code })
  socket.on('close', () => { if (state === 'going') state = 'closed' })
  reports[address] = () => ({ ...tally.report(), state })
}

function requests(address) {
  const tally = new Tally()
  const next = () => {
    const socket = connect(Number(port), address)
    let isOver = false
    const settle = isGood => {
      if (isOver) return
      isOver = true
      clearTimeout(timer)
      socket.destroy()
      if (isGood) tally.success()
      else tally.failed++
      setTimeout(next, PAUSE)
    }
    const timer = setTimeout(() => settle(false), PATIENCE)
    socket.on('connect', () => socket.write('hello\n'))
    socket.on('data', () => settle(true))
    socket.on('error', () => settle(false))
    socket.on('close', () => settle(false))
  }
  next()
  reports[address] = () => tally.report()
}

if (mode === 'serve') {
  for (const address of addresses) {
    const server = createServer(socket => {
      const timer = setInterval(() => { if (socket.writableLength < 10 * PIECE.length) socket.write(PIECE) }, PACE)
      socket.on('error', () => {})
      socket.on('close', () => clearInterval(timer))
      socket.resume()
    })
    await new Promise(resolve => server.listen({ port: Number(port), host: address }, resolve))
  }
  console.log('ready')
} else for (const address of addresses) (mode === 'download' ? download : requests)(address)

createInterface({ input: process.stdin })
  .on('line', () => console.log(JSON.stringify(Object.fromEntries(Object.entries(reports).map(([address, report]) => [address, report()])))))
  .on('close', () => process.exit(0))
