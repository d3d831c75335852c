import type { IpvsSync } from '../ipvs-sync.js'
import { RulesError } from '../rules/error.js'
import type { OptionGroup } from '../rules/language.js'
import type { GivenOptions } from '../rules/read-command.js'
import type { ListedTableService, ServiceKey } from '../model/types.js'
import { sortTable } from '../rules/sort.js'
import { formatDaemons, formatListing, timeoutsLine, versionLine, type ListingView } from './listing.js'
import { complain, json, print } from './output.js'
import type { OwnOptions } from './own-options.js'
import { refusal } from './refusals.js'

/** If several views are given, ipvsadm shows the first of these. */
const views: readonly ListingView[] = ['stats', 'rate', 'thresholds', 'persistent-conn', 'tun-info']

/** `ipvs -L`: everything that ipvsadm lists. */
export async function list(ipvs: IpvsSync, options: GivenOptions, service: ServiceKey | undefined, own: OwnOptions): Promise<number> {
  checkConflicts(options)
  try {
    if (options.has('connection')) return await (await import('./list-connections.js')).listConnections(ipvs, options, own)
    if (options.has('timeout')) {
      const timeouts = ipvs.timeouts()
      print(own.json ? json(timeouts) : timeoutsLine(timeouts))
    } else if (options.has('daemon')) {
      const daemons = ipvs.daemons()
      print(own.json ? json(daemons) : formatDaemons(daemons))
    } else {
      await listServices(ipvs, options, service, own)
    }
    return 0
  } catch (error) {
    if (!('errno' in (error as object))) throw error
    complain(refusal(error))
    return 1
  }
}

/** ipvsadm's rules for `-L` that are not in its table of commands and options. */
function checkConflicts(options: GivenOptions): void {
  const first = (groups: readonly OptionGroup[]): OptionGroup | undefined => groups.find((group) => options.has(group))
  const other = first(['connection', 'timeout', 'daemon'])
  const view = first(['stats', 'rate', 'thresholds']) ?? (other === 'connection' ? undefined : first(['persistent-conn']))
  if (other && view) throw new RulesError(`--${view} conflicts with --${other} in the 'list' command`, 'one of the two', 1, 1)
}

async function listServices(ipvs: IpvsSync, options: GivenOptions, key: ServiceKey | undefined, own: OwnOptions): Promise<void> {
  const found = key ? [oneService(ipvs, key)] : ipvs.snapshot().services
  const services = options.has('nosort') ? found : sortTable(found)
  const info = ipvs.info()
  if (own.json) {
    print(json(key ? services[0] : { ...info, services }))
    return
  }
  const reverse = options.has('numeric') ? undefined : await import('./reverse-names.js')
  const listing = formatListing(services, {
    view: views.find((view) => options.has(view as OptionGroup)) ?? 'plain',
    exact: options.has('exact'),
    names: await reverse?.namesOf(reverse.addressesOf({ services })),
  })
  print(key ? listing : versionLine(info) + listing)
}

function oneService(ipvs: IpvsSync, key: ServiceKey): ListedTableService {
  // Unlike getService, this refuses a service that does not exist.
  const destinations = ipvs.destinations(key)
  const service = ipvs.getService(key)
  // Without a service it was removed in between. The second time the first request is refused.
  return service ? { ...service, destinations } : oneService(ipvs, key)
}
