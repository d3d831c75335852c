import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import type { DirectedService } from '../configuration/index.js'
import { endpointWords, serviceWords } from '../model/keys.js'
import { EtcdClient } from '../sources/etcd/client.js'
import { EtcdError } from '../sources/etcd/index.js'
import { etcdSettings } from '../sources/etcd/options.js'
import { readService } from '../sources/etcd/value.js'
import { planWrite, transactionsOf, write, type ServiceChange } from '../sources/etcd/write.js'
import { readInThread } from '../sources/thread.js'
import { diagnosticLine } from './director/diagnostics.js'
import { ETCD_OPTIONS, etcdHelp, etcdPlace } from './etcd-options.js'
import { readOptions, UsageError, withOptions, type NewOptions } from './new-options.js'
import { newStatus } from './new-status.js'
import { withoutPaths } from './without-paths.js'
import { complain, print, systemWords } from './output.js'

const OPTIONS = { ...ETCD_OPTIONS, 'dry-run': { argument: 'none' } } as const satisfies NewOptions

export const fleetApplyHelp = `Usage: ipvs fleet apply FILE --etcd URL[,URL…] --prefix PREFIX [--dry-run]

Shows how the services of a fleet differ from those of a file, a keepalived.conf or the package's own format, and writes these into etcd:
what the file does not have goes. Up to 128 services and 1 MB are one transaction; more are several, on which directors act when the last
one is there. Nothing is overwritten that somebody else changes meanwhile. Servers that have registered themselves are left alone.

  --dry-run            only show the difference

etcd
${etcdHelp}
  -h, --help           this text

Exit status: 0 as told, 1 somebody else has changed something meanwhile, 2 the command line was not understood, 3 etcd is out of reach,
5 the file was refused.
`

/** Directors say where programs lie. Here a path is left as it is. */
const ANYWHERE = { scripts: '/' }

function typeOf(file: string): 'keepalived' | 'json' {
  try {
    return /^\s*\{/.test(readFileSync(file, 'utf8').replace(/^\ufeff/, '')) ? 'json' : 'keepalived'
  } catch (error) {
    throw new UsageError(`'${file}' cannot be read: ${systemWords(error)}`)
  }
}

/** The services of a file, or `undefined` where it is refused, which was told. */
async function servicesOf(file: string): Promise<DirectedService[] | undefined> {
  const { configuration, diagnostics } = await readInThread({ type: typeOf(file), file })
  for (const diagnostic of diagnostics) complain(diagnosticLine(diagnostic))
  if (configuration === undefined) {
    complain(`${file} is refused, and nothing is written`)
    return undefined
  }
  for (const name of ['timeouts', 'daemons'] as const) {
    if (configuration[name] !== undefined) complain(`${name} are not written: they are each director's own`)
  }
  const refused = configuration.services.flatMap((service) => {
    // A path is one that directors know; whether it is in their folder is theirs to say.
    const { refused: why } = readService(Buffer.from(JSON.stringify(withoutPaths(service))), ANYWHERE)
    return why === undefined ? [] : [`${serviceWords(service)}: ${why.message}`]
  })
  for (const words of refused) complain(words)
  if (refused.length === 0) return configuration.services
  complain(`${file} is refused for a fleet, and nothing is written`)
  return undefined
}

const shown = (value: unknown): string => value === undefined ? 'nothing' : JSON.stringify(value)

/** How two objects differ, a line for each property. */
function* propertyLines(before: Record<string, unknown>, after: Record<string, unknown>, indent: string): Generator<string> {
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (name === 'destinations' || isDeepStrictEqual(before[name], after[name])) continue
    yield `${indent}${name}: ${shown(before[name])} → ${shown(after[name])}`
  }
}

type Endpoint = { address: string, port: number }

const destinationsOf = (value: unknown): Map<string, Record<string, unknown>> => {
  const { destinations } = (value ?? {}) as { destinations?: unknown }
  if (!Array.isArray(destinations)) return new Map()
  return new Map(destinations.map((one) => [endpointWords(one as Endpoint), one as Record<string, unknown>]))
}

/** A change in words. */
function* linesOf({ name, before, after }: ServiceChange): Generator<string> {
  const old = before === undefined ? undefined : destinationsOf(before.value)
  if (after === undefined) {
    yield `- ${name}`
    return
  }
  yield `${before === undefined ? '+' : '~'} ${name}: ${serviceWords(after)}`
  if (before?.value !== undefined && before.value !== null) {
    yield* propertyLines(before.value as Record<string, unknown>, after as unknown as Record<string, unknown>, '    ')
  }
  const now = destinationsOf(after)
  for (const endpoint of old?.keys() ?? []) if (!now.has(endpoint)) yield `  - ${endpoint}`
  for (const [endpoint, destination] of now) {
    const known = old?.get(endpoint)
    if (known === undefined) yield `  + ${endpoint}`
    else if (!isDeepStrictEqual(known, JSON.parse(JSON.stringify(destination)))) {
      yield `  ~ ${endpoint}`
      yield* propertyLines(known, destination, '      ')
    }
  }
}

const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`

function summary(changes: readonly ServiceChange[], unchanged: number): string {
  const added = changes.filter(({ before }) => before === undefined).length
  const removed = changes.filter(({ after }) => after === undefined).length
  return `${count(added, 'service')} to add, ${changes.length - added - removed} to change, ${removed} to remove; ${unchanged} unchanged`
}

/** Writes what a file says. Returns the exit status. */
async function applyFile(client: EtcdClient, prefix: string, services: readonly DirectedService[], isDry: boolean): Promise<number> {
  const plan = await planWrite(client, prefix, services)
  const { changes, unchanged, unfinished } = plan
  print([...changes.flatMap((change) => [...linesOf(change)]), summary(changes, unchanged), ''].join('\n'))
  if (unfinished !== undefined) complain(`${unfinished.by} began to write at ${unfinished.since} and has not ended: this takes over`)
  if (isDry || changes.length === 0 && unfinished === undefined) return newStatus.done
  const revision = await write(client, prefix, plan)
  if (revision !== undefined) {
    print(`Written in ${count(transactionsOf(plan, prefix), 'transaction')}, up to revision ${revision}.\n`)
    return newStatus.done
  }
  // The answer to the only transaction may have been lost, and it was sent again.
  const now = await planWrite(client, prefix, services)
  if (now.changes.length === 0 && now.unfinished === undefined) {
    print('Written.\n')
    return newStatus.done
  }
  complain('somebody else has changed something meanwhile: look at the difference, and apply again')
  return newStatus.no
}

/** `ipvs fleet apply`. Returns the exit status. */
export const apply = (args: readonly string[]): Promise<number> => withOptions('fleet apply', args, fleetApplyHelp, async (given) => {
  const [file, ...rest] = given
  if (file === undefined || file.startsWith('-')) throw new UsageError('which file? Give it after the word apply')
  const options = readOptions(rest, OPTIONS)
  const { cluster, prefix } = etcdPlace(options)
  const services = await servicesOf(file)
  if (services === undefined) return newStatus.refused
  const client = new EtcdClient(etcdSettings(cluster, 'the options'))
  try {
    return await applyFile(client, prefix, services, options['dry-run'] === true)
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error
    complain(`ipvs fleet apply: ${error.message}`)
    return newStatus.unreachable
  } finally {
    client.close()
  }
})
