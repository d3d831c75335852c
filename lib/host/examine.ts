import { setTimeout } from 'node:timers/promises'
import { object, refuseUnknown, string, type Known } from '../arguments/validate.js'
import { Ipvs } from '../ipvs.js'
import { canonicalAddress } from '../model/address.js'
import { invalidType, invalidValue } from '../model/errors.js'
import { fullDestinationId, serviceId } from '../model/keys.js'
import type { ListedTable, ListedTableService, OpenOptions } from '../model/types.js'
import { Network } from '../network/index.js'
import { DirectorSight } from './director-sight.js'
import { Machine } from './machine.js'
import { findingOf, merged, type Found, type Row } from './row.js'
import { directorRows, serverRows } from './rows.js'
import { parseHandshakes } from './tcp-handshakes.js'
import { addressOf, readMoment, watched } from './traffic.js'
import type { ExamineOptions, Finding, Report } from './types.js'

/** Milliseconds from one look to the next: the kernel adds its counters up every two seconds. */
const BETWEEN_LOOKS = 2_100

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

/** Waits until the counters have been added up again. */
const wait = (signal: AbortSignal | undefined): Promise<void> =>
  setTimeout(BETWEEN_LOOKS, undefined, { signal }).catch(() => signal?.throwIfAborted())

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

const isExplained = ({ name }: Row<DirectorSight>, found: Found, by: readonly Finding[]): boolean => {
  if (!EXPLAINED.has(name)) return false
  const broken = new Set(by.filter(({ certainty, severity }) => certainty === 'certain' && severity === 'fault').flatMap(idsOf))
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
  signal?.throwIfAborted()
  await using network = await Network.open(ipvs.namespace < 0 ? {} : { netns: { fd: ipvs.namespace } })
  const chosen = ({ services }: ListedTable): ListedTableService[] => vips === undefined
    ? services
    : services.filter((service) => vips.includes(addressOf(service) ?? ''))
  const first = chosen(await ipvs.snapshot())
  const before = await readMoment(ipvs, first)
  const start = await Machine.lookAt(network)
  await wait(signal)
  const table = await ipvs.snapshot()
  const services = chosen(table)
  const machine = await start.lookAgain()
  const sight = new DirectorSight(machine, table, services, watched(services, first, before, await readMoment(ipvs, services)),
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
 * two to three seconds, and changes nothing.
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
  const start = await Machine.lookAt(network)
  await wait(signal)
  const machine = await start.lookAgain()
  const handshakes = [...await readHandshakes()].filter(([ends]) => before.has(ends)).map(([, handshake]) => handshake)
  const sight = { machine, vips: vips ?? looksVirtual(machine), given: vips !== undefined, handshakes }
  return { on: 'real-server', findings: await look(serverRows, sight, signal, () => false), notLooked: machine.notLooked }
}
