import type { DirectorSight } from './director-sight.js'
import type { Row } from './row.js'
import { answerRows } from './rows/answers.js'
import { destinationRows } from './rows/destinations.js'
import { firewallRows } from './rows/firewall.js'
import { forwarding } from './rows/forwarding.js'
import { serverRows } from './rows/real-server.js'
import { syncRows } from './rows/sync.js'
import { virtualAddressRows } from './rows/virtual-addresses.js'

/** The rows of a director, causes before what follows from them. */
export const directorRows: readonly Row<DirectorSight>[] = [
  ...virtualAddressRows,
  ...destinationRows,
  ...forwarding,
  ...firewallRows,
  ...answerRows,
  ...syncRows,
]

export { serverRows }

/** The table as docs/doctor.md has it: a line for each row. */
export function tableOf<Sight>(rows: readonly Row<Sight>[]): string {
  const lines = rows.map(({ name, severity, certainty, missing, client, sign }) => `| \`${name}\` | ${missing} | ${client} | ${sign} | ${severity}, ${certainty} |`)
  return ['| row | what is missing | what the client sees | what tells it | |', '| --- | --- | --- | --- | --- |', ...lines].join('\n')
}
