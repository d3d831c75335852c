import { etcdSettings } from '../sources/etcd/options.js'
import { EtcdClient } from '../sources/etcd/client.js'
import { decoded, encoded, servicesBelow } from '../sources/etcd/keys.js'
import { LeasedKeys } from '../sources/etcd/leased.js'
import type { RangeAnswer } from '../sources/etcd/messages.js'
import { readDestination, readService, whyNotIn } from '../sources/etcd/value.js'
import type { DirectedDestination, DirectedService } from '../configuration/index.js'
import { canonicalAddress } from '../model/address.js'
import { endpointWords } from '../model/keys.js'
import { openLog, type Log } from './director/log.js'
import { ETCD_OPTIONS, etcdHelp, etcdPlace, type EtcdPlace } from './etcd-options.js'
import { portOf, readOptions, UsageError, withOptions, type NewOptions } from './new-options.js'
import { newStatus } from './new-status.js'
import { withoutPaths } from './without-paths.js'

const OPTIONS = {
  ...ETCD_OPTIONS,
  service: { argument: 'text' },
  destination: { argument: 'text' },
  weight: { argument: 'text' },
  forward: { argument: 'text' },
  ttl: { argument: 'text' },
  log: { argument: 'text' },
} as const satisfies NewOptions

const METHODS = ['dr', 'nat', 'tun'] as const

/** Seconds of a lease. etcd makes no shorter ones. */
const TTL = { min: 2, max: 86_400, byDefault: 10 }

export const registerHelp = `Usage: ipvs register --etcd URL[,URL…] --prefix PREFIX --service NAME --destination ADDRESS:PORT [options]

Runs beside a server and puts it into a service of a fleet, until it is told to end. Its key in etcd has a lease: when this program or its
machine dies, the lease ends and all directors drain the server. While etcd is away it goes on trying.

  --service NAME       the service, by its name in etcd: PREFIX/v1/services/NAME
  --destination ADDRESS:PORT
                       the server, as directors reach it; IPv6 as [ADDRESS]:PORT
  --weight N           share of new connections, 0 to 65535 (default: 1)
  --forward METHOD     how packets are sent to it: dr, nat or tun (default: dr)
  --ttl SECONDS        how long etcd waits for a sign of life, ${TTL.min} to ${TTL.max} (default: ${TTL.byDefault})
  --log text|json      one line for each event, on the standard error (default: text)

etcd
${etcdHelp}
  -h, --help           this text

Signals: SIGTERM and SIGINT take the server out at once and end the program.

Exit status: 0 as told, 2 the command line was not understood, 3 it has ended and etcd could not be told: the server goes when its lease ends.
`

interface RegisterCommand extends EtcdPlace {
  service: string
  destination: DirectedDestination
  ttl: number
  log: 'text' | 'json'
}

/** ADDRESS:PORT, where an IPv6 address stands in brackets. */
function endpointOf(text: string): { address: string, port: number } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]+)):([^:]*)$/.exec(text) ?? []
  const address = canonicalAddress(bracketed ?? plain ?? '')
  if (address === undefined || address.includes(':') !== (bracketed !== undefined)) {
    throw new UsageError(`--destination '${text}'; expected ADDRESS:PORT, and an IPv6 address as [ADDRESS]:PORT`)
  }
  return { address, port: portOf('--destination', port) }
}

function integerOf(option: string, text: string, { min, max }: { min: number, max: number }): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : NaN
  if (!(number >= min && number <= max)) throw new UsageError(`${option} '${text}'; expected a whole number from ${min} to ${max}`)
  return number
}

function readCommand(args: readonly string[]): RegisterCommand {
  const given = readOptions(args, OPTIONS)
  const { service, destination, weight, forward, ttl, log = 'text' } = given
  if (service === undefined) throw new UsageError('which service? Give --service NAME')
  if (destination === undefined) throw new UsageError('which server? Give --destination ADDRESS:PORT')
  if (service.includes('/') || service.startsWith('.')) throw new UsageError(`--service '${service}'; expected a name without a slash that begins with no dot`)
  if (forward !== undefined && !(METHODS as readonly string[]).includes(forward)) {
    throw new UsageError(`--forward '${forward}'; expected one of ${METHODS.join(', ')}`)
  }
  if (log !== 'text' && log !== 'json') throw new UsageError(`--log '${log}'; expected text or json`)
  return {
    ...etcdPlace(given), service, log,
    destination: {
      ...endpointOf(destination),
      ...weight !== undefined && { weight: integerOf('--weight', weight, { min: 0, max: 65_535 }) },
      ...forward !== undefined && { forward: forward as DirectedDestination['forward'] },
    },
    ttl: ttl === undefined ? TTL.byDefault : integerOf('--ttl', ttl, TTL),
  }
}

/** A value whose programs can be judged without the directory that directors have. What is no JSON stays as it is. */
function withoutProgramPaths(text: string): string {
  try {
    return JSON.stringify(withoutPaths(JSON.parse(text) as DirectedService))
  } catch {
    return text
  }
}

/** Why no director will take the server as it is, as far as the service in etcd tells. */
async function objection(
  client: EtcdClient, { prefix, service, destination }: RegisterCommand, signal: AbortSignal,
): Promise<string | undefined> {
  const key = `${servicesBelow(prefix)}${service}`
  const { kvs = [] } = await client.call<RangeAnswer>('kv/range', { key: encoded(key) }, signal)
  if (kvs.length === 0) return `there is no service ${key} yet: directors take the server when there is`
  const { good, refused } = readService(Buffer.from(withoutProgramPaths(decoded(kvs[0].value ?? ''))), { scripts: '/' })
  if (refused !== undefined) return `the value of ${key} is refused: ${refused.message}`
  const why = whyNotIn(good, destination, {})
  return why === undefined ? undefined : `directors will refuse the server: ${why.message}`
}

/** Keeps a server registered until it is told to end. Returns the exit status. */
async function keepRegistered(command: RegisterCommand, log: Log): Promise<number> {
  const { cluster, prefix, service, destination, ttl } = command
  const who = `${endpointWords(destination)} of service ${service}`
  const key = `${servicesBelow(prefix)}${service}/destinations/${endpointWords(destination)}`
  const stop = new AbortController()
  const end = (signal: NodeJS.Signals): void => {
    if (stop.signal.aborted) process.exit(128 + (signal === 'SIGINT' ? 2 : 15))
    log({ level: 'info', event: 'ending', message: `${signal}: ${who} is taken out`, signal })
    stop.abort()
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
  const settings = etcdSettings(cluster, 'the options')
  const client = new EtcdClient(settings)
  const keys = new LeasedKeys(settings, ttl)
  keys.on('there', ({ endpoint }) => {
    log({ level: 'info', event: 'registered', message: `${who} is registered at ${endpoint}, for ${ttl} s from each sign of life`, key, endpoint })
    objection(client, command, stop.signal).then((words) => {
      if (words !== undefined) log({ level: 'warning', event: 'objection', message: words })
      // A user who may not read services registers all the same.
    }, () => {})
  })
  keys.on('lost', () => log({ level: 'warning', event: 'lost', message: `the lease of ${who} has ended, and it is registered anew`, key }))
  keys.on('away', ({ error }) => log({ level: 'warning', event: 'etcd-away', message: `etcd cannot be told, and is tried again: ${error.message}` }))
  keys.on('foreign', () => log({ level: 'warning', event: 'foreign', message: `${key} is kept by another program too, which is left alone`, key }))
  keys.set(key, JSON.stringify(destination))
  await new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve()))
  const isGone = await keys.close()
  client.close()
  process.off('SIGTERM', end)
  process.off('SIGINT', end)
  if (isGone) log({ level: 'info', event: 'ended', message: `${who} is taken out` })
  else log({ level: 'error', event: 'ended', message: `etcd could not be told: ${who} goes when its lease ends, ${ttl} s after the last sign of life` })
  return isGone ? newStatus.done : newStatus.unreachable
}

/** `ipvs register`. Returns the exit status. */
export const register = (args: readonly string[]): Promise<number> => withOptions('register', args, registerHelp, async (given) => {
  const command = readCommand(given)
  const { refused } = readDestination(Buffer.from(JSON.stringify(command.destination)), {})
  if (refused !== undefined) throw new UsageError(`--destination is refused: ${refused.message}`)
  const { log, flush } = openLog(command.log)
  try {
    return await keepRegistered(command, log)
  } finally {
    await flush()
  }
})
