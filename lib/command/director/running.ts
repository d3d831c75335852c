import type { CompleteConfiguration } from '../../configuration/index.js'
import { Director } from '../../director/index.js'
import type { DirectorConfiguration } from '../../director/index.js'
import { Ipvs } from '../../ipvs.js'
import { FileWatcher, momentOf } from '../../sources/watcher.js'
import { newStatus } from '../new-status.js'
import { systemWords } from '../output.js'
import { refusal } from '../refusals.js'
import type { Vrrp } from '../../keepalived/index.js'
import { Returning } from '../../director/returning.js'
import { FAULT, TrackFile } from '../../director/track-file.js'
import { makeFifo } from '../../director/vrrp-fifo.js'
import { Network } from '../../network/index.js'
import { logDiagnostics } from './diagnostics.js'
import { logEvents } from './events.js'
import { Announcer } from './announcer.js'
import { tellWhatIsMissing } from './examination.js'
import { FleetMember } from './fleet-member.js'
import type { Log } from './log.js'
import { movingAddresses, movingPlaces, trackFault, withSync } from './machine.js'
import type { DirectorCommand } from './options.js'
import { configurationReader, sizeWords } from './read.js'
import { Web } from './web.js'

/** Seconds between two looks at the table. */
const INTERVAL = 10

/** An end with this exit status, which was told already. */
class Ended extends Error {
  constructor(readonly status: number) {
    super()
  }
}

/** `ipvs director` while it runs. */
export class Running implements AsyncDisposable {
  readonly #command: DirectorCommand
  readonly #log: Log
  /** Reads the file; missing where the configuration comes from elsewhere. */
  readonly #readAgain: ReturnType<typeof configurationReader> | undefined
  readonly #stop = new AbortController()
  readonly #watcher = new FileWatcher(() => this.#again('the file has changed', true))
  #web: Web | undefined
  #member: FleetMember | undefined
  #announcer: Announcer | undefined
  #ipvs: Ipvs | undefined
  #director: Director | undefined
  #network: Network | undefined
  #returning: Returning | undefined
  /** Why this machine is kept out of VRRP. */
  #staysOut: string | undefined
  #waiting: Promise<void> | undefined
  #examining: Promise<void> | undefined
  /** Paths that the last reading depended on. */
  #paths: readonly string[]
  /** What keepalived.conf says about VRRP. */
  #vrrp: Vrrp | undefined
  /** The configuration that was taken last, as text. */
  #taken = ''
  #reading: Promise<void> | undefined
  #next: { why: string, isFollowed: boolean } | undefined
  #failure: { message: string, at: number } | undefined

  constructor(command: DirectorCommand, log: Log) {
    this.#command = command
    this.#log = log
    const { source, scripts } = command
    if (source.type !== 'etcd') this.#readAgain = configurationReader({ source, scripts })
    this.#paths = source.type === 'etcd' ? [] : [source.file]
    process.on('SIGHUP', this.#hangUp)
    process.on('SIGTERM', this.#terminate)
    process.on('SIGINT', this.#terminate)
  }

  /** Runs until it is told to end. Returns the exit status. */
  async run(): Promise<number> {
    try {
      await this.#start()
      await new Promise<void>((resolve) =>
        this.#stop.signal.aborted ? resolve() : this.#stop.signal.addEventListener('abort', () => resolve()),
      )
      await this.#end()
      return newStatus.done
    } catch (error) {
      if (error instanceof Ended) return error.status
      throw error
    }
  }

  async #start(): Promise<void> {
    const { listen, source, scripts } = this.#command
    const given = source.type === 'etcd' ? undefined : await this.#read()
    if (given === undefined && source.type !== 'etcd') {
      throw this.#ended(newStatus.refused, `${source.file} is refused, and there is no configuration before it`)
    }
    if (listen !== undefined) {
      try {
        this.#web = await Web.listen(listen.host, listen.port)
      } catch (error) {
        throw this.#ended(newStatus.unreachable, `nothing can be served on ${listen.host} port ${listen.port}: ${systemWords(error)}`)
      }
      this.#log({ level: 'info', event: 'listening', message: `serves http://${this.#web.place}/status.json, /metrics and /healthz`, address: this.#web.place })
    }
    this.#makeFifo()
    const ipvs = this.#ipvs = await this.#open()
    const member = this.#member = source.type === 'etcd' ? new FleetMember(source, scripts, this.#log) : undefined
    await this.#stayOut(ipvs, given)
    const director = this.#director = this.#direct(ipvs)
    this.#web?.serve({ director, ipvs, interval: INTERVAL, failure: () => this.#failure, staysOut: () => this.#staysOut })
    let configuration: CompleteConfiguration | DirectorConfiguration | undefined = given
    try {
      if (member !== undefined) {
        const adapt = (value: DirectorConfiguration): DirectorConfiguration => withSync(value, this.#command.sync, undefined).configuration
        await this.#untilStopped(member.lead(director, ipvs, adapt).then((first) => {
          configuration = first
        }))
      } else await this.#untilStopped(director.take(given!))
    } catch (error) {
      // Its words are in the log already.
      throw this.#ended(newStatus.unreachable, `the director cannot begin: ${(error as Error).message}`)
    }
    if (this.#stop.signal.aborted || configuration === undefined) return
    const place = source.type === 'etcd' ? source.prefix : source.file
    this.#log({ level: 'info', event: 'running', message: `directs ${sizeWords(configuration)} of ${place}`, ...source.type === 'etcd' ? { prefix: place } : { file: place } })
    const { announcing } = this.#command
    if (announcing !== undefined) this.#announcer = new Announcer(announcing, director, ipvs, this.#log)
    this.#examining = tellWhatIsMissing({
      director, ipvs, log: this.#log, signal: this.#stop.signal, moves: (address) => this.#moves(address),
    })
    if (this.#command.follow) this.#follow()
    this.#goOn()
    if (this.#returning !== undefined) {
      this.#waiting = this.#takePart().catch((error: unknown) => {
        this.#log({ level: 'error', event: 'returning', message: `VRRP is left as it is: ${(error as Error).message}` })
      })
    }
  }

  /** Whether VRRP moves an address, as far as keepalived.conf and the command line tell. */
  #moves(address: string): boolean {
    const { fifo, trackFile } = this.#command
    return movingAddresses(this.#vrrp)?.includes(address) ?? (fifo !== undefined || trackFile !== undefined)
  }

  /** Stays out of VRRP where the table of connections is empty beside another director's: before the sync daemons run. */
  async #stayOut(ipvs: Ipvs, configuration: CompleteConfiguration | undefined): Promise<void> {
    const { trackFile, netns } = this.#command
    if (trackFile === undefined) return
    const network = this.#network = await Network.open(netns === undefined ? {} : { netns })
    const fault = trackFault(trackFile.path, this.#vrrp)
    if (fault !== undefined) this.#log({ level: 'warning', event: 'returning', message: fault, file: trackFile.path })
    const moving = movingPlaces(this.#vrrp)
    const own = configuration?.services.flatMap((service) => 'address' in service ? { address: service.address } : []) ?? []
    const file = new TrackFile(trackFile.path)
    const places = moving.length > 0 ? moving : own
    this.#returning = new Returning({ ipvs, network, file, places, after: trackFile.after })
    try {
      const why = await this.#returning.begin()
      this.#staysOut = why
      if (why !== undefined) this.#log({ level: 'info', event: 'returning', message: `stays out of VRRP, ${file.path} says ${FAULT}: ${why}`, file: file.path })
    } catch (error) {
      throw this.#ended(newStatus.unreachable, (error as Error).message)
    }
  }

  /** Takes part in VRRP: the table is there. Where it stays out, as soon as what the other director knows is here too. */
  async #takePart(): Promise<void> {
    const { trackFile } = this.#command
    const why = this.#staysOut !== undefined ? await this.#returning!.ready() : ''
    if (why === undefined) return
    this.#returning!.takePart()
    this.#returning = undefined
    this.#staysOut = undefined
    if (why !== '') this.#log({ level: 'info', event: 'returned', message: `takes part in VRRP, ${trackFile!.path} says 0: ${why}`, file: trackFile!.path })
  }

  /** Tells why it ends. */
  #ended(status: number, message: string): Ended {
    this.#log({ level: 'error', event: 'ended', message, status })
    return new Ended(status)
  }

  #makeFifo(): void {
    const { fifo } = this.#command
    try {
      if (fifo !== undefined) makeFifo(fifo)
    } catch (error) {
      throw this.#ended(newStatus.unreachable, (error as Error).message)
    }
  }

  async #open(): Promise<Ipvs> {
    const { netns } = this.#command
    try {
      return await Ipvs.open(netns === undefined ? {} : { netns })
    } catch (error) {
      throw this.#ended(newStatus.unreachable, refusal(error))
    }
  }

  #direct(ipvs: Ipvs): Director {
    const { prune, owns, drain, fifo } = this.#command
    const addresses = movingAddresses(this.#vrrp)
    const director = new Director({
      ipvs, prune, interval: INTERVAL, remember: true,
      ...addresses !== undefined && { addresses }, ...fifo !== undefined && { fifo },
      ...this.#member !== undefined && { agreement: this.#member.agreement },
      ...owns !== undefined && { owns }, ...drain !== undefined && { drain: drain === 0 ? false : { timeout: drain } },
    })
    logEvents(director, this.#log)
    director.on('failed', ({ error, result }) => {
      this.#failure = { message: error === undefined ? `the kernel refused ${result!.refused.length} changes` : (error as Error).message, at: Date.now() }
    })
    director.on('converged', () => {
      this.#failure = undefined
    })
    return director
  }

  /** Waits for something, and no longer than until it is told to end. */
  async #untilStopped(promise: Promise<unknown>): Promise<void> {
    const { signal } = this.#stop
    let stopped = (): void => {}
    const stop = new Promise<void>((resolve) => {
      stopped = resolve
    })
    signal.addEventListener('abort', stopped)
    if (signal.aborted) stopped()
    promise.catch(() => {})
    await Promise.race([promise, stop])
    signal.removeEventListener('abort', stopped)
  }

  /** Reads the configuration, and tells what is wrong with it. `undefined` where it is refused, or as before. */
  async #read(request: { why: string, isFollowed: boolean } = { why: '', isFollowed: false }): Promise<CompleteConfiguration | undefined> {
    const { source } = this.#command
    if (source.type === 'etcd' || this.#readAgain === undefined) return undefined
    const { file } = source
    const before = momentOf(this.#paths)
    const { configuration, diagnostics, isEmpty, paths, digest, vrrp } = await this.#readAgain()
    this.#paths = paths
    if (this.#command.follow) this.#watcher.follow(paths, before)
    const { why, isFollowed } = request
    if (isFollowed && isEmpty) {
      this.#log({ level: 'warning', event: 'configuration', message: `${file} is empty, as files are that are being written: the configuration stays as it is. SIGHUP takes it`, file })
      return undefined
    }
    if (configuration !== undefined && digest === this.#taken) {
      this.#log({ level: 'info', event: 'configuration', message: `${why}: ${file} says what it said before`, file })
      return undefined
    }
    logDiagnostics(diagnostics, this.#log)
    if (configuration !== undefined) this.#taken = digest
    else if (why !== '') this.#log({ level: 'error', event: 'configuration', message: `${why}: ${file} is refused, and the configuration stays as it is`, file })
    if (configuration === undefined) return undefined
    this.#vrrp = vrrp
    const synced = withSync(configuration, this.#command.sync, vrrp)
    if (synced.words !== undefined) this.#log({ level: 'warning', event: 'sync', message: synced.words })
    return synced.configuration
  }

  #follow(): void {
    this.#watcher.follow(this.#paths)
  }

  readonly #hangUp = (): void => this.#again('SIGHUP', false)

  readonly #terminate = (signal: NodeJS.Signals): void => {
    if (this.#stop.signal.aborted) process.exit(128 + (signal === 'SIGINT' ? 2 : 15))
    this.#log({ level: 'info', event: 'ending', message: `${signal}: the director ends`, signal })
    this.#stop.abort()
  }

  /** Reads the configuration again, as soon as the reading before has ended. */
  #again(why: string, isFollowed: boolean): void {
    // What a person asked for counts before what the file did.
    if (this.#next === undefined || !isFollowed) this.#next = { why, isFollowed }
    this.#goOn()
  }

  #goOn(): void {
    if (this.#reading !== undefined || this.#next === undefined || this.#stop.signal.aborted || this.#director === undefined) return
    const request = this.#next
    this.#next = undefined
    this.#reading = this.#take(request).catch((error: unknown) => {
      this.#log({ level: 'error', event: 'configuration', message: `${request.why}: ${(error as Error).message}` })
    }).finally(() => {
      this.#reading = undefined
      this.#goOn()
    })
  }

  async #take(request: { why: string, isFollowed: boolean }): Promise<void> {
    const { source } = this.#command
    if (source.type === 'etcd') {
      this.#log({ level: 'info', event: 'configuration', message: `${request.why}: nothing is read again, because what is in etcd is always followed` })
      return
    }
    const configuration = await this.#read(request)
    if (configuration === undefined || this.#stop.signal.aborted) return
    const { file } = source
    this.#director!.watchAddresses(movingAddresses(this.#vrrp))
    // What is wrong with it is told by the event 'failed' too.
    this.#director!.take(configuration).then(
      () => this.#log({ level: 'info', event: 'configuration', message: `${request.why}: directs ${sizeWords(configuration)} of ${file}`, file }),
      () => {},
    )
    return Promise.resolve()
  }

  async #end(): Promise<void> {
    const director = this.#director
    if (director === undefined) return
    // Nobody sends clients here any more, before anything else ends.
    await this.#announcer?.[Symbol.asyncDispose]()
    await this.#member?.[Symbol.asyncDispose]()
    const { removeOnExit } = this.#command
    try {
      await director.close({ remove: removeOnExit })
    } catch (error) {
      throw this.#ended(newStatus.unreachable, `has ended, and its services could not be removed: ${(error as Error).message}`)
    }
    this.#log({ level: 'info', event: 'ended', message: `has ended; ${removeOnExit ? 'its services are removed' : 'the table stays as it is'}` })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    this.#watcher.close()
    await this.#web?.close()
    this.#web = undefined
    await this.#announcer?.[Symbol.asyncDispose]()
    await this.#member?.[Symbol.asyncDispose]()
    await this.#reading
    this.#returning?.close()
    await this.#waiting
    await this.#examining
    await this.#network?.close()
    await this.#director?.close()
    await this.#ipvs?.close()
    process.off('SIGHUP', this.#hangUp)
    process.off('SIGTERM', this.#terminate)
    process.off('SIGINT', this.#terminate)
  }
}
