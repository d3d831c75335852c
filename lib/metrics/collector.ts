import { createRequire } from 'node:module'
import { setImmediate as turn } from 'node:timers/promises'
import { conflict, invalidType } from '../model/errors.js'
import { metricsSettings, type MetricsOptions, type MetricsSettings } from './options.js'
import { scrape, type Section } from './scrape.js'

/** What is needed of prom-client's `Registry`. */
export interface MetricsRegistry {
  registerMetric(metric: never): void
  getSingleMetric(name: string): unknown
  removeSingleMetric(name: string): void
}

/** What a collector takes. */
export interface CollectorOptions extends MetricsOptions {
  /** Registries of prom-client in which the metrics are registered; its own registry by default. */
  registers?: readonly MetricsRegistry[]
}

/** Samples of which the values are put together between two turns of the event loop. */
const SLICE = 5000

interface Value { value: number, labels: Record<string, string> }

/** prom-client's own registry. The package is loaded here and nowhere else: without it the rest of this module works. */
function defaultRegistry(): MetricsRegistry {
  try {
    return (createRequire(import.meta.url)('prom-client') as { register: MetricsRegistry }).register
  } catch (error) {
    if ((error as { code?: unknown } | null)?.code !== 'MODULE_NOT_FOUND') throw error
    throw Object.assign(new Error('The collector registers with prom-client\'s registry by default, and prom-client is not installed: npm install prom-client, or give options.registers. MetricsWriter needs no package', { cause: error }),
      { code: 'ERR_IPVS_PACKAGE_MISSING' })
  }
}

/** A section of a scrape, with its labels as prom-client has them. */
interface Labelled {
  section: Section
  labels: Record<string, string>[]
}

async function labelled(section: Section): Promise<Labelled> {
  const labels: Record<string, string>[] = []
  for (const values of section.labels) {
    const of: Record<string, string> = {}
    for (let i = 0; i < values.length; i++) of[section.names[i]] = values[i]
    if (labels.push(of) % SLICE === 0) await turn()
  }
  return { section, labels }
}

/**
 * A metric as registries of prom-client read it. Its values go straight to the one place where they are written: prom-client's own `set` keeps them in a map
 * by a text of their labels, which took it longer than the kernel takes to tell them.
 */
class CollectedMetric {
  readonly labelNames: readonly string[] = []
  readonly aggregator = 'sum'

  /** @param name with OpenMetrics, registries change it */
  constructor(public name: string, readonly help: string, readonly type: 'counter' | 'gauge', readonly values: () => Promise<Value[]>) {}

  async get(): Promise<object> {
    const { help, type, aggregator } = this
    const values = await this.values()
    return { help, name: this.name, type, values, aggregator }
  }

  /** There is nothing to reset: each scrape reads anew. */
  reset(): void {}
}

/**
 * The metrics of {@link MetricsWriter} for programs that have a registry of prom-client (an optional peer dependency: `npm install prom-client`). Read at each scrape, one snapshot for all metrics.
 *
 * prom-client writes each metric in one go, and holds the event loop for as long: a table of tens of thousands of destinations is better written by {@link MetricsWriter}.
 */
export class IpvsCollector {
  readonly #settings: MetricsSettings
  readonly #registers: readonly MetricsRegistry[]
  /** By the names that they are registered by. */
  readonly #metrics = new Map<string, CollectedMetric>()
  #reading: Promise<Map<string, [Labelled, number]>> | undefined
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: CollectorOptions) {
    this.#settings = metricsSettings(options, 'a collector', ['registers'])
    const registers = options.registers ?? [defaultRegistry()]
    if (!Array.isArray(registers)) throw invalidType('options.registers', 'an array of registries', registers)
    registers.forEach((registry: unknown, i) => {
      if (typeof (registry as MetricsRegistry | null)?.registerMetric !== 'function') throw invalidType(`options.registers[${i}]`, 'a registry of prom-client', registry)
    })
    this.#registers = registers as readonly MetricsRegistry[]
    const { totals, backends, services } = this.#settings.families
    for (const { name, help, type } of [...totals, ...backends, ...services]) this.#metrics.set(name, new CollectedMetric(name, help, type, () => this.#values(name)))
    this.#register()
  }

  /** All metrics, or none. */
  #register(): void {
    for (const name of this.#metrics.keys()) {
      if (this.#registers.some((registry) => registry.getSingleMetric(name) !== undefined)) {
        throw conflict('options.prefix', `leads to a metric '${name}', and there is one of that name in the registry. Close the other collector first, or give another prefix`)
      }
    }
    for (const registry of this.#registers) for (const metric of this.#metrics.values()) registry.registerMetric(metric as never)
  }

  /** All metrics of a scrape are asked for at once: they share one reading of the table, its labels and its sums. */
  #read(): Promise<Map<string, [Labelled, number]>> {
    const read = async (): Promise<Map<string, [Labelled, number]>> => {
      const found = new Map<string, [Labelled, number]>()
      for (const section of await scrape(this.#settings)) {
        const some = await labelled(section)
        section.families.forEach(({ name }, f) => found.set(name, [some, f]))
      }
      return found
    }
    return this.#reading ??= read().finally(() => {
      this.#reading = undefined
    })
  }

  /** Values of a metric. One metric after the other, with a turn of the event loop in between: prom-client writes each at once when it has its values, and then they are no longer needed. */
  #values(name: string): Promise<Value[]> {
    const reading = this.#read()
    const values = this.#last.then(async () => {
      const [{ section, labels }, f] = (await reading).get(name)!
      const column = section.values[f]
      const list: Value[] = []
      for (let i = 0; i < column.length; i++) if (list.push({ value: column[i], labels: labels[i] }) % SLICE === 0) await turn()
      await turn()
      return list
    })
    this.#last = values.catch(() => {})
    return values
  }

  /** Takes the metrics out of their registries. Can be called again. */
  close(): void {
    for (const registry of this.#registers) {
      for (const [name, metric] of this.#metrics) {
        // By now another collector may have the name.
        if (registry.getSingleMetric(name) === metric) registry.removeSingleMetric(name)
      }
    }
  }
}
