import { pause, worked } from '../client/pause.js'
import { SERVICE_LABELS, serviceLabels, type Family } from './families.js'
import type { MetricsSettings } from './options.js'

/** The part of a scrape with one set of label names. Samples with equal labels are added up. */
export interface Section {
  families: readonly Pick<Family<never>, 'name' | 'help' | 'type'>[]
  /** Names of the labels. */
  names: readonly string[]
  /** The label values of each sample. */
  labels: readonly (readonly string[])[]
  /** The value of each sample, for each family. */
  values: readonly (readonly number[])[]
}

class Sums<Sample> implements Section {
  readonly labels: (readonly string[])[] = []
  readonly values: number[][]
  readonly #numbers = new Map<string, number>()

  constructor(readonly families: readonly Family<Sample>[], readonly names: readonly string[]) {
    this.values = families.map(() => [])
  }

  /** The number of the sample with these label values. */
  number(labels: readonly string[]): number {
    const id = labels.join('\n')
    let number = this.#numbers.get(id)
    if (number === undefined) {
      number = this.labels.push(labels) - 1
      this.#numbers.set(id, number)
      for (const column of this.values) column.push(0)
    }
    return number
  }

  add(number: number, sample: Sample): void {
    const { families, values } = this
    for (let i = 0; i < families.length; i++) values[i][number] += families[i].value(sample)
  }
}

/** Reads the table once for all metrics and adds up samples with equal labels. The event loop has its turns meanwhile. */
export async function scrape({ ipvs, families, labels }: MetricsSettings): Promise<Section[]> {
  const [counted, { services: listed }] = await Promise.all([ipvs.totals(), ipvs.snapshot()])
  const totals = new Sums(families.totals, [])
  const backends = new Sums(families.backends, labels)
  const services = new Sums(families.services, SERVICE_LABELS)
  totals.add(totals.number([]), counted)
  const remote = labels.includes('remote_address') || labels.includes('remote_port')
  for (const service of listed) {
    const own = serviceLabels(service)
    if (families.services.length > 0) services.add(services.number(Object.values(own)), service)
    const { destinations } = service
    const text: Record<string, string> = { ...own, remote_address: '', remote_port: '' }
    let number = -1
    for (const destination of destinations) {
      if (remote) {
        text.remote_address = destination.address
        text.remote_port = String(destination.port)
      }
      if (remote || number < 0) number = backends.number(labels.map((label) => text[label]))
      backends.add(number, destination)
      if (worked()) await pause()
    }
    if (worked()) await pause()
  }
  return [totals, backends, services].filter((section) => section.families.length > 0)
}
