/**
 * Starts programs for the process that measures, and tells it how they ended. To start one, a process is copied, and afterwards the
 * original takes a page fault at every page that it writes to: this process is there to be copied instead.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { text } from 'node:stream/consumers'
import type { Answer, Ended, Order } from '../child.js'

const held = new Map<number, ChildProcess>()

async function run(command: string, args: readonly string[], input?: string): Promise<Ended> {
  const start = performance.now()
  const child = spawn(command, args, { stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] })
  if (input !== undefined && child.stdin !== null) createReadStream(input).pipe(child.stdin)
  const [output, complaint, [status]] = await Promise.all([
    text(child.stdout as NodeJS.ReadableStream), text(child.stderr as NodeJS.ReadableStream),
    once(child, 'close') as Promise<[number | null]>,
  ])
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with status ${status}: ${complaint}`)
  return { output, microseconds: (performance.now() - start) * 1000 }
}

/** Starts a program that goes on until it reads a line, and waits for the line that it writes when it is ready. */
async function hold(command: string, args: readonly string[]): Promise<Ended & { pid: number }> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const [said] = await Promise.race([once(child.stdout, 'data'), once(child, 'close')]) as [unknown]
  const pid = child.pid ?? 0
  held.set(pid, child)
  return { output: String(said).trim(), microseconds: 0, pid }
}

async function letGo(pid: number): Promise<Ended> {
  const child = held.get(pid)
  if (child !== undefined) {
    held.delete(pid)
    const ended = once(child, 'close')
    child.stdin?.end('\n')
    await ended
  }
  return { output: '', microseconds: 0 }
}

async function carryOut(order: Order): Promise<Ended> {
  switch (order.type) {
    case 'run': return run(order.command, order.args, order.input)
    case 'hold': return hold(order.command, order.args)
    case 'let go': return letGo(order.pid)
  }
}

const tell = (answer: Answer): void => { process.send?.(answer) }

process.on('message', ({ id, ...order }: Order & { id: number }) => {
  carryOut(order).then(ended => tell({ id, ended }), (error: Error) => tell({ id, error: error.message }))
})
