import { pause, worked } from '../client/pause.js'
import { destinationId, serviceId } from '../model/keys.js'
import type { DestinationKey, ServiceKey } from '../model/types.js'
import type { DirectorFamilies } from './checks-families.js'
import { BACKEND_LABELS, SERVICE_LABELS, serviceLabels } from './families.js'
import type { MeasuredDirector } from './measured-director.js'
import { Sums, type Section } from './sums.js'

/** A director, and the metrics that are made of it. */
export interface DirectorSettings {
  director: MeasuredDirector
  families: DirectorFamilies
}

const BACKEND = [...BACKEND_LABELS, 'family'] as const
/** Whether a state is that of an instance or of a group, and its name. */
const VRRP = ['type', 'name'] as const
/** What is asked, and which of the checks of a destination it is: two of them can ask the same. */
const CHECK = [...BACKEND, 'check', 'number'] as const

/** The label values of a destination, in the order of their names. */
function backendLabels(service: ServiceKey, { address, port }: DestinationKey): string[] {
  const own: Record<string, string> = { ...serviceLabels(service), remote_address: address, remote_port: String(port) }
  return BACKEND.map((label) => own[label])
}

/** Asks a director how everything stands. What its checks say is left out while they cannot be asked. */
export async function scrapeDirector({ director, families }: DirectorSettings): Promise<Section[]> {
  const asked = await director.checks().catch(() => undefined)
  const status = director.status()
  const own = new Sums(families.own, [])
  const vrrp = new Sums(families.vrrp, VRRP)
  const services = new Sums(families.services, SERVICE_LABELS)
  const backends = new Sums(families.backends, BACKEND)
  const checks = new Sums(families.checks, CHECK)
  own.add(own.number([]), { status, counts: asked ?? {} })
  for (const state of status.holding?.vrrp ?? []) vrrp.add(vrrp.number([state.type, state.name]), state)
  /** Label values of the destinations, by what tells them apart. */
  const known = new Map<string, string[]>()
  for (const service of status.services) {
    services.add(services.number(Object.values(serviceLabels(service.service))), service)
    for (const backend of service.destinations) {
      const labels = backendLabels(service.service, backend.destination)
      known.set(`${serviceId(service.service)} ${destinationId(backend.destination)}`, labels)
      backends.add(backends.number(labels), backend)
      if (worked()) await pause()
    }
    if (worked()) await pause()
  }
  for (const { service, destination, checks: all } of asked?.destinations ?? []) {
    const labels = known.get(`${serviceId(service)} ${destinationId(destination)}`)
    // It may have been taken out meanwhile.
    if (labels === undefined) continue
    for (const [number, check] of all.entries()) {
      checks.add(checks.number([...labels, check.check, String(number)]), check)
      if (worked()) await pause()
    }
  }
  return [own, vrrp, services, backends, checks]
}
