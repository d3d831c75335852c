import type { IpvsSync } from '../ipvs-sync.js'
import type { Connection, ConnectionEnd } from '../proc/types.js'
import type { GivenOptions } from '../rules/read-command.js'
import type { Names } from '../rules/names.js'
import { spellEndpoint } from '../rules/spelling.js'
import { json, print } from './output.js'
import type { OwnOptions } from './own-options.js'

/** How many connections are printed together. */
const PAGE = 1000

/** `ipvs -L -c`: prints the same bytes as ipvsadm. */
export async function listConnections(ipvs: IpvsSync, options: GivenOptions, own: OwnOptions): Promise<number> {
  if (own.json) {
    print(json([...ipvs.connections()]))
    return 0
  }
  const engines = options.has('persistent-conn')
  print(title(engines))
  let page: Connection[] = []
  const flush = async (): Promise<void> => {
    const reverse = options.has('numeric') ? undefined : await import('./reverse-names.js')
    const ends = page.flatMap(({ client, virtual, destination }) => [client, virtual, destination])
    const names = await reverse?.namesOf(ends.map(({ address }) => address))
    print(page.map((connection) => line(connection, engines, names)).join(''))
    page = []
  }
  for (const connection of ipvs.connections()) {
    page.push(connection)
    if (page.length === PAGE) await flush()
  }
  await flush()
  return 0
}

/** ipvsadm's columns of the persistence engine are one place off from their titles. */
function title(engines: boolean): string {
  const start = `pro expire ${'state'.padEnd(11)} ${'source'.padEnd(18)} ${'virtual'.padEnd(18)}`
  const end = engines ? `${'destination'.padEnd(18)} ${'pe name'.padEnd(16)} pe_data` : 'destination'
  return `IPVS connection entries\n${start} ${end}\n`
}

function line(connection: Connection, engines: boolean, names?: Names): string {
  const { protocol, state, expires, persistenceEngine, persistenceData } = connection
  const spell = ({ address, port }: ConnectionEnd): string => spellEndpoint(address, port, protocol === 'ip' ? undefined : protocol, names)
  const two = (value: number): string => String(value).padStart(2, '0')
  const left = `${two(Math.floor(expires / 60))}:${two(expires % 60)}`
  const ends = `${spell(connection.client).padEnd(18)} ${spell(connection.virtual).padEnd(18)}`
  const start = `${protocol.toUpperCase().padEnd(3)} ${left.padEnd(6)} ${state.padEnd(11)} ${ends}`
  const destination = spell(connection.destination)
  if (!engines || persistenceEngine === null || persistenceData === null) return `${start} ${destination}\n`
  return `${start} ${destination.padEnd(16)} ${persistenceEngine.padEnd(18)} ${persistenceData.split(' ')[0]}\n`
}
