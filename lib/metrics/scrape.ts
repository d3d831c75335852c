import { pause, worked } from '../client/pause.js'
import { scrapeDirector } from './checks.js'
import { SERVICE_LABELS, serviceLabels } from './families.js'
import type { MetricsSettings } from './options.js'
import { Sums, type Section } from './sums.js'

/**
 * Reads the table once for all metrics, and asks the director if there is one. Adds up samples with equal labels. The event loop has its
 * turns meanwhile.
 */
export async function scrape({ ipvs, families, labels, director }: MetricsSettings): Promise<Section[]> {
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
  const sections = [totals, backends, services].filter((section) => section.families.length > 0)
  return director === undefined ? sections : [...sections, ...await scrapeDirector(director)]
}
