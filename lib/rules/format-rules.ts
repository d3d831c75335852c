import { familyOf, hasMark } from '../model/keys.js'
import type { DaemonInput, Destination, Protocol, Service, ServiceKey, Table, Timeouts, Tunnel } from '../model/types.js'
import { asPrinted } from './address-text.js'
import { limits } from './language.js'
import type { Names } from './names.js'
import { sortDestinations, sortServices } from './sort.js'
import { spellEndpoint, spellMask } from './spelling.js'
import { beyondPrefix } from './words.js'

/** How to write rules. */
export interface FormatOptions {
  /** Keep what ipvsadm's own save loses, see {@link formatRules}. Default: false, which writes the same bytes as `ipvsadm -S`. */
  full?: boolean
  /**
   * Names for addresses and ports, as `ipvsadm -S` without `-n` writes them. A full save has none for IPv6 addresses, because nothing reads
   * those back. Default: numbers.
   */
  names?: Names
}

/**
 * Writes a table as commands in ipvsadm's language, one a line, as `ipvsadm -S` does and `ipvsadm -R` reads.
 *
 * ipvsadm's save leaves out thresholds, timeouts and sync daemons, and writes `local` destinations as direct routing. `full` keeps them: as
 * `-x`, `-y`, `--set` and `--start-daemon`, which `ipvsadm -R` reads too. What ipvsadm's language cannot say at all (`local` and `bypass`
 * destinations, values above its limits) becomes lines that begin with `#ipvs:`. ipvsadm-restore skips them, this library reads them.
 * Destinations that bypass IPVS become such lines without `full` too, because ipvsadm has neither an option nor a name for them.
 *
 * @param state the result of `snapshot` or `parseRules`
 *
 * @example
 * ```js
 * import { Ipvs } from 'ipvs'
 * import { formatRules } from 'ipvs/rules'
 *
 * const ipvs = await Ipvs.open()
 * console.log(formatRules(await ipvs.snapshot(), { full: true }))
 * await ipvs.close()
 * ```
 */
export function formatRules(state: Table, { full = false, names: given }: FormatOptions = {}): string {
  const names = given && full ? readableNames(given) : given
  const lines: string[] = []
  for (const service of sortServices(state.services)) {
    lines.push(serviceLine('-A', service, { full, names }))
    for (const destination of sortDestinations(service.destinations)) {
      lines.push(destinationLine('-a', service, destination, { full, names }))
    }
  }
  if (full) {
    const { timeouts, daemons = [] } = state
    if (timeouts) lines.push(timeoutsLine(timeouts))
    lines.push(...daemons.map(daemonLine))
  }
  return lines.map((line) => `${line}\n`).join('')
}

/** Names that are read back: both ipvsadm and this library look up hosts as IPv4 only. */
const readableNames = (names: Names): Names => ({
  host: (address) => (address.includes(':') ? undefined : names.host(address)),
  service: (port, protocol) => names.service(port, protocol),
})

/** The command that adds or changes a service. */
export function serviceLine(command: '-A' | '-E', service: Service, { full, names }: FormatOptions): string {
  return markedIf(full === true && beyondService(service), `${command} ${spellService(service, names)} ${serviceOptions(service)}`)
}

/** The command that adds or changes a destination. The service may be just its key. */
export function destinationLine(
  command: '-a' | '-e', service: ServiceKey & Partial<Service>, destination: Destination, { full = false, names }: FormatOptions,
): string {
  const protocol = 'protocol' in service ? service.protocol : undefined
  const beyond = destination.forward === 'bypass' || (full && (beyondService(service) || beyondDestination(service, destination)))
  const start = `${command} ${spellService(service, names)} -r ${spellEndpoint(destination.address, destination.port, protocol, names)}`
  if (!(destination.forward in forwardingOptions)) return `# ${start}: forwarding method ${destination.forward} has no name`
  return markedIf(beyond, `${start} ${destinationOptions(destination, full, beyond)}`)
}

export const timeoutsLine = ({ tcp = 0, tcpFin = 0, udp = 0 }: Partial<Timeouts>): string => `--set ${tcp} ${tcpFin} ${udp}`

/** Marks lines that ipvsadm is to skip. */
const markedIf = (beyond: boolean, line: string): string => (beyond ? `${beyondPrefix} ${line}` : line)

const serviceOptionNames: Partial<Record<Protocol, string>> = { tcp: '-t', udp: '-u', sctp: '--sctp-service' }

/** The options that stand for a service. */
export function spellService(service: ServiceKey, names?: Names): string {
  if (hasMark(service)) return `-f ${service.fwmark}${service.family === 6 ? ' -6' : ''}`
  // The kernel accepts services of protocols that it does not balance. ipvsadm writes this option for them and cannot read it.
  const option = serviceOptionNames[service.protocol] ?? '--xxx-service'
  return `${option} ${spellEndpoint(service.address, service.port, service.protocol, names)}`
}

function serviceOptions(service: Service): string {
  const { scheduler, persistence, persistenceEngine, onePacket, schedulerFlags } = service
  const words = [`-s ${scheduler}`]
  if (persistence) {
    words.push(`-p ${persistence.timeout}`)
    const mask = spellMask(persistence, familyOf(service))
    if (mask !== undefined) words.push(`-M ${mask}`)
  }
  if (persistenceEngine) words.push(`--pe ${persistenceEngine}`)
  if (onePacket) words.push('-o')
  if (schedulerFlags.length > 0) words.push(`-b ${schedulerFlags.join(',')}`)
  return words.join(' ')
}

const forwardingOptions: Partial<Record<Destination['forward'], string>> =
  { nat: '-m', tun: '-i', dr: '-g', local: '-g', bypass: '--bypass' }
const checksumOptions: Partial<Record<Tunnel['checksum'], string>> = { none: '--tun-nocsum', csum: '--tun-csum', remcsum: '--tun-remcsum' }
/** The types that have a name. ipvsadm leaves others out. */
const tunnelTypes: Record<Tunnel['type'], true> = { ipip: true, gue: true, gre: true }

function destinationOptions(destination: Destination, full: boolean, beyond: boolean): string {
  const { forward, weight, tunnel, upperThreshold, lowerThreshold } = destination
  const words = [beyond && forward === 'local' ? '--local' : forwardingOptions[forward]!, `-w ${weight}`]
  if (tunnel && tunnel.type in tunnelTypes) {
    words.push(`--tun-type ${tunnel.type}`)
    if (tunnel.type === 'gue') words.push(`--tun-port ${tunnel.port}`)
    const checksum = tunnel.type === 'ipip' ? undefined : checksumOptions[tunnel.checksum]
    if (checksum) words.push(checksum)
  }
  if (full && upperThreshold > 0) words.push(`-x ${upperThreshold}`)
  if (full && lowerThreshold > 0) words.push(`-y ${lowerThreshold}`)
  return words.join(' ')
}

/** Whether ipvsadm would refuse such a service, or add a different one. */
function beyondService(service: ServiceKey & Partial<Service>): boolean {
  const { persistence, onePacket } = service
  if (persistence && persistence.timeout > limits.timeout) return true
  if (hasMark(service)) return false
  return (service.port === 0 && persistence === null) || (onePacket === true && service.protocol !== 'udp')
}

/** Whether ipvsadm would refuse such a destination, or add a different one. */
function beyondDestination(service: ServiceKey, { forward, port, weight }: Destination): boolean {
  if (forward === 'local' || weight > limits.weight) return true
  return forward !== 'nat' && !hasMark(service) && port !== service.port
}

/** The command that starts a sync daemon. */
export function daemonLine({ role, interface: name, syncId = 0, maxLength, group, port, ttl }: DaemonInput): string {
  const words = [`--start-daemon ${role} --mcast-interface ${name} --syncid ${syncId}`]
  if (maxLength) words.push(`--sync-maxlen ${maxLength}`)
  if (group) words.push(`--mcast-group ${asPrinted(group)}`)
  if (port) words.push(`--mcast-port ${port}`)
  if (ttl) words.push(`--mcast-ttl ${ttl}`)
  return words.join(' ')
}
