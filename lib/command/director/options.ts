import { hostname } from 'node:os'
import { AGREEMENT_RULES, type AgreementRule } from '../../director/agreement.js'
import { addressFamily } from '../../model/address.js'
import { startingBy } from '../../sources/etcd/endpoints.js'
import type { FileSource } from '../../sources/reading.js'
import type { ServiceRange } from '../../state/types.js'
import type { Announcing } from './announcer.js'
import { ETCD_OPTIONS, etcdHelp, etcdPlace, type EtcdPlace } from '../etcd-options.js'
import { portOf, readOptions, secondsOf, UsageError, type NewOptions, type Values } from '../new-options.js'
import { syncOf, type Sync } from './machine.js'

const OPTIONS = {
  keepalived: { argument: 'text' },
  config: { argument: 'text' },
  ...ETCD_OPTIONS,
  copy: { argument: 'text' },
  id: { argument: 'text' },
  agree: { argument: 'text' },
  announce: { argument: 'text' },
  bird: { argument: 'text' },
  check: { argument: 'none' },
  strict: { argument: 'none' },
  json: { argument: 'none' },
  follow: { argument: 'none' },
  listen: { argument: 'text' },
  netns: { argument: 'text' },
  prune: { argument: 'none' },
  own: { argument: 'texts' },
  drain: { argument: 'text' },
  'remove-on-exit': { argument: 'none' },
  log: { argument: 'text' },
  scripts: { argument: 'text' },
  sync: { argument: 'text' },
  fifo: { argument: 'text' },
  'track-file': { argument: 'text' },
  'return-after': { argument: 'text' },
} as const satisfies NewOptions

/** A configuration in etcd, which is always followed. */
export interface EtcdSource extends EtcdPlace {
  type: 'etcd'
  /** File that keeps the last configuration. */
  copy?: string
  /** What this director is called among those of its fleet. */
  id: string
  /** When a destination counts as down. */
  rule: AgreementRule
}

/** What `ipvs director` was told. */
export interface DirectorCommand {
  source: FileSource | EtcdSource
  /** Only reads the file: whether warnings count, and whether the configuration is printed. */
  check?: { strict: boolean, json: boolean }
  follow: boolean
  listen?: { host: string, port: number }
  netns?: string
  prune: boolean
  owns?: ServiceRange[]
  /** Seconds that a destination may drain. */
  drain?: number
  announcing?: Announcing
  removeOnExit: boolean
  log: 'text' | 'json'
  /** The folder that programs have to be in. */
  scripts?: string
  sync?: Sync
  /** Path of keepalived's FIFO. */
  fifo?: string
  /** The file that keepalived follows, and the seconds after which a machine that has come back takes part again at the latest. */
  trackFile?: { path: string, after: number }
}

/** `[ADDRESS:]PORT`; an IPv6 address stands in brackets. */
function listenOf(text: string): { host: string, port: number } {
  const [, bracketed, plain, port] = /^(?:(?:\[([^\]]*)\]|([^:]*)):)?([^:]*)$/.exec(text) ?? []
  const host = bracketed ?? plain ?? '127.0.0.1'
  const family = bracketed === undefined ? 4 : 6
  if (port === undefined || addressFamily(host) !== family) {
    throw new UsageError(`--listen '${text}'; expected [ADDRESS:]PORT, as in 9102, 0.0.0.0:9102 or [::1]:9102`)
  }
  return { host, port: portOf('--listen', port, 0) }
}

const RANGE =
  'expected [tcp:|udp:|sctp:]ADDRESS[/LENGTH][:PORT[-PORT]] with an IPv6 address in brackets if a port follows, or fwmark:MARK[-MARK]'

function numbersOf(text: string): number | [number, number] {
  const [first, last] = text.split('-').map(Number)
  return last === undefined ? first : [first, last]
}

/** Services by address, as in 192.0.2.0/24, tcp:192.0.2.1:80-90, [2001:db8::/32]:443, or by mark. */
function rangeOf(text: string): ServiceRange {
  const mark = /^fwmark:(\d{1,10}(?:-\d{1,10})?)$/.exec(text)
  if (mark !== null) return { fwmark: numbersOf(mark[1]) }
  const [, protocol, bracketed, plain6, plain4, ports] =
    /^(?:(tcp|udp|sctp):)?(?:\[([^\]]*)\]|([\da-fA-F]*:[\da-fA-F:.]*(?:\/\d+)?)(?!.)|([\d.]+(?:\/\d+)?))(?::(\d{1,5}(?:-\d{1,5})?))?$/.exec(
      text,
    ) ?? []
  const address = bracketed ?? plain6 ?? plain4
  const [base, length] = (address ?? '').split('/')
  const family = addressFamily(base)
  const isGood =
    family !== 0 &&
    (family === 4) === (plain4 !== undefined) &&
    (length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= (family === 4 ? 32 : 128)))
  if (!isGood) throw new UsageError(`--own '${text}'; ${RANGE}`)
  const port = ports === undefined ? undefined : numbersOf(ports)
  for (const one of [port ?? []].flat()) if (one > 65_535) throw new UsageError(`--own '${text}'; ${RANGE}`)
  if (Array.isArray(port) && port[0] > port[1]) throw new UsageError(`--own '${text}' begins with port ${port[0]}, above its end ${port[1]}`)
  return { address, ...protocol !== undefined && { protocol: protocol as 'tcp' }, ...port !== undefined && { port } }
}

const isRule = (text: string): text is AgreementRule => (AGREEMENT_RULES as readonly string[]).includes(text)

function sourceOf(given: Values<typeof OPTIONS>): FileSource | EtcdSource {
  const sources = (['keepalived', 'config', 'etcd'] as const).filter((name) => given[name] !== undefined)
  if (sources.length === 0) throw new UsageError('which configuration? Give --keepalived FILE, --config FILE.json or --etcd URL --prefix PREFIX')
  if (sources.length > 1) throw new UsageError(`--${sources[0]} and --${sources[1]} are two configurations: give one of them`)
  const { keepalived, config, copy } = given
  if (sources[0] === 'etcd') {
    if (given.follow !== undefined) throw new UsageError('--follow is for files: what is in etcd is always followed')
    if (copy?.startsWith('/') === false) throw new UsageError(`--copy '${copy}'; expected the absolute path of a file`)
    const { id = hostname(), agree: rule = 'majority' } = given
    if (id.includes('/')) throw new UsageError(`--id '${id}'; expected a name without a slash`)
    if (!isRule(rule)) throw new UsageError(`--agree '${rule}'; expected one of ${AGREEMENT_RULES.join(', ')}`)
    const { cluster, prefix } = etcdPlace(given)
    const endpoints = startingBy(id, [cluster.endpoints].flat())
    return { type: 'etcd', cluster: { ...cluster, endpoints }, prefix, id, rule, ...copy !== undefined && { copy } }
  }
  const other = [...Object.keys(ETCD_OPTIONS), 'copy', 'id', 'agree'].find((name) => Object.hasOwn(given, name))
  if (other !== undefined) throw new UsageError(`--${other} goes with --etcd`)
  return keepalived !== undefined ? { type: 'keepalived', file: keepalived } : { type: 'json', file: config! }
}

/** @throws UsageError */
export function readDirectorCommand(args: readonly string[]): DirectorCommand {
  const given = readOptions(args, OPTIONS, ['hand-over'])
  const source = sourceOf(given)
  if (given.check === undefined) {
    for (const name of ['strict', 'json'] as const) if (given[name] !== undefined) throw new UsageError(`--${name} goes with --check`)
  } else {
    const running = [
      'announce', 'follow', 'listen', 'prune', 'own', 'drain', 'remove-on-exit', 'log', 'netns', 'sync', 'fifo', 'track-file', 'return-after',
    ] as const
    const other = running.find((name) => given[name] !== undefined)
    if (other !== undefined) throw new UsageError(`--${other} does not go with --check, which reads the configuration and does nothing else`)
  }
  if (given.prune !== undefined && given.own !== undefined)
    throw new UsageError("--prune says that the whole table is the director's, and --own which part of it: give one of them")
  if (given.log !== undefined && given.log !== 'text' && given.log !== 'json') throw new UsageError(`--log '${given.log}'; expected text or json`)
  if (given.bird !== undefined && given.announce === undefined) throw new UsageError('--bird goes with --announce PROTOCOL')
  if (given.announce !== undefined && !/^[a-zA-Z_][\w]*$/.test(given.announce)) throw new UsageError(`--announce '${given.announce}'; expected the name of a protocol of bird`)
  if (given.scripts !== undefined && !given.scripts.startsWith('/')) throw new UsageError(`--scripts '${given.scripts}'; expected the absolute path of a folder`)
  if (given['return-after'] !== undefined && given['track-file'] === undefined) throw new UsageError('--return-after goes with --track-file')
  if (given.fifo !== undefined && !given.fifo.startsWith('/')) throw new UsageError(`--fifo '${given.fifo}'; expected the absolute path of keepalived's FIFO`)
  return {
    source,
    ...given.check !== undefined && { check: { strict: given.strict === true, json: given.json === true } },
    follow: given.follow === true,
    ...given.listen !== undefined && { listen: listenOf(given.listen) },
    ...given.netns !== undefined && { netns: given.netns },
    prune: given.prune === true,
    ...given.own !== undefined && { owns: given.own.flatMap((text) => text.split(',')).filter((text) => text !== '').map(rangeOf) },
    ...given.drain !== undefined && { drain: secondsOf('--drain', given.drain, { min: 0, max: 86_400 }) },
    ...given.announce !== undefined && { announcing: { protocol: given.announce, socket: given.bird ?? '/run/bird/bird.ctl' } },
    removeOnExit: given['remove-on-exit'] === true,
    log: given.log ?? 'text',
    ...given.scripts !== undefined && { scripts: given.scripts },
    ...given.sync !== undefined && { sync: syncOf(given.sync) },
    ...given.fifo !== undefined && { fifo: given.fifo },
    ...given['track-file'] !== undefined && { trackFile: { path: given['track-file'], after: secondsOf('--return-after', given['return-after'] ?? '300', { min: 0, max: 86_400 }) } },
  }
}

export const directorHelp = `Usage: ipvs director (--keepalived FILE | --config FILE.json | --etcd URL[,URL…] --prefix PREFIX) [options]

Checks the real servers of a configuration and keeps the kernel's table right for it, until it is told to end.

Configuration
  --keepalived FILE    the virtual servers of a keepalived.conf; keepalived -P goes on doing VRRP with the same file
  --config FILE.json   the package's own format (ipvs/configuration.schema.json describes it)
  --check              read the configuration, tell what is wrong with it, and end
    --strict           warnings count: exit status 4
    --json             print the configuration in the package's own format
  --follow             read the file again whenever it changes. Without it SIGHUP does that
  --scripts DIRECTORY  only programs in this folder may be run; a configuration with others is refused. From etcd none may
                       without it

A configuration in etcd, for a fleet of directors (docs/fleet.md)
${etcdHelp}  --id NAME            what this director is called among those of its fleet (default: the name of the machine); it also chooses
                       which member of etcd is used first
  --agree RULE         when a server counts as down: majority (the default): more than half of the living directors see it down;
                       any: one does; all: all do; own: this one does, whatever others see
  --copy FILE          keep the last configuration in this file, for a start while etcd is away

Table
  --netns NAME         direct and check in another network namespace: a name of \`ip netns\` or a path
  --own RANGE…         services in these ranges that the configuration does not name are removed, whoever made them:
                       192.0.2.0/24  tcp:192.0.2.1:80-90  [2001:db8::/32]:443  fwmark:1-9
  --prune              all services that the configuration does not name are removed
  --drain SECONDS      how long connections of a destination that is taken out of the configuration are waited for
                       (default: 300); 0 does not wait
  --announce PROTOCOL  enable this protocol of bird when the director is ready, and disable it before the director ends, or when the
                       doctor finds that this machine cannot serve at all
    --bird SOCKET      bird's control socket (default: /run/bird/bird.ctl)
  --remove-on-exit     remove the services at the end. Without it they stay, for the next start or another director

Two directors
  --sync INTERFACE[,id=N]
                       run the sync daemons of both roles there, so that connections outlive this machine
  --fifo PATH          read the states that keepalived writes into its vrrp_notify_fifo; it is made if it is missing
  --track-file FILE    the file that vrrp_track_file names. A machine that comes back with an empty connection table, beside a
                       director that holds the addresses, stays out of VRRP (-254) until it knows the other's connections
  --return-after SECONDS
                       and no longer than that (default: 300)
  The other word: ipvs director hand-over --help

Telling
  --log text|json      one line for each event, on the standard error (default: text)
  --listen [ADDRESS:]PORT
                       serve /status.json, /metrics and /healthz over HTTP, on 127.0.0.1 unless an address is given

  -h, --help           this text

Signals: SIGHUP reads the configuration again; a file with a mistake changes nothing. SIGTERM and SIGINT end the director.

Exit status: 0 as told, 2 the command line was not understood, 3 no IPVS, no permission, or an address that cannot be listened on,
4 warnings (--check --strict), 5 the configuration was refused.
`
