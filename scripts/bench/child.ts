import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** What is known of a program that has ended well. */
export interface Ended {
  /** What it wrote to standard output. */
  output: string
  /** Microseconds from before it was started until it had ended. */
  microseconds: number
}

/** What the process that starts programs is asked to do. */
export type Order =
  | { type: 'run', command: string, args: readonly string[], input?: string }
  | { type: 'hold', command: string, args: readonly string[] }
  | { type: 'let go', pid: number }

/** What it answers, to the order with that number. */
export type Answer = { id: number, ended: Ended } | { id: number, error: string }

const pathOf = (program: string): string => fileURLToPath(new URL(`./programs/${program}.js`, import.meta.url))

let starter: ChildProcess | undefined
let orders = 0
const waiting = new Map<number, (answer: Answer) => void>()

function start(): ChildProcess {
  const child = fork(pathOf('starter'))
  child.on('message', (answer: Answer) => {
    waiting.get(answer.id)?.(answer)
    waiting.delete(answer.id)
    // An idle starter does not keep this process alive.
    if (waiting.size === 0) child.channel?.unref()
  })
  child.unref()
  return child
}

function order<Result extends Ended>(what: Order): Promise<Result> {
  const child = starter ??= start()
  child.channel?.ref()
  const id = orders++
  return new Promise((resolve, reject) => {
    waiting.set(id, answer => 'ended' in answer ? resolve(answer.ended as Result) : reject(new Error(answer.error)))
    child.send({ id, ...what })
  })
}

/**
 * Runs a program to its end, started by another process than this one.
 *
 * @param input path of a file that becomes its standard input; nothing by default
 * @throws Error with what it wrote to standard error, when its exit status is not 0
 */
export const runProgram = (command: string, args: readonly string[], input?: string): Promise<Ended> =>
  order({ type: 'run', command, args, ...(input === undefined ? {} : { input }) })

/** Starts a program that goes on until it reads a line; answers when it has written one. */
export const holdProgram = (command: string, args: readonly string[]): Promise<Ended & { pid: number }> =>
  order({ type: 'hold', command, args })

/** Ends such a program. */
export const letProgramGo = (pid: number): Promise<Ended> => order({ type: 'let go', pid })

/** The words to say to run one of the programs in programs/ in a new Node process: command, then arguments. */
export const ownProgram = (name: string, args: readonly (string | number)[]): [string, string[]] =>
  [process.execPath, [pathOf(name), ...args.map(String)]]
