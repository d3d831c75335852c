import { EventEmitter } from 'node:events'
import { closeSync, existsSync, openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { Worker } from 'node:worker_threads'
import type { Check } from '../configuration/types.js'
import type { CheckAnswer } from './check.js'
import type { Target } from './prepare.js'
import type {
  CheckedDestination,
  CheckerStatus,
  CheckFailure,
  CheckTrouble,
  CheckUpdate,
  FromWorker,
  HealthChange,
  ToWorker,
  WorkerOptions,
} from './protocol.js'

/** Options of a {@link Checker}. */
export interface CheckerOptions {
  /**
   * Descriptor of the network namespace to check from. The caller keeps it, and may close it once the checker has started. By default
   * checks run in the process's own namespace.
   */
  netns?: number
  /** A name that only one checker in a network namespace can hold: a second one does not start. None by default. */
  onlyOne?: string
  /** The most sockets open at once. Further checks wait. 2,000 by default. */
  sockets?: number
  /** The most programs running at once. Further checks wait. 32 by default. */
  programs?: number
}

interface CheckerEvents {
  /** Destinations came up, went down, or changed weight. Changes of one turn of the checker's event loop come together. */
  changes: [HealthChange[]]
  /** Checks cannot be tried, or can be tried again. */
  troubles: [CheckTrouble[]]
  /** Bad answers to checks with `logEachFailure` that decided nothing. */
  failures: [CheckFailure[]]
  /** The checker's thread ended by itself, which is a bug in this package. It is started again and continues from the last known state. */
  restarted: [Error]
}

/** What is checked. */
interface Known {
  destination: CheckedDestination
  /** Number of the update that it came with. */
  since: number
  /** Whether it was up at the last report. */
  up?: boolean
}

/** Milliseconds until a thread that ended by itself is started again. */
const PAUSE = 1_000
/** Milliseconds that a thread is given to end. */
const END = 5_000

/**
 * Megabytes of the thread's young generation: what checks leave behind is short-lived, and V8 would let it grow to many times that before
 * it collects.
 */
const YOUNG = 4

/**
 * Where the thread's file is: beside this one as modules, in the package's bundle, and where this runs from its sources, as it was
 * compiled.
 */
const WORKER_FILES = ['../checks/worker.js', '../package/checks-worker.js', '../../dist/checks/worker.js']

function workerFile(): string {
  const files = WORKER_FILES.map((path) => fileURLToPath(new URL(path, import.meta.url)))
  return files.find((path) => existsSync(path)) ?? files[0]
}

/** Another descriptor of the same namespace. */
const keep = (descriptor: number): number => openSync(`/proc/self/fd/${descriptor}`, 'r')

/**
 * Runs checks in a thread of its own, in a network namespace of choice, so that thousands of them neither hold up the program nor wait for
 * it. It reports changes only.
 *
 *     const checker = await Checker.start({ netns: descriptor })
 *     checker.on('changes', (changes) => …)
 *     checker.update({ set: [{ id: 'a', address: '192.0.2.1', port: 80, weight: 1, checks: [{ type: 'tcp' }] }] })
 */
export class Checker extends EventEmitter<CheckerEvents> {
  readonly #options: Omit<WorkerOptions, 'netns'>
  readonly #netns: number | undefined
  readonly #destinations = new Map<string, Known>()
  readonly #questions = new Map<number, { resolve: (answer: never) => void, reject: (error: Error) => void }>()
  /** The thread, and whether it takes messages. */
  #worker: Worker | undefined
  #isReady = false
  #ended: Promise<void> = Promise.resolve()
  #updates = 0
  #number = 0
  #timer: NodeJS.Timeout | undefined
  #closing: Promise<void> | undefined

  private constructor({ netns, onlyOne, sockets = 2_000, programs = 32 }: CheckerOptions) {
    super()
    this.#options = { onlyOne, sockets, programs }
    this.#netns = netns === undefined ? undefined : keep(netns)
  }

  /**
   * Starts the thread.
   *
   * @throws Error where the namespace cannot be entered (`code` 'EPERM': it needs CAP_SYS_ADMIN), or where another has the name `onlyOne`
   * (`code` 'EADDRINUSE')
   */
  static async start(options: CheckerOptions = {}): Promise<Checker> {
    const checker = new Checker(options)
    try {
      await checker.#begin()
    } catch (error) {
      await checker.close()
      throw error
    }
    return checker
  }

  #begin(): Promise<void> {
    const workerData: WorkerOptions = { ...this.#options, netns: this.#netns }
    // The process's own flags do not apply to the thread: `--input-type` would be refused.
    const worker = new Worker(workerFile(), {
      workerData,
      name: 'ipvs-checks',
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG },
    })
    this.#worker = worker
    let failure: Error | undefined
    return new Promise((started, refused) => {
      worker.on('message', (message: FromWorker) => {
        if (message.type === 'ready') {
          this.#isReady = true
          started()
        } else if (message.type === 'refused')
          failure = Object.assign(new Error(message.message), { code: message.code, errno: message.errno })
        else this.#hear(message)
      })
      worker.on('error', (error: Error) => {
        failure = error
      })
      this.#ended = new Promise((ended) => worker.on('exit', () => {
        ended()
        const reason = failure ?? new Error('the thread of the checks ended')
        this.#worker = undefined
        if (!this.#isReady) {
          refused(reason)
          return
        }
        this.#isReady = false
        this.#fail(reason)
        if (this.#closing === undefined) this.#restart(reason)
      }))
    })
  }

  #hear(message: Exclude<FromWorker, { type: 'ready' | 'refused' }>): void {
    if (message.type === 'answer') {
      this.#questions.get(message.number)?.resolve(message.answer as never)
      this.#questions.delete(message.number)
      return
    }
    const { failures, troubles } = message
    // An answer that was under way when its destination was removed says nothing about a new destination with the same name.
    const changes = message.changes.filter(({ id }) => (this.#destinations.get(id)?.since ?? Infinity) <= message.update)
    for (const { id, up } of changes) this.#destinations.get(id)!.up = up
    if (changes.length > 0) this.emit('changes', changes)
    if (troubles.length > 0) this.emit('troubles', troubles)
    if (failures.length > 0) this.emit('failures', failures)
  }

  #restart(reason: Error): void {
    this.emit('restarted', reason)
    this.#timer = setTimeout(() => {
      this.#begin().then(() => {
        const set = [...this.#destinations.values()].map(({ destination, up }) =>
          up === undefined ? destination : { ...destination, initially: up ? ('up' as const) : ('down' as const) },
        )
        this.#send({ type: 'update', number: this.#updates, set })
      }, (error: Error) => {
        if (this.#closing === undefined) this.#restart(error)
      })
    }, PAUSE)
  }

  #send(message: ToWorker): void {
    if (this.#isReady) this.#worker?.postMessage(message)
  }

  /** Fails everything that waits for an answer of the thread. */
  #fail(reason: Error): void {
    for (const { reject } of this.#questions.values()) reject(reason)
    this.#questions.clear()
  }

  /** Starts or changes the checks of some destinations and ends those of others. The rest continue. */
  update(update: CheckUpdate): void {
    for (const id of update.removed ?? []) this.#destinations.delete(id)
    const number = ++this.#updates
    for (const destination of update.set ?? []) {
      const known = this.#destinations.get(destination.id)
      if (known === undefined) this.#destinations.set(destination.id, { destination, since: number })
      else known.destination = destination
    }
    this.#send({ type: 'update', number, set: update.set, removed: update.removed })
  }

  /**
   * Checks these destinations and no others. Only differences are sent to the thread.
   *
   * @param among names of those that they take the place of: all by default
   */
  replace(destinations: Iterable<CheckedDestination>, among: Iterable<string> = this.#destinations.keys()): void {
    const set: CheckedDestination[] = []
    const gone = new Set<string>()
    for (const id of among) if (this.#destinations.has(id)) gone.add(id)
    for (const destination of destinations) {
      gone.delete(destination.id)
      if (!isDeepStrictEqual(this.#destinations.get(destination.id)?.destination, destination)) set.push(destination)
    }
    if (set.length > 0 || gone.size > 0) this.update({ set, removed: [...gone] })
  }

  /**
   * The state of all destinations, or of those with these names.
   *
   * @throws Error while the thread is being started again, and of a closed checker
   */
  status(ids?: readonly string[]): Promise<CheckerStatus> {
    return this.#ask((number) => ({ type: 'status', number, ids }))
  }

  /**
   * Checks a target once, from the checker's namespace. The target and the check have to be valid.
   *
   * @throws Error while the thread is being started again, where it ends meanwhile, and of a closed checker
   */
  check(target: Target, check: Check): Promise<CheckAnswer> {
    return this.#ask((number) => ({ type: 'check', number, target, check }))
  }

  #ask<Answer>(question: (number: number) => ToWorker): Promise<Answer> {
    if (!this.#isReady)
      return Promise.reject(
        new Error(this.#closing === undefined ? 'the thread of the checks is being started again' : 'this checker is closed'),
      )
    return new Promise((resolve, reject) => {
      const number = this.#number++
      this.#questions.set(number, { resolve, reject })
      this.#send(question(number))
    })
  }

  /** Ends all checks, including running programs, and the thread. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer)
    const worker = this.#worker
    if (this.#isReady) this.#send({ type: 'close' })
    else void worker?.terminate()
    const timer = setTimeout(() => void worker?.terminate(), END)
    await this.#ended
    clearTimeout(timer)
    if (this.#netns !== undefined) closeSync(this.#netns)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
