import { Counter, Gauge, register, type Metric, type Registry } from 'prom-client'
import { boolean, object, refuseUnknown, string } from '../arguments/validate.js'
import { conflict, invalidType, invalidValue } from '../model/errors.js'
import type { Ipvs } from '../ipvs.js'
import type { Totals } from '../proc/types.js'
import type { ListedTable } from '../model/types.js'
import { backendSamples, serviceSamples, type BackendSample, type ServiceSample } from './samples.js'

/** What a collector takes. */
export interface CollectorOptions {
  /** The handle whose table is read at each scrape. It stays the caller's. */
  ipvs: Pick<Ipvs, 'snapshot' | 'totals'>
  /** Where the metrics are registered; prom-client's own registry by default. */
  registers?: readonly Registry[]
  /** What the names begin with, 'node_ipvs_' by default as in node_exporter. Give another where one Prometheus server would take the metrics of both for one job's. */
  prefix?: string
  /** Labels of the metrics of destinations. All by default; without some, those with equal labels are added up. As node_exporter's `--collector.ipvs.backend-labels`. */
  labels?: readonly BackendLabel[]
  /** Whether there are metrics for services and the others that node_exporter lacks. True by default. */
  extras?: boolean
}

const BACKEND_LABELS = ['local_address', 'local_port', 'remote_address', 'remote_port', 'proto', 'local_mark'] as const
const SERVICE_LABELS = ['local_address', 'local_port', 'proto', 'local_mark', 'family'] as const

/** Labels of the metrics of destinations. */
export type BackendLabel = (typeof BACKEND_LABELS)[number]

/** What is read at a scrape, once for all metrics. */
interface Reading {
  totals: Totals
  table: ListedTable
}

interface Description<Sample> {
  name: string
  help: string
  value: (sample: Sample) => number
  /** node_exporter has it under this name. */
  standard?: true
}

const RATES = [
  ['connections', 'connections'], ['incoming_packets', 'inPackets'], ['outgoing_packets', 'outPackets'], ['incoming_bytes', 'inBytes'], ['outgoing_bytes', 'outBytes'],
] as const

const TOTALS: Description<Totals>[] = [
  { name: 'connections_total', help: 'The total number of connections made.', standard: true, value: ({ stats }) => Number(stats.connections) },
  { name: 'incoming_packets_total', help: 'The total number of incoming packets.', standard: true, value: ({ stats }) => Number(stats.inPackets) },
  { name: 'outgoing_packets_total', help: 'The total number of outgoing packets.', standard: true, value: ({ stats }) => Number(stats.outPackets) },
  { name: 'incoming_bytes_total', help: 'The total amount of incoming data.', standard: true, value: ({ stats }) => Number(stats.inBytes) },
  { name: 'outgoing_bytes_total', help: 'The total amount of outgoing data.', standard: true, value: ({ stats }) => Number(stats.outBytes) },
]

const TOTAL_RATES: Description<Totals>[] = RATES.map(([name, field]) =>
  ({ name: `${name}_per_second`, help: `The kernel's moving average of ${name.replace('_', ' ')} per second.`, value: ({ rates }) => rates[field] }))

const BACKENDS: Description<BackendSample>[] = [
  { name: 'backend_connections_active', help: 'The current active connections by local and remote address.', standard: true, value: ({ activeConnections }) => activeConnections },
  { name: 'backend_connections_inactive', help: 'The current inactive connections by local and remote address.', standard: true, value: ({ inactiveConnections }) => inactiveConnections },
  { name: 'backend_weight', help: 'The current backend weight by local and remote address.', standard: true, value: ({ weight }) => weight },
  { name: 'backend_connections_persistent', help: 'The current persistence templates by local and remote address.', value: ({ persistentConnections }) => persistentConnections },
  { name: 'backend_upper_threshold', help: 'Connections from which on a backend gets no new ones, 0 for no limit.', value: ({ upperThreshold }) => upperThreshold },
  { name: 'backend_lower_threshold', help: 'Connections below which a backend gets new ones again, 0 for three quarters of the upper threshold.', value: ({ lowerThreshold }) => lowerThreshold },
  { name: 'backend_draining', help: 'Backends at weight 0 that still have connections.', value: ({ draining }) => draining },
  ...RATES.map(([name, field]): Description<BackendSample> =>
    ({ name: `backend_${name}_per_second`, help: `The kernel's moving average of ${name.replace('_', ' ')} per second, by local and remote address.`, value: ({ rates }) => rates[field] })),
]

const BACKEND_TOTALS: Description<BackendSample>[] = RATES.map(([name, field]) =>
  ({ name: `backend_${name}_total`, help: `The ${name.replace('_', ' ')} of a backend since it was added or zeroed.`, value: ({ stats }) => Number(stats[field]) }))

const SERVICES: Description<ServiceSample>[] = [
  { name: 'service_backends', help: 'The backends of a service.', value: ({ backends }) => backends },
  { name: 'service_backends_available', help: 'The backends of a service with a weight above 0.', value: ({ available }) => available },
  ...RATES.map(([name, field]): Description<ServiceSample> =>
    ({ name: `service_${name}_per_second`, help: `The kernel's moving average of ${name.replace('_', ' ')} per second.`, value: ({ rates }) => rates[field] })),
]

const SERVICE_TOTALS: Description<ServiceSample>[] = RATES.map(([name, field]) =>
  ({ name: `service_${name}_total`, help: `The ${name.replace('_', ' ')} of a service since it was added or zeroed.`, value: ({ stats }) => Number(stats[field]) }))

/** What the metrics of one kind say, and by which labels. */
interface Kind<Sample> {
  labels: readonly string[]
  samples: (reading: Reading) => Iterable<{ labels: Record<string, string>, sample: Sample }>
}

/** The name of a metric is not in prom-client's types. */
const named = (metric: Metric): { name: string } => metric as unknown as { name: string }

/** Equal labels come once, their values added up. */
function addUp<Sample>({ labels, samples }: Kind<Sample>, reading: Reading, value: (sample: Sample) => number): { labels: Record<string, string>, value: number }[] {
  const sums = new Map<string, { labels: Record<string, string>, value: number }>()
  for (const { labels: all, sample } of samples(reading)) {
    const chosen = Object.fromEntries(labels.map((label) => [label, all[label]]))
    const id = Object.values(chosen).join('\n')
    const sum = sums.get(id)
    if (sum === undefined) sums.set(id, { labels: chosen, value: value(sample) })
    else sum.value += value(sample)
  }
  return [...sums.values()]
}

/**
 * The table as metrics with the names and labels of node_exporter's ipvs collector (`node_ipvs_backend_connections_active{local_address, …}`), and more: rates,
 * thresholds, draining, services. Read at each scrape, one snapshot for all metrics.
 *
 * A firewall-mark service has no address: `proto` is 'FWM', `local_mark` the mark in eight hexadecimal digits, `local_address` empty. The marks of both
 * address families are told apart by the `family` label of the metrics of services. Destinations of both that have the same address are added up, as in node_exporter.
 */
export class IpvsCollector {
  readonly #ipvs: CollectorOptions['ipvs']
  readonly #registers: readonly Registry[]
  readonly #metrics: Metric[] = []
  #reading: Promise<Reading> | undefined

  constructor(options: CollectorOptions) {
    const given = object(options, 'options')
    refuseUnknown(given, 'options', { what: 'a collector', names: new Set(['ipvs', 'registers', 'prefix', 'labels', 'extras']) })
    const { ipvs, registers = [register], prefix = 'node_ipvs_', labels = BACKEND_LABELS, extras = true } = options
    if (typeof ipvs !== 'object' || ipvs === null || typeof ipvs.snapshot !== 'function' || typeof ipvs.totals !== 'function') throw invalidType('options.ipvs', 'an open Ipvs', ipvs)
    if (!Array.isArray(registers)) throw invalidType('options.registers', 'an array of registries', registers)
    registers.forEach((registry: unknown, i) => {
      if (typeof (registry as Registry | null)?.registerMetric !== 'function') throw invalidType(`options.registers[${i}]`, 'a registry of prom-client', registry)
    })
    if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(string(prefix, 'options.prefix'))) throw invalidValue('options.prefix', 'the beginning of a metric\'s name', prefix)
    if (!Array.isArray(labels)) throw invalidType('options.labels', 'an array of labels', labels)
    for (const label of labels as readonly BackendLabel[]) {
      if (!BACKEND_LABELS.includes(label)) throw conflict('options.labels', `has '${String(label)}', which is none of ${BACKEND_LABELS.join(', ')}`)
    }
    this.#ipvs = ipvs
    this.#registers = registers as readonly Registry[]

    const all: Kind<Totals> = { labels: [], samples: ({ totals }) => [{ labels: {}, sample: totals }] }
    const backends: Kind<BackendSample> = { labels: BACKEND_LABELS.filter((label) => (labels as readonly BackendLabel[]).includes(label)), samples: ({ table }) => backendSamples(table) }
    const services: Kind<ServiceSample> = { labels: SERVICE_LABELS, samples: ({ table }) => serviceSamples(table) }
    const wanted = boolean(extras, 'options.extras') ? () => true : ({ standard }: { standard?: true }) => standard === true
    for (const metric of TOTALS.filter(wanted)) this.#count(prefix, metric, all)
    for (const metric of TOTAL_RATES.filter(wanted)) this.#gauge(prefix, metric, all)
    for (const metric of BACKENDS.filter(wanted)) this.#gauge(prefix, metric, backends)
    for (const metric of BACKEND_TOTALS.filter(wanted)) this.#count(prefix, metric, backends)
    for (const metric of SERVICES.filter(wanted)) this.#gauge(prefix, metric, services)
    for (const metric of SERVICE_TOTALS.filter(wanted)) this.#count(prefix, metric, services)
    this.#register()
  }

  /** All metrics, or none. */
  #register(): void {
    for (const { name } of this.#metrics.map(named)) {
      if (this.#registers.some((registry) => registry.getSingleMetric(name) !== undefined)) {
        throw conflict('options.prefix', `leads to a metric '${name}', and there is one of that name in the registry. Close the other collector first, or give another prefix`)
      }
    }
    for (const registry of this.#registers) for (const metric of this.#metrics) registry.registerMetric(metric)
  }

  /** All metrics of a scrape are collected at once: they share one reading of the table. */
  #read(): Promise<Reading> {
    return this.#reading ??= Promise.all([this.#ipvs.totals(), this.#ipvs.snapshot()])
      .then(([totals, table]) => ({ totals, table }))
      .finally(() => {
        this.#reading = undefined
      })
  }

  #gauge<Sample>(prefix: string, { name, help, value }: Description<Sample>, kind: Kind<Sample>): void {
    const read = (): Promise<Reading> => this.#read()
    this.#metrics.push(new Gauge({
      name: prefix + name, help, labelNames: kind.labels, registers: [],
      async collect() {
        const sums = addUp(kind, await read(), value)
        this.reset()
        for (const sum of sums) this.set(sum.labels, sum.value)
      },
    }))
  }

  #count<Sample>(prefix: string, { name, help, value }: Description<Sample>, kind: Kind<Sample>): void {
    const read = (): Promise<Reading> => this.#read()
    this.#metrics.push(new Counter({
      name: prefix + name, help, labelNames: kind.labels, registers: [],
      async collect() {
        const sums = addUp(kind, await read(), value)
        this.reset()
        for (const sum of sums) this.inc(sum.labels, sum.value)
      },
    }))
  }

  /** Takes the metrics out of their registries. Can be called again. */
  close(): void {
    for (const registry of this.#registers) {
      for (const metric of this.#metrics) {
        const { name } = named(metric)
        // By now another collector may have the name.
        if (registry.getSingleMetric(name) === metric) registry.removeSingleMetric(name)
      }
    }
  }
}
