import { setTimeout } from 'node:timers/promises'
import { object, refuseUnknown, string, type Known } from '../arguments/validate.js'
import { Ipvs } from '../ipvs.js'
import { canonicalAddress } from '../model/address.js'
import { invalidType, invalidValue } from '../model/errors.js'
import { fullDestinationId, serviceId } from '../model/keys.js'
import type { Daemon, ListedTableService, OpenOptions, ServiceKey } from '../model/types.js'
import { Network } from '../network/index.js'
import { DirectorSight } from './director-sight.js'
import { Machine } from './machine.js'
import { findingOf, merged, type Found, type Row } from './row.js'
import { directorRows, serverRows } from './rows.js'
import { answeredInVain, nextAnswer, parseHandshakes } from './tcp-handshakes.js'
import { addressOf, readMoment, watched } from './traffic.js'
import type { ExamineOptions, Finding, Report } from './types.js'

/** Milliseconds from one look to the next: the kernel adds its counters up every two seconds. */
const BETWEEN_LOOKS = 2_100
/** Milliseconds that an answer takes to the client and back at most. */
const ROUND_TRIP = 300
/** Milliseconds until a handshake is answered again, at most, for which it is waited: answers come after 1, 3, 7, 15 and 31 seconds. */
const LONGEST_ANSWER = 4_000

const OPTIONS: Known = { what: 'the options of an examination', names: new Set(['vips', 'signal']) }
const SERVER_OPTIONS: Known = { what: 'the options of an examination', names: new Set(['vips', 'signal', 'netns']) }

function readOptions(options: unknown, known: Known): { vips: string[] | undefined, signal: AbortSignal | undefined } {
  const given = object(options, 'options')
  refuseUnknown(given, 'options', known)
  if (given.signal !== undefined && !(given.signal instanceof AbortSignal))
    throw invalidType('options.signal', 'an AbortSignal', given.signal)
  if (given.vips !== undefined && !Array.isArray(given.vips)) throw invalidType('options.vips', 'an array of IP addresses', given.vips)
  const vips = (given.vips as unknown[] | undefined)?.map((value, index) => {
    const text = string(value, `options.vips[${index}]`, 'an IP address, a string')
    const address = canonicalAddress(text)
    if (address === undefined) throw invalidValue(`options.vips[${index}]`, 'an IPv4 or IPv6 address', text)
    return address
  })
  return { vips, signal: given.signal }
}

const wait = (milliseconds: number, signal: AbortSignal | undefined): Promise<void> =>
  setTimeout(milliseconds, undefined, { signal }).catch(() => signal?.throwIfAborted())

/** Looks at one row after the other. */
async function look<Sight>(
  rows: readonly Row<Sight>[],
  sight: Sight,
  signal: AbortSignal | undefined,
  isExplained: (row: Row<Sight>, found: Found, by: readonly Finding[]) => boolean,
): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const row of rows) {
    signal?.throwIfAborted()
    const found = (await row.look(sight)).filter((one) => !isExplained(row, one, findings))
    findings.push(...merged(found).map((one) => findingOf(row, one)))
  }
  return [...findings.filter(({ severity }) => severity === 'fault'), ...findings.filter(({ severity }) => severity === 'warning')]
}

const idsOf = ({ breaks }: Pick<Finding, 'breaks'>): string[] => breaks.flatMap(({ service, destination }) =>
  service === undefined ? [] : [destination === undefined ? serviceId(service) : fullDestinationId(service, destination)])

/** What the traffic tells needs no finding of its own where another one is certain to break the same. */
const EXPLAINED = new Set(['answers-nat', 'answers-direct', 'destination-sends-back'])

/** Clients that pass this machine by say nothing of those that come here. */
const PASSED_BY = 'arp-answered-elsewhere'

const isExplained = ({ name }: Row<DirectorSight>, found: Found, by: readonly Finding[]): boolean => {
  if (!EXPLAINED.has(name)) return false
  const certain = by.filter(({ row, certainty, severity }) => certainty === 'certain' && severity === 'fault' && row !== PASSED_BY)
  const broken = new Set(certain.flatMap(idsOf))
  return idsOf(found).some((id) => broken.has(id))
}

/**
 * Looks at a director: its table, the machine and the traffic. Takes two to three seconds, and changes nothing: the only packets that it
 * sends are ARP questions for virtual addresses, from nobody.
 *
 * @param ipvs The table, in its namespace. It stays the caller's.
 *
 * @example
 * ```js
 * import { Ipvs } from 'ipvs'
 * import { examineDirector } from 'ipvs/doctor'
 *
 * const ipvs = await Ipvs.open()
 * const { findings, notLooked } = await examineDirector(ipvs)
 * for (const { missing, client, mend } of findings) console.log(missing, client, mend)
 * for (const { what, why } of notLooked) console.log(what, why)
 * await ipvs.close()
 * ```
 */
export async function examineDirector(ipvs: Ipvs, options: ExamineOptions = {}): Promise<Report> {
  if (!(ipvs instanceof Ipvs)) throw invalidType('ipvs', 'an Ipvs, as Ipvs.open answers it', ipvs)
  const { vips, signal } = readOptions(options, OPTIONS)
  return examineTable(ipvs, signal, async () => {
    const { services, daemons } = await ipvs.snapshot()
    return { daemons, services: vips === undefined ? services : services.filter((service) => vips.includes(addressOf(service) ?? '')) }
  })
}

/** The same for some services, which alone are read of a table that may be large. */
export const examineServices = (ipvs: Ipvs, keys: readonly ServiceKey[], signal: AbortSignal): Promise<Report> =>
  examineTable(ipvs, signal, async () => {
    const services = await Promise.all(keys.map((key) => ipvs.getService(key)))
    const there = services.filter((service) => service !== undefined)
    const destinations = await Promise.all(there.map((service) => ipvs.destinations(service)))
    return { daemons: await ipvs.daemons(), services: there.map((service, index) => ({ ...service, destinations: destinations[index] })) }
  })

async function examineTable(
  ipvs: Ipvs, signal: AbortSignal | undefined, read: () => Promise<{ services: ListedTableService[], daemons: readonly Daemon[] }>,
): Promise<Report> {
  signal?.throwIfAborted()
  await using network = await Network.open(ipvs.namespace < 0 ? {} : { netns: { fd: ipvs.namespace } })
  const first = (await read()).services
  const before = await readMoment(ipvs, first)
  const start = await Machine.lookAt(network, signal)
  await wait(BETWEEN_LOOKS, signal)
  const { services, daemons } = await read()
  const machine = await start.lookAgain()
  const sight = new DirectorSight(machine, daemons, services, watched(services, first, before, await readMoment(ipvs, services)),
    (name) => machine.setting(`ipv4/vs/${name}`))
  return { on: 'director', findings: await look(directorRows, sight, signal, isExplained), notLooked: machine.notLooked }
}

/** Addresses that look like a virtual one: whole addresses on lo or at the end of a tunnel. */
const looksVirtual = (machine: Machine): string[] => machine.addresses.filter(({ scope, interface: name, prefixLength, address }) => {
  const link = machine.link(name)
  return (
    scope === 'global' &&
    prefixLength === (address.includes(':') ? 128 : 32) &&
    link !== undefined &&
    (link.loopback || link.kind === 'ipip')
  )
}).map(({ address }) => address)

/**
 * Looks at a real server, which needs no IPVS: whether it has the virtual addresses, is silent about them, and answers the clients. Takes
 * two to three seconds, up to four more where handshakes wait for their next answer, and changes nothing.
 *
 * @example
 * ```js
 * import { examineRealServer } from 'ipvs/doctor'
 *
 * const { findings } = await examineRealServer({ vips: ['192.0.2.1'] })
 * for (const { missing, mend } of findings) console.log(missing, mend)
 * ```
 */
export async function examineRealServer(options: ExamineOptions & Pick<OpenOptions, 'netns'> = {}): Promise<Report> {
  const { vips, signal } = readOptions(options, SERVER_OPTIONS)
  signal?.throwIfAborted()
  await using network = await Network.open(options.netns === undefined ? {} : { netns: options.netns })
  const readHandshakes = async () => {
    const texts = await Promise.all(['tcp', 'tcp6'].map((name) => network.readFile(`/proc/thread-self/net/${name}`).catch(() => '')))
    return new Map(texts.flatMap((text) => [...parseHandshakes(text)]))
  }
  const before = await readHandshakes()
  const start = await Machine.lookAt(network, signal)
  await wait(BETWEEN_LOOKS, signal)
  const machine = await start.lookAgain()
  const after = await readHandshakes()
  let handshakes = answeredInVain(before, after)
  const next = nextAnswer(before, after)
  if (handshakes.length === 0 && next <= LONGEST_ANSWER) {
    await wait(next + ROUND_TRIP, signal)
    handshakes = answeredInVain(before, await readHandshakes())
  }
  const sight = { machine, vips: vips ?? looksVirtual(machine), given: vips !== undefined, handshakes }
  return { on: 'real-server', findings: await look(serverRows, sight, signal, () => false), notLooked: machine.notLooked }
}
