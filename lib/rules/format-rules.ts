import { hasMark } from '../model/key.js'
import type { DaemonInput, Destination, Protocol, Service, ServiceKey, Table, Timeouts, Tunnel } from '../model/types.js'
import { asPrinted } from './address-text.js'
import { limits } from './language.js'
import type { Names } from './names.js'
import { sortDestinations, sortServices } from './sort.js'
import { spellEndpoint, spellMask } from './spelling.js'
import { beyondPrefix } from './words.js'

/** How to write rules. */
export interface FormatOptions {
  /** Keep what ipvsadm's own save loses, see {@link formatRules}. Default: false, the text that `ipvsadm -S` writes, to the byte. */
  full?: boolean
  /** Names for addresses and ports, as `ipvsadm -S` without `-n` writes them. Default: numbers. */
  names?: Names
}

/**
 * Writes a table as commands in ipvsadm's language, one a line: what `ipvsadm -S` writes and `ipvsadm -R` reads.
 *
 * ipvsadm's save leaves out thresholds, timeouts and sync daemons, and writes `local` destinations as direct routing. With `full` they
 * are kept: as `-x`, `-y`, `--set` and `--start-daemon`, which `ipvsadm -R` reads, too. What its language cannot say at all (`local`
 * and `bypass` destinations, values above its limits) becomes lines that begin with `#ipvs:`, which ipvsadm-restore passes over
 * and this library reads. Destinations that bypass IPVS are such lines without `full`, too: ipvsadm writes nonsense for them.
 *
 * @param state what `snapshot` or `parseRules` gives
 */
export function formatRules(state: Table, { full = false, names }: FormatOptions = {}): string {
  const lines: string[] = []
  for (const service of sortServices(state.services)) {
    lines.push(serviceLine('-A', service, { full, names }))
    for (const destination of sortDestinations(service.destinations)) lines.push(destinationLine('-a', service, destination, { full, names }))
  }
  if (full) {
    const { timeouts, daemons = [] } = state
    if (timeouts) lines.push(timeoutsLine(timeouts))
    lines.push(...daemons.map(daemonLine))
  }
  return lines.map((line) => `${line}\n`).join('')
}

/** The command that adds or changes a service. */
export function serviceLine(command: '-A' | '-E', service: Service, { full, names }: FormatOptions): string {
  return heard(`${command} ${spellService(service, names)} ${serviceOptions(service)}`, !full || !beyondService(service))
}

/** The command that adds or changes a destination of a service; of that no more is known than its key, if that is all that is given. */
export function destinationLine(command: '-a' | '-e', service: ServiceKey & Partial<Service>, destination: Destination, { full = false, names }: FormatOptions): string {
  const protocol = 'protocol' in service ? service.protocol : undefined
  const beyond = destination.forward === 'bypass' || (full && (beyondService(service) || beyondDestination(service, destination)))
  const endpoint = spellEndpoint(destination.address, destination.port, protocol, names)
  if (!(destination.forward in forwardingOptions)) return `# ${command} ${spellService(service, names)} -r ${endpoint}: forwarding method ${destination.forward} has no name`
  return heard(`${command} ${spellService(service, names)} -r ${endpoint} ${destinationOptions(destination, full, beyond)}`, !beyond)
}

export const timeoutsLine = ({ tcp = 0, tcpFin = 0, udp = 0 }: Partial<Timeouts>): string => `--set ${tcp} ${tcpFin} ${udp}`

/** A line that ipvsadm is to hear, or to pass over. */
const heard = (line: string, byIpvsadm: boolean): string => (byIpvsadm ? line : `${beyondPrefix} ${line}`)

const serviceOptionNames: Partial<Record<Protocol, string>> = { tcp: '-t', udp: '-u', sctp: '--sctp-service' }

/** The options that stand for a service. */
export function spellService(service: ServiceKey, names?: Names): string {
  if (hasMark(service)) return `-f ${service.fwmark}${service.family === 6 ? ' -6' : ''}`
  // The kernel takes services of protocols that it does not balance; ipvsadm's word for those is one that it does not read.
  const option = serviceOptionNames[service.protocol] ?? '--xxx-service'
  return `${option} ${spellEndpoint(service.address, service.port, service.protocol, names)}`
}

const familyOf = (service: ServiceKey): 4 | 6 => (hasMark(service) ? service.family : service.address.includes(':') ? 6 : 4)

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

const forwardingOptions: Partial<Record<Destination['forward'], string>> = { nat: '-m', tun: '-i', dr: '-g', local: '-g', bypass: '--bypass' }
const checksumOptions: Partial<Record<Tunnel['checksum'], string>> = { none: '--tun-nocsum', csum: '--tun-csum', remcsum: '--tun-remcsum' }
/** Those there are words for; ipvsadm leaves others out. */
const tunnelTypes: Record<Tunnel['type'], true> = { ipip: true, gue: true, gre: true }

function destinationOptions({ forward, weight, tunnel, upperThreshold, lowerThreshold }: Destination, full: boolean, unheard: boolean): string {
  const words = [unheard && forward === 'local' ? '--local' : forwardingOptions[forward]!, `-w ${weight}`]
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

/** Whether ipvsadm would refuse to add such a service, or change it on the way. */
function beyondService(service: ServiceKey & Partial<Service>): boolean {
  const { persistence, onePacket } = service
  if (persistence && persistence.timeout > limits.timeout) return true
  if (hasMark(service)) return false
  return (service.port === 0 && persistence === null) || (onePacket === true && service.protocol !== 'udp')
}

/** Whether ipvsadm would refuse to add such a destination, or change it on the way. */
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
