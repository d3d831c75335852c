import { EtcdClient } from '../sources/etcd/client.js'
import { EtcdError } from '../sources/etcd/index.js'
import { HEAD, readHead, type Head } from '../sources/etcd/head.js'
import { decoded, keysBelow, servicesBelow } from '../sources/etcd/keys.js'
import { listPages } from '../sources/etcd/list.js'
import { revisionOf } from '../sources/etcd/messages.js'
import { etcdSettings } from '../sources/etcd/options.js'
import { ETCD_OPTIONS, etcdHelp, etcdPlace } from './etcd-options.js'
import { directorsBelow, healthBelow, sightOf, type DirectorValue } from './fleet-keys.js'
import { readOptions, withOptions, type NewOptions } from './new-options.js'
import { newStatus } from './new-status.js'
import { complain, json, print } from './output.js'

const OPTIONS = { ...ETCD_OPTIONS, json: { argument: 'none' } } as const satisfies NewOptions

export const fleetHelp = `Usage: ipvs fleet --etcd URL[,URL…] --prefix PREFIX [--json]
       ipvs fleet apply FILE --etcd URL[,URL…] --prefix PREFIX [--dry-run]

Says which directors of a fleet are alive, which revision of the configuration each has in force, and where their tables differ.
With the word apply it writes a configuration into etcd; ipvs fleet apply --help

  --json               as JSON

etcd
${etcdHelp}
  -h, --help           this text

Exit status: 0 all directors have the same table, 1 their tables differ or no director is alive, 2 the command line was not understood,
3 etcd is out of reach.
`

/** A living director. */
interface LivingDirector extends Partial<DirectorValue> {
  id: string
  /** Whether it sees everything down, so that it has no vote. Missing while it has none yet. */
  blind?: boolean
  /** Destinations that it sees down. */
  down?: string[]
}

interface FleetStatus {
  prefix: string
  /** Revision in which a service was written last. */
  revision: number
  services: number
  directors: LivingDirector[]
  /** Whether the tables of directors differ. */
  differ: boolean
  /** Somebody writes a configuration, or has not ended it. */
  unfinished?: Head
}

async function look(client: EtcdClient, prefix: string): Promise<FleetStatus> {
  const directors = new Map<string, LivingDirector>()
  const valuesBelow = async (below: string, take: (id: string, value: string) => void): Promise<void> => {
    for await (const { keys } of listPages(client, keysBelow(below))) {
      for (const { key, value = '' } of keys) take(decoded(key).slice(below.length), decoded(value))
    }
  }
  await valuesBelow(directorsBelow(prefix), (id, value) => {
    try {
      directors.set(id, { id, ...JSON.parse(value) as DirectorValue })
    } catch {
      directors.set(id, { id })
    }
  })
  await valuesBelow(healthBelow(prefix), (id, value) => {
    const sight = sightOf(value)
    if (sight !== undefined) directors.set(id, { ...directors.get(id) ?? { id }, blind: sight.isBlind, down: sight.downs })
  })
  let revision = 0
  let services = 0
  let head: Head | undefined
  const below = servicesBelow(prefix)
  for await (const { keys } of listPages(client, keysBelow(below))) {
    for (const { key, value = '', mod_revision: modified } of keys) {
      const name = decoded(key).slice(below.length)
      if (name === HEAD) head = readHead(Buffer.from(value, 'base64'))
      else if (!name.includes('/')) services++
      revision = Math.max(revision, revisionOf(modified))
    }
  }
  const living = [...directors.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  return {
    prefix, revision, services, directors: living,
    differ: new Set(living.flatMap(({ hash }) => hash ?? [])).size > 1,
    ...head?.state === 'writing' && { unfinished: head },
  }
}

/** Columns of text, each as wide as its widest entry. */
function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  return rows.map((row) => `${row.map((text, column) => text.padEnd(widths[column])).join('  ').trimEnd()}\n`).join('')
}

function wordsOf({ prefix, revision, services, directors, differ, unfinished }: FleetStatus): string {
  const head = `${prefix}: ${services} service${services === 1 ? '' : 's'}, written last in revision ${revision}\n`
  const writing = unfinished === undefined ? '' : `${unfinished.by} has been writing since ${unfinished.since}, and directors wait: where it has ended without having finished, apply the same again\n`
  if (directors.length === 0) return `${head}${writing}No director is alive.\n`
  const rows = directors.map(({ id, revision: own, hash = '-', services: count, destinations, unsorted = 0, blind, down = [] }) => {
    const notes = [
      ...own === undefined ? ['has told nothing yet'] : own < revision ? ['behind'] : [],
      ...blind === undefined ? ['no vote'] : blind ? ['sees everything down: no vote'] : down.length > 0 ? [`sees ${down.length} down`] : [],
      ...unsorted > 0 ? [`order differs in ${unsorted} service${unsorted === 1 ? '' : 's'}`] : [],
    ]
    return [id, String(own ?? '-'), hash, String(count ?? '-'), String(destinations ?? '-'), notes.join(', ')]
  })
  const table = columns([['director', 'revision', 'table', 'services', 'destinations', ''], ...rows])
  return `${head}${writing}\n${table}\n${differ ? 'The tables differ.' : 'The tables are the same.'}\n`
}

/** `ipvs fleet`. Returns the exit status. */
export function fleet(args: readonly string[]): Promise<number> {
  if (args[0] === 'apply') return import('./fleet-apply.js').then(({ apply }) => apply(args.slice(1)))
  return withOptions('fleet', args, fleetHelp, async (given) => {
    const options = readOptions(given, OPTIONS, ['apply'])
    const { cluster, prefix } = etcdPlace(options)
    const client = new EtcdClient(etcdSettings(cluster, 'the options'))
    try {
      const status = await look(client, prefix)
      print(options.json === true ? json(status) : wordsOf(status))
      return status.differ || status.directors.length === 0 ? newStatus.no : newStatus.done
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error
      complain(`ipvs fleet: etcd cannot be read: ${error.message}`)
      return newStatus.unreachable
    } finally {
      client.close()
    }
  })
}
