import { createRequire } from 'node:module'
import { pause, worked } from '../client/pause.js'
import { conflict, invalidType } from '../model/errors.js'
import { metricsSettings, type MetricsOptions, type MetricsSettings } from './options.js'
import type { Family } from './families.js'
import { scrape } from './scrape.js'
import type { Section } from './sums.js'

/** The part of prom-client's `Registry` that the collector uses. */
export interface MetricsRegistry {
  registerMetric(metric: never): void
  getSingleMetric(name: string): unknown
  removeSingleMetric(name: string): void
}

/** Options of a collector. */
export interface CollectorOptions extends MetricsOptions {
  /** The prom-client registries for the metrics; prom-client's default registry if left out. */
  registers?: readonly MetricsRegistry[]
}

interface Value { value: number, labels: Record<string, string> }

/** prom-client's default registry. Only this function loads the package, so the rest of the module works without it. */
function defaultRegistry(): MetricsRegistry {
  try {
    return (createRequire(import.meta.url)('prom-client') as { register: MetricsRegistry }).register
  } catch (error) {
    if ((error as { code?: unknown } | null)?.code !== 'MODULE_NOT_FOUND') throw error
    const message = 'The collector registers with prom-client\'s registry by default, and prom-client is not installed: '
      + 'npm install prom-client, or give options.registers. MetricsWriter needs no package'
    throw Object.assign(new Error(message, { cause: error }), { code: 'ERR_IPVS_PACKAGE_MISSING' })
  }
}

/** A section of a scrape, with its labels in prom-client's form. */
interface Labelled {
  section: Section
  labels: Record<string, string>[]
}

async function labelled(section: Section): Promise<Labelled> {
  const labels: Record<string, string>[] = []
  for (const values of section.labels) {
    const of: Record<string, string> = {}
    for (let i = 0; i < values.length; i++) of[section.names[i]] = values[i]
    labels.push(of)
    if (worked()) await pause()
  }
  return { section, labels }
}

/**
 * A metric as prom-client's registries read it. It hands over its values directly. prom-client's own `set` would first store them in a map
 * keyed by the text of their labels, which took longer than reading them from the kernel.
 */
class CollectedMetric {
  readonly labelNames: readonly string[] = []
  readonly aggregator = 'sum'

  /** @param name registries of OpenMetrics change it */
  constructor(
    public name: string, readonly help: string, readonly type: 'counter' | 'gauge', readonly values: () => Promise<Value[]>,
  ) {}

  async get(): Promise<object> {
    const { help, type, aggregator } = this
    const values = await this.values()
    return { help, name: this.name, type, values, aggregator }
  }

  /** Does nothing, because each scrape reads new values. */
  reset(): void {}
}

/**
 * The metrics of {@link MetricsWriter} for programs with a prom-client registry (an optional peer dependency: `npm install prom-client`).
 * Each scrape reads one snapshot for all metrics.
 *
 * prom-client blocks the event loop while it writes a metric. For tables of tens of thousands of destinations use {@link MetricsWriter}
 * instead.
 *
 * @example
 * ```js
 * import { Ipvs } from 'ipvs'
 * import { IpvsCollector } from 'ipvs/metrics'
 * import { register } from 'prom-client'
 *
 * const ipvs = await Ipvs.open()
 * const collector = new IpvsCollector({ ipvs })
 * console.log(await register.metrics())
 * collector.close()
 * await ipvs.close()
 * ```
 */
export class IpvsCollector {
  readonly #settings: MetricsSettings
  readonly #registers: readonly MetricsRegistry[]
  /** The metrics by their registered names. */
  readonly #metrics = new Map<string, CollectedMetric>()
  #reading: Promise<Map<string, [Labelled, number]>> | undefined
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: CollectorOptions) {
    this.#settings = metricsSettings(options, 'a collector', ['registers'])
    const registers = options.registers ?? [defaultRegistry()]
    if (!Array.isArray(registers)) throw invalidType('options.registers', 'an array of registries', registers)
    registers.forEach((registry: unknown, i) => {
      if (typeof (registry as MetricsRegistry | null)?.registerMetric === 'function') return
      throw invalidType(`options.registers[${i}]`, 'a registry of prom-client', registry)
    })
    this.#registers = registers as readonly MetricsRegistry[]
    const { families: { totals, backends, services }, director } = this.#settings
    const ofDirector = Object.values(director?.families ?? {}).flat() as Family<never>[]
    for (const { name, help, type } of [...totals, ...backends, ...services, ...ofDirector]) {
      this.#metrics.set(name, new CollectedMetric(name, help, type, () => this.#values(name)))
    }
    this.#register()
  }

  /** Registers all metrics or none. */
  #register(): void {
    for (const name of this.#metrics.keys()) {
      if (this.#registers.some((registry) => registry.getSingleMetric(name) !== undefined)) {
        throw conflict('options.prefix', `leads to a metric '${name}', and there is one of that name in the registry. `
          + 'Close the other collector first, or give another prefix')
      }
    }
    for (const registry of this.#registers) for (const metric of this.#metrics.values()) registry.registerMetric(metric as never)
  }

  /** A registry requests all metrics of a scrape at once. They share one reading of the table, with its labels and sums. */
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

  /**
   * The values of a metric. Metrics are handled one after the other, with a turn of the event loop in between: prom-client writes each as
   * soon as it has its values, which can then be freed.
   */
  #values(name: string): Promise<Value[]> {
    const reading = this.#read()
    const values = this.#last.then(async () => {
      const [{ section, labels }, f] = (await reading).get(name)!
      const column = section.values[f]
      const list: Value[] = []
      for (let i = 0; i < column.length; i++) {
        list.push({ value: column[i], labels: labels[i] })
        if (worked()) await pause()
      }
      await pause()
      return list
    })
    this.#last = values.catch(() => {})
    return values
  }

  /** Removes the metrics from their registries. Safe to call repeatedly. */
  close(): void {
    for (const registry of this.#registers) {
      for (const [name, metric] of this.#metrics) {
        // Another collector may have registered the name since.
        if (registry.getSingleMetric(name) === metric) registry.removeSingleMetric(name)
      }
    }
  }
}
