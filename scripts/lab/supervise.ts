import { spawn, type ChildProcess } from 'node:child_process'
import { constants } from 'node:os'
import type { Readable } from 'node:stream'
import { find } from '../setup/programs.js'
import { started } from './guest.js'
import { CannotStart, TimedOut, type Job, type Outputs } from './job.js'

/** Kills all processes of a child's group. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try { process.kill(-child.pid, 'SIGKILL') } catch { /* gone already */ }
}

/** Ends the child's group and calls `tidy` when this process is told to end. */
function endWithUs(child: ChildProcess, tidy: () => void): () => void {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const handlers = signals.map(signal => {
    const handler = (): void => {
      killGroup(child)
      tidy()
      process.exit(128 + constants.signals[signal])
    }
    process.on(signal, handler)
    return () => process.off(signal, handler)
  })
  const onExit = (): void => { killGroup(child); tidy() }
  process.once('exit', onExit)
  return () => { for (const off of handlers) off(); process.off('exit', onExit) }
}

/** Lets the kernel end the child if this process dies from SIGKILL, provided that the program for that is installed. */
const boundToUs = (program: string, args: string[]): [string, string[]] => {
  const setpriv = find('setpriv')
  return setpriv === undefined ? [program, args] : [setpriv, ['--pdeathsig', 'KILL', program, ...args]]
}

/** Runs a command in this machine's own kernel. */
export function superviseCommand(program: string, args: string[], job: Job, outputs: Outputs): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      ...boundToUs(program, args), { cwd: job.directory, env: job.environment, detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
    )
    const leave = endWithUs(child, () => undefined)
    let late = false
    const limit = setTimeout(() => { late = true; killGroup(child) }, job.timeout * 1000)
    child.stdout.pipe(outputs.stdout, { end: false })
    child.stderr.pipe(outputs.stderr, { end: false })
    child.on('error', reject)
    // Processes that the command left running keep its output open.
    child.on('exit', () => { killGroup(child) })
    child.on('close', (code, signal) => {
      clearTimeout(limit)
      leave()
      if (late) reject(new TimedOut(`the command was ended: it took longer than ${job.timeout} s (--timeout)`))
      else resolve(code ?? 128 + constants.signals[signal!])
    })
  })
}

export interface Guest {
  name: string
  program: string
  /** The descriptors 3, 4 and 5 are the command's stdout and stderr, and the control channel. */
  args: string[]
  environment: NodeJS.ProcessEnv
  /** The most seconds until the command starts. */
  bootLimit: number
  /** Removes what was made for this guest. */
  tidy: () => void
}

/** Boots a guest, waits for it to end, and returns the command's exit status. */
export function superviseGuest(guest: Guest, job: Job, outputs: Outputs): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(...boundToUs(guest.program, guest.args), {
      env: guest.environment, detached: true, stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe'],
    })
    const leave = endWithUs(child, guest.tidy)
    let console = ''
    let control = ''
    let limit = setTimeout(() => { killGroup(child) }, guest.bootLimit * 1000)
    let ended: 'late' | undefined
    const stdio = child.stdio as Readable[]
    for (const stream of [stdio[1], stdio[2]]) {
      stream.setEncoding('utf8').on('data', (text: string) => { console = (console + text).slice(-20_000) })
    }
    stdio[3].pipe(outputs.stdout, { end: false })
    stdio[4].pipe(outputs.stderr, { end: false })
    // If the guest is killed, its ends of the channels close.
    for (const stream of stdio.slice(3)) stream.on('error', () => undefined)
    stdio[5].setEncoding('utf8').on('data', (text: string) => {
      const before = control
      control += text
      const has = (word: string): boolean => control.includes(word) && !before.includes(word)
      if (!has(started) && !has('exit ')) return
      clearTimeout(limit)
      // Once the command has ended, the guest only has to shut down.
      const seconds = control.includes('exit ') ? 20 : job.timeout
      limit = setTimeout(() => { if (!control.includes('exit ')) ended = 'late'; killGroup(child) }, seconds * 1000)
    })
    child.on('error', error => { leave(); guest.tidy(); reject(new CannotStart(error.message)) })
    child.on('close', () => {
      clearTimeout(limit)
      leave()
      killGroup(child)
      guest.tidy()
      const status = /exit (\d+)/.exec(control)?.[1]
      const lines = console.replaceAll('\r', '').split('\n').map(line => line.trim()).filter(line => line !== '')
      if (status !== undefined) resolve(Number(status))
      else if (ended === 'late') reject(
        new TimedOut(`the ${guest.name} guest was ended: the command took longer than ${job.timeout} s (--timeout)`),
      )
      else if (!control.includes(started)) reject(
        new CannotStart(
          `the guest did not come up: ${lines.findLast(line => /panic|fail|cannot/i.test(line) && !/\+0x/.test(line)) ?? lines.at(-1) ?? `no sign of it within ${guest.bootLimit} s`}`,
        ),
      )
      else reject(new Error(`the ${guest.name} guest ended while the command ran:\n${lines.slice(-20).join('\n')}`))
    })
  })
}
