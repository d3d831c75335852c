import {
  configurationMistakes,
  type DirectedDestination,
  type DirectedService,
  type DirectorConfiguration,
  type Fallback,
} from '../configuration/index.js'
import { formatMask } from '../model/address.js'
import { familyOf, hasMark, serviceId, serviceWords } from '../model/keys.js'
import type { DaemonInput, Persistence, ServiceKey } from '../model/types.js'
import type { Diagnostics } from './diagnostics.js'
import type { FileDraft, GroupEntry, Method, RealServer, VirtualServer } from './drafts.js'
import { granularityOf, looseMask } from './granularity.js'
import type { Place } from './line.js'
import { programOf } from './programs.js'
import { resolveChecker } from './resolve-checks.js'

/** Turns what was read into a configuration, as keepalived does after it has read all files. */

const PERSISTENCE = 360

/** The name of a virtual server in messages. */
function wordsOf({ head }: VirtualServer): string {
  if (head.kind === 'fwmark') return `fwmark ${head.fwmark}`
  if (head.kind === 'group') return `group ${head.name}`
  return head.port === 0 ? head.address : `${head.address} port ${head.port}`
}

/** A virtual server and what its services are made with. */
interface Decided {
  virtual: VirtualServer
  method: Method
  file: FileDraft
  diagnostics: Diagnostics
}

const methodOf = (server: { method?: Method }, { method }: Decided): Method => server.method ?? method

/** The family of a firewall mark that names none: that of the first server that no tunnel reaches, or else the one all share. */
function markFamily({ virtual, method }: Decided): 4 | 6 {
  if (virtual.family !== undefined) return virtual.family
  const servers = [...virtual.servers, ...virtual.sorry === undefined ? [] : [virtual.sorry]]
  const direct = servers.find((server) => (server.method ?? method).forward !== 'tun')
  if (direct !== undefined) return direct.family
  return virtual.head.kind === 'fwmark' && servers.every(({ family }) => family === 6) ? 6 : 4
}

/** The keys of the services that a virtual server stands for. */
function keysOf(decided: Decided): ServiceKey[] {
  const { virtual, file, diagnostics } = decided
  const { head, place } = virtual
  if (head.kind === 'fwmark') {
    if (virtual.protocol !== undefined)
      diagnostics.warning(virtual.protocol.place, 'A firewall mark has packets of any protocol, so the line has no effect', 'Take it out')
    return [{ fwmark: head.fwmark, family: markFamily(decided) }]
  }
  const group = head.kind === 'group' ? file.groups.find(({ name }) => name === head.name) : undefined
  if (head.kind === 'group' && group === undefined) {
    diagnostics.error(place, `There is no virtual_server_group ${head.name}, so the service has no address`, `Write virtual_server_group ${head.name} { … } outside of every block`)
    return []
  }
  const entries: GroupEntry[] =
    group?.entries ?? (head.kind === 'address' ? [{ addresses: [head.address], family: head.family, port: head.port, place }] : [])
  if (group !== undefined && mixed(entries)) {
    diagnostics.error(
      group.place,
      'This group has IPv4 and IPv6 addresses, and a firewall mark of which it does not say which of the two it is',
      'Write fwmark N inet or fwmark N inet6',
    )
    return []
  }
  if (group !== undefined && entries.length === 0) diagnostics.warning(group.place, `The group ${group.name} is empty, so its virtual servers are nothing`, 'Write its addresses into it')
  if (
    group !== undefined &&
    entries.some(({ family }) => family !== undefined && virtual.family !== undefined && family !== virtual.family)
  ) {
    diagnostics.warning(
      place,
      `The service is IPv${virtual.family} by its ip_family, its persistence_granularity or its first server, and the group ${group.name} is not, so the virtual_server is left out`,
      'Write ip_family as the group is, a netmask with dots for IPv4, and servers of the same family',
    )
    return []
  }
  let protocol = virtual.protocol?.value
  if (protocol === undefined && entries.some((entry) => 'addresses' in entry)) {
    diagnostics.warning(place, `virtual_server ${wordsOf(virtual)} names no protocol, and is UDP therefore`, 'Write protocol TCP, if that is meant')
  }
  protocol ??= 'udp'
  return entries.flatMap((entry): ServiceKey[] => 'addresses' in entry
    ? entry.addresses.map((address) => ({ protocol, address, port: entry.port }))
    : [{ fwmark: entry.fwmark, family: entry.family ?? markFamily(decided) }])
}

const mixed = (entries: readonly GroupEntry[]): boolean =>
  [4, 6].every((family) => entries.some((entry) => entry.family === family)) &&
  entries.some((entry) => 'fwmark' in entry && entry.family === undefined)

/** How clients are kept at their server; `undefined` if they are not. */
function persistenceOf({ virtual, diagnostics }: Decided, family: 4 | 6, noPort: boolean): Partial<Persistence> | undefined {
  const { granularity } = virtual
  const mask = granularity === undefined ? undefined : granularityOf(granularity.value, family)
  if (granularity !== undefined && mask === undefined) {
    diagnostics.warning(granularity.place, `'${granularity.value}' is no ${family === 4 ? 'netmask' : 'prefix length'}, so the line has no effect`, family === 4 ? 'Write a netmask: 255.255.255.0' : 'Write a number from 1 to 128')
  }
  if (granularity !== undefined && family === 4 && /^[0-9]+$/.test(granularity.value) && mask !== undefined) {
    diagnostics.warning(granularity.place, `${granularity.value} is the mask ${formatMask(looseMask(granularity.value)!)} here, as in keepalived: clients are told apart by those bits alone`, `Write a netmask: ${formatMask(-1 << 32 - Math.min(32, Number(granularity.value)) >>> 0)}`)
  }
  if (virtual.persistence !== undefined) return { timeout: virtual.persistence, ...mask }
  if (mask !== undefined) return { timeout: PERSISTENCE, ...mask }
  if (!noPort) return undefined
  diagnostics.warning(virtual.place, `virtual_server ${wordsOf(virtual)} names no port, which is all ports, and clients are kept at their server for ${PERSISTENCE} seconds therefore`, 'Write the port, or persistence_timeout')
  return { timeout: PERSISTENCE }
}

const SPELLED: Record<string, Record<string, string>> = {
  sh: { 'flag-1': 'sh-fallback', 'flag-2': 'sh-port' },
  mh: { 'flag-1': 'mh-fallback', 'flag-2': 'mh-port' },
}

/** The port of a server in the table. Only NAT translates ports, so with the other methods it is the service's port. */
function portIn(key: ServiceKey, port: number, { forward }: Method, inGroup: boolean): number {
  if (forward === 'nat') return port === 0 && !hasMark(key) && !inGroup ? key.port : port
  return hasMark(key) ? 0 : key.port
}

/** Reports, once for each place, that the port in use is not the one that is written. */
function tellPort(place: Place, written: number, used: number, what: string, diagnostics: Diagnostics, told: Set<string>): void {
  if (written === 0 || written === used) return
  const id = `${place.file} ${place.line} ${place.column}`
  if (told.has(id)) return
  told.add(id)
  if (used === 0) {
    diagnostics.note(place, `Packets with a firewall mark keep their port, so ${what} is entered without one${what === 'the server' ? `; its checks go to ${written}` : ''}`, what === 'the server' ? 'Leave it as it is, or write connect_port into the checkers' : 'Leave the port out')
    return
  }
  diagnostics.warning(place, `${written} is not the service's port, and only NAT changes ports, so ${what} is entered with port ${used}${what === 'the server' ? '; its checks still go to the port that is written' : ''}`,
    what === 'the server' ? `Write ${used}, and connect_port ${written} into the checkers` : `Write ${used}`)
}

function destinationOf(server: RealServer, key: ServiceKey, decided: Decided, told: Set<string>): DirectedDestination {
  const { virtual, file, diagnostics } = decided
  const method = methodOf(server, decided)
  const port = portIn(key, server.port, method, virtual.head.kind === 'group')
  tellPort(server.portPlace, server.port, port, 'the server', diagnostics, told)
  const { upperThreshold, lowerThreshold } = server
  const lower = lowerThreshold === undefined || lowerThreshold.value <= (upperThreshold?.value ?? 0) ? lowerThreshold?.value : undefined
  if (lowerThreshold !== undefined && lower === undefined && !told.has(JSON.stringify(lowerThreshold.place))) {
    told.add(JSON.stringify(lowerThreshold.place))
    diagnostics.warning(lowerThreshold.place, `lthreshold ${lowerThreshold.value} is above uthreshold ${upperThreshold?.value ?? 0}. The kernel refuses that, and keepalived then runs without the server; the line has no effect here`, 'Write a number that is not above uthreshold')
  }
  const home = { file, virtual, server, address: server.address, port, servicePort: hasMark(key) ? 0 : key.port, diagnostics }
  const destination: DirectedDestination = {
    address: server.address,
    port,
    forward: method.forward,
    weight: server.weight ?? virtual.weight ?? 1,
  }
  if (server.checks.length > 0) destination.checks = server.checks.flatMap((checker) => resolveChecker(checker, home))
  if (method.tunnel !== undefined) destination.tunnel = method.tunnel
  if (upperThreshold !== undefined) destination.upperThreshold = upperThreshold.value
  if (lower !== undefined) destination.lowerThreshold = lower
  if (server.inhibit !== undefined) destination.whenDown = server.inhibit ? 'zero' : 'remove'
  if (server.pace.alpha !== undefined) destination.startDown = server.pace.alpha
  if (server.notifyUp !== undefined) destination.onUp = programOf(server.notifyUp, file, diagnostics)
  if (server.notifyDown !== undefined) destination.onDown = programOf(server.notifyDown, file, diagnostics)
  return destination
}

/** The destinations of a service. Servers of the wrong family and repeated servers are left out. */
function destinationsOf(key: ServiceKey, decided: Decided, told: Set<string>): DirectedDestination[] {
  const { virtual, diagnostics } = decided
  const found = new Map<string, DirectedDestination>()
  const written = new Set<string>()
  for (const server of virtual.servers) {
    if (server.family !== familyOf(key) && methodOf(server, decided).forward !== 'tun') {
      const id = `family ${server.place.file} ${server.place.line}`
      if (!told.has(id)) diagnostics.warning(server.place, `${server.address} is IPv${server.family} and the service is IPv${familyOf(key)}, so the server is left out: only TUN goes from one to the other`, 'Write an address of the same family, or lvs_method TUN')
      told.add(id)
      continue
    }
    const asWritten = `${server.address} ${server.port}`
    if (written.has(asWritten)) {
      const id = `twice ${server.place.file} ${server.place.line}`
      if (!told.has(id)) diagnostics.warning(server.place, `${server.address}${server.port === 0 ? '' : ` port ${server.port}`} is in this virtual_server already, so this one is left out, checks and all`, 'Take one of them out')
      told.add(id)
      continue
    }
    written.add(asWritten)
    const destination = destinationOf(server, key, decided, told)
    const id = `${destination.address} ${destination.port}`
    const before = found.get(id)
    if (before === undefined) found.set(id, destination)
    else {
      diagnostics.warning(server.place, `${destination.address} port ${destination.port} is in this service already, so this one is left out; its checks count for the first`, 'Take one of them out')
      before.checks = [...before.checks ?? [], ...destination.checks ?? []]
    }
  }
  return [...found.values()]
}

function fallbackOf(key: ServiceKey, decided: Decided, told: Set<string>): Fallback | undefined {
  const { virtual: { sorry, head, servers, inhibit }, diagnostics } = decided
  if (sorry === undefined) return undefined
  const method = methodOf(sorry, decided)
  if (sorry.family !== familyOf(key) && method.forward !== 'tun') {
    if (!told.has('sorry')) diagnostics.warning(sorry.place, `${sorry.address} is IPv${sorry.family} and the service is IPv${familyOf(key)}, so there is no sorry server`, 'Write an address of the same family, or sorry_server_lvs_method TUN')
    told.add('sorry')
    return undefined
  }
  const port = method.forward === 'nat' ? sorry.port : portIn(key, sorry.port, method, head.kind === 'group')
  tellPort(sorry.place, sorry.port, port, 'the sorry server', diagnostics, told)
  // A sorry server that is one of the real servers is inhibited as that one is.
  const same = servers.find((server) => server.address === sorry.address && server.port === sorry.port)
  const isInhibited = same === undefined ? sorry.inhibit : same.inhibit ?? inhibit
  return {
    address: sorry.address,
    port,
    forward: method.forward,
    ...(method.tunnel !== undefined && { tunnel: method.tunnel }),
    weight: 1,
    ...(isInhibited === true && { whenIdle: 'zero' as const }),
  }
}

/** Quorum and hysteresis, limited to the sum of the servers' weights. */
function quorumOf({ virtual, diagnostics }: Decided): Pick<DirectedService, 'quorum' | 'hysteresis'> {
  const total = virtual.servers.reduce((sum, { weight = virtual.weight ?? 1 }) => sum + weight, 0)
  let quorum = virtual.quorum?.value ?? 1
  if (virtual.quorum !== undefined && quorum > total) {
    diagnostics.warning(virtual.quorum.place, `A quorum of ${quorum} is more than the weights of all servers, which are ${total}, so it is ${Math.max(1, total)}`, 'A quorum counts weights, not servers: write at most their sum')
    quorum = Math.max(1, total)
  }
  quorum = Math.min(quorum, 2 ** 31 - 1)
  const { hysteresis } = virtual
  if (hysteresis === undefined || hysteresis.value < quorum)
    return { ...(virtual.quorum !== undefined && { quorum }), ...(hysteresis !== undefined && { hysteresis: hysteresis.value }) }
  diagnostics.warning(hysteresis.place, `A hysteresis of ${hysteresis.value} is not below the quorum, which is ${quorum}, so it is ${quorum - 1}`, 'Write a number below the quorum')
  return { ...virtual.quorum !== undefined && { quorum }, hysteresis: quorum - 1 }
}

/** The settings that all services of a virtual server share. */
function settingsOf(decided: Decided): Partial<DirectedService> {
  const { virtual, file, diagnostics } = decided
  const { place, head } = virtual
  if (virtual.scheduler === undefined) diagnostics.warning(place, `virtual_server ${wordsOf(virtual)} names no scheduler, and has wlc therefore`, 'Write lb_algo wlc, or another one')
  if (virtual.method === undefined) diagnostics.warning(place, `virtual_server ${wordsOf(virtual)} names no forwarding method, and has NAT therefore`, 'Write lb_kind NAT, DR or TUN, in capitals')
  const datagrams = head.kind === 'fwmark' || (virtual.protocol?.value ?? 'udp') === 'udp'
  if (virtual.onePacket !== undefined && !datagrams)
    diagnostics.warning(
      virtual.onePacket,
      'ops schedules each packet anew, which only UDP and firewall marks have, so the line has no effect',
      'Take it out',
    )
  if (virtual.haSuspend !== undefined && head.kind === 'fwmark')
    diagnostics.warning(
      virtual.haSuspend,
      'ha_suspend asks whether this machine has the address, and a firewall mark has none, so the line has no effect',
      'Take it out',
    )
  const scheduler = virtual.scheduler ?? 'wlc'
  return {
    scheduler,
    ...virtual.flags.size > 0 && { schedulerFlags: [...virtual.flags].sort().map((flag) => SPELLED[scheduler]?.[flag] ?? flag) },
    ...virtual.onePacket !== undefined && datagrams && { onePacket: true },
    ...quorumOf(decided),
    ...virtual.inhibit === true && { whenDown: 'zero' as const },
    ...virtual.pace.alpha === true && { startDown: true },
    ...virtual.omega === true && { notifyAtEnd: true },
    ...file.notifyAtStart && { notifyAtStart: true },
    ...virtual.quorumUp !== undefined && { onQuorumReached: programOf(virtual.quorumUp, file, diagnostics) },
    ...virtual.quorumDown !== undefined && { onQuorumLost: programOf(virtual.quorumDown, file, diagnostics) },
  }
}

function servicesOf(virtual: VirtualServer, file: FileDraft, diagnostics: Diagnostics, uses: Map<string, number>): DirectedService[] {
  const { head, place } = virtual
  if (virtual.servers.length === 0) {
    diagnostics.warning(place, `virtual_server ${wordsOf(virtual)} has no real_server, and is left out`, 'Write real_server ADDRESS PORT { … } into it; look whether it ended too early')
    return []
  }
  const decided: Decided = { virtual, method: virtual.method ?? { forward: 'nat' }, file, diagnostics }
  const keys = keysOf(decided)
  if (keys.length === 0) return []
  const settings = settingsOf(decided)
  const told = new Set<string>()
  const persistence = new Map(keys.map((key): [4 | 6, Partial<Persistence> | undefined] => [familyOf(key), undefined]))
  const noPort = keys.some((key) => !hasMark(key) && key.port === 0)
  for (const family of persistence.keys()) persistence.set(family, persistenceOf(decided, family, noPort))
  if (virtual.engine !== undefined && [...persistence.values()].every((one) => one === undefined)) {
    diagnostics.warning(
      virtual.engine.place,
      'persistence_engine says how clients are told apart that are kept at their server, and none are, so the line has no effect',
      'Write persistence_timeout too, or take it out',
    )
  }
  const group = head.kind === 'group' ? `[${head.name}]:${uses.get(head.name) ?? 0}` : undefined
  if (head.kind === 'group') uses.set(head.name, (uses.get(head.name) ?? 0) + 1)
  return keys.map((key): DirectedService => {
    const fallback = fallbackOf(key, decided, told)
    const affinity = persistence.get(familyOf(key))
    return {
      ...key,
      ...settings,
      ...(affinity !== undefined && {
        persistence: affinity,
        ...(virtual.engine !== undefined && { persistenceEngine: virtual.engine.value }),
      }),
      ...(group !== undefined && { group }),
      ...(virtual.haSuspend !== undefined && !hasMark(key) && { onlyWhileHeld: true }),
      ...(fallback !== undefined && { fallback }),
      destinations: destinationsOf(key, decided, told),
    }
  })
}

/**
 * Adds the servers of a second virtual server with the same key to the first, whose settings stay. keepalived has the same result, because
 * the kernel refuses the second service.
 */
function merge(into: DirectedService, service: DirectedService, place: Place, diagnostics: Diagnostics): void {
  diagnostics.warning(place, `There is a virtual_server of ${serviceWords(service)} already. Its settings stay, and the servers of this one are added to it`, 'Write one virtual_server with all of the servers')
  const have = new Set(into.destinations!.map(({ address, port }) => `${address} ${port}`))
  for (const destination of service.destinations!) {
    if (have.has(`${destination.address} ${destination.port}`)) diagnostics.warning(place, `${destination.address} port ${destination.port} is in both; what the first says about it counts`, 'Take one of them out')
    else into.destinations!.push({ ...destination })
  }
}

function daemonsOf({ syncDaemon }: FileDraft): DaemonInput[] | undefined {
  if (syncDaemon?.value.by !== 'director') return undefined
  const daemon = Object.fromEntries(Object.entries(syncDaemon.value).filter(([name]) => name !== 'by' && name !== 'instance')) as Omit<
    DaemonInput,
    'role'
  >
  return [{ role: 'master', ...daemon }, { role: 'backup', ...daemon }]
}

/** Makes the configuration from all that was read. */
export function resolve(file: FileDraft, diagnostics: Diagnostics): DirectorConfiguration {
  const services: DirectedService[] = []
  const places: Place[] = []
  const known = new Map<string, DirectedService>()
  const uses = new Map<string, number>()
  for (const virtual of file.virtualServers) {
    for (const service of servicesOf(virtual, file, diagnostics, uses)) {
      const id = serviceId(service)
      const before = known.get(id)
      if (before !== undefined) merge(before, service, virtual.place, diagnostics)
      else {
        known.set(id, service)
        services.push(service)
        places.push(virtual.place)
      }
    }
  }
  const daemons = daemonsOf(file)
  const configuration: DirectorConfiguration = {
    services,
    ...(Object.keys(file.timeouts).length > 0 && { timeouts: file.timeouts }),
    ...(daemons !== undefined && { daemons }),
  }
  for (const { field, message } of configurationMistakes(configuration)) {
    const index = /^services\[(\d+)\]/.exec(field)?.[1]
    const place = index === undefined ? file.syncDaemon?.place : places[Number(index)]
    diagnostics.error(place ?? { file: '', line: 1, column: 1 }, `This cannot be done: ${message}`, 'Write a value that the field can have')
  }
  return configuration
}
