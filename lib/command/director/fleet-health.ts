import { setTimeout as wait } from 'node:timers/promises'
import { Agreement, type AgreementRule, type Director } from '../../director/index.js'
import { EtcdClient } from '../../sources/etcd/client.js'
import { watchKeys } from '../../sources/etcd/key-watch.js'
import { LeasedKeys } from '../../sources/etcd/leased.js'
import { etcdSettings } from '../../sources/etcd/options.js'
import type { EtcdPlace } from '../etcd-options.js'
import { directorsBelow, healthBelow, healthText, LEASE, sightOf, type DirectorValue, type ReadSight } from '../fleet-keys.js'
import type { Log } from './log.js'

/** Seconds between two looks whether all checks have answered once, doubled each time up to the second. */
const [LOOK, LONGEST] = [0.1, 2]
/** Seconds after which those that have not answered yet are not waited for any longer. */
const PATIENCE = 30
/** Milliseconds in which news of the own checks are gathered. */
const GATHER = 20

/** What this director tells others of its fleet, and hears from them. */
export class FleetHealth implements AsyncDisposable {
  readonly agreement: Agreement
  /** Fulfilled when the others have been heard, or cannot be. */
  readonly heard: Promise<void>
  readonly #place: EtcdPlace
  readonly #id: string
  readonly #log: Log
  readonly #client: EtcdClient
  readonly #keys: LeasedKeys
  readonly #stop = new AbortController()
  readonly #hearing: Promise<void>
  #others = new Map<string, { text: string, sight: ReadSight }>()
  /** Whether what the others see counts. Otherwise nobody is told what this one sees either. */
  readonly #asks: boolean
  #isAway = false
  #telling: NodeJS.Timeout | undefined
  #getReady: Promise<void> = Promise.resolve()

  constructor(place: EtcdPlace, { id, rule }: { id: string, rule: AgreementRule }, log: Log) {
    this.#place = place
    this.#id = id
    this.#log = log
    this.agreement = new Agreement(rule)
    this.agreement.on('seen', () => this.#tellSoon())
    this.agreement.departures.on('changed', () => this.#tellSoon())
    const settings = etcdSettings(place.cluster, 'the options')
    this.#client = new EtcdClient(settings)
    this.#keys = new LeasedKeys(settings, LEASE)
    this.#keys.on('lost', () => log({ level: 'warning', event: 'lease-lost', message: 'the lease of this director had ended: for others it was dead' }))
    this.#keys.on('away', ({ error }) => log({ level: 'warning', event: 'health-untold', message: `the other directors cannot be told what this one sees: ${error.message}` }))
    this.#keys.on('foreign', ({ key }) => log({
      level: 'error', event: 'id-taken', message: `${key} is another director's too: give each director another --id`, key,
    }))
    let heard = (): void => {}
    this.heard = new Promise((resolve) => { heard = resolve })
    this.#asks = rule !== 'own'
    this.#hearing = this.#asks ? this.#hear(() => heard()) : Promise.resolve(heard())
  }

  /** Votes as soon as the checks of a director have all answered once. */
  vote(director: Director): void {
    this.#getReady = this.#awaitFirstAnswers(director).catch(() => {}).then(() => {
      if (!this.#stop.signal.aborted) this.agreement.ready()
    })
  }

  /** Tells how the director stands. */
  tell(value: DirectorValue): void {
    this.#keys.set(`${directorsBelow(this.#place.prefix)}${this.#id}`, JSON.stringify(value))
  }

  async #hear(heard: () => void): Promise<void> {
    for await (const news of watchKeys(this.#client, healthBelow(this.#place.prefix), this.#stop.signal)) {
      if (news.kind === 'away') {
        this.#isAway = true
        this.agreement.lose()
        this.#log({ level: 'warning', event: 'others-away', message: `the other directors are out of sight, and the own checks count: ${news.error.message}` })
      } else this.#take(news.values)
      heard()
    }
    heard()
  }

  #take(values: ReadonlyMap<string, string>): void {
    const before = this.#others
    this.#others = new Map()
    for (const [id, text] of values) {
      if (id === this.#id) continue
      const known = before.get(id)
      const sight = known?.text === text ? known.sight : sightOf(text)
      if (sight !== undefined) this.#others.set(id, { text, sight })
      else this.#log({ level: 'error', event: 'problem', message: `${healthBelow(this.#place.prefix)}${id} is nothing that a director writes, and is ignored` })
    }
    for (const id of this.#others.keys()) if (!before.has(id)) this.#log({ level: 'info', event: 'director-alive', message: `director ${id} is alive and has a vote`, id })
    for (const id of before.keys()) if (!this.#others.has(id)) this.#log({ level: 'warning', event: 'director-gone', message: `director ${id} is gone and has no vote any more`, id })
    if (this.#isAway) this.#log({ level: 'info', event: 'others-back', message: 'the other directors are heard again' })
    this.#isAway = false
    const sights = [...this.#others.values()].map(({ sight }) => sight)
    this.agreement.departures.hear(sights.map(({ departures }) => departures))
    this.agreement.hear(sights)
  }

  #tellSoon(): void {
    if (!this.#asks || !this.agreement.isReady || this.#telling !== undefined || this.#stop.signal.aborted) return
    this.#telling = setTimeout(() => {
      this.#telling = undefined
      const { isBlind, departures } = this.agreement
      const text = healthText({ isBlind, downs: this.agreement.downs(), departures: departures.tells() })
      this.#keys.set(`${healthBelow(this.#place.prefix)}${this.#id}`, text)
    }, GATHER)
  }

  async #awaitFirstAnswers(director: Director): Promise<void> {
    const { signal } = this.#stop
    const end = performance.now() + PATIENCE * 1_000
    for (let pause = LOOK; performance.now() < end && !signal.aborted; pause = Math.min(LONGEST, pause * 2)) {
      const { destinations } = await director.checks()
      if (destinations.every(({ checks }) => checks.every(({ health, trouble }) => health !== 'undecided' || trouble !== undefined))) return
      await wait(pause * 1_000, undefined, { signal })
    }
  }

  /** Takes back what it has told: it has no vote any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    clearTimeout(this.#telling)
    await this.#hearing
    await this.#getReady
    this.#client.close()
    await this.#keys.close()
  }
}
