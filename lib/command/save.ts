import type { IpvsSync } from '../ipvs-sync.js'
import { formatRules } from '../rules/format-rules.js'
import type { OwnOptions } from './own-options.js'
import { print } from './output.js'

/** `ipvs -S`: writes the table as rules. */
export async function save(ipvs: IpvsSync, numeric: boolean, { full }: OwnOptions): Promise<number> {
  const table = ipvs.snapshot()
  const reverse = numeric ? undefined : await import('./reverse-names.js')
  print(formatRules(table, { full, names: await reverse?.namesOf(reverse.addressesOf(table)) }))
  return 0
}
