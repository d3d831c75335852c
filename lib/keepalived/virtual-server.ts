import { addressFamily, canonicalAddress } from '../model/address.js'
import { checkers } from './checkers.js'
import type { FileDraft, Head, RealServer, SorryServer, VirtualServer } from './drafts.js'
import { granularityOf } from './granularity.js'
import { alpha, connectTimeout, mail, pacing, readMethod, retry } from './keywords.js'
import type { Statement } from './statement.js'
import { level, type Context, type Keyword, type Level } from './walk.js'

/** Virtual servers and real servers. */

type OfVirtual = Keyword<VirtualServer>
type OfReal = Keyword<RealServer>

const INT_MAX = 2 ** 31 - 1
const UNSIGNED = 2 ** 32 - 1

/** Reads an address and a port. A / or - after the address, and what follows it, is ignored as in keepalived. */
function readEndpoint(
  statement: Statement,
  index: number,
  { diagnostics }: Context,
): { address: string, family: 4 | 6, port: number } | undefined {
  const word = statement.need(index, 'an address')
  if (word === undefined) return undefined
  const cut = /^([^/-]*)[/-]/.exec(word)
  const address = canonicalAddress(cut?.[1] ?? word)
  if (address === undefined) {
    diagnostics.error(
      statement.at(index),
      `'${word}' is no address`,
      'Write an IPv4 or IPv6 address in numbers, without brackets; IPv4 without leading zeros',
    )
    return undefined
  }
  if (cut !== null)
    diagnostics.warning(
      statement.at(index),
      `'${word.slice(cut[1].length)}' is not looked at: this is the one address ${cut[1]}`,
      'Write the address alone; a virtual_server_group has ranges',
    )
  const port = statement.port(index + 1)
  if (port === undefined) return undefined
  statement.only(index + 2)
  return { address, family: addressFamily(address) as 4 | 6, port }
}

const virtualhost: Keyword<{ virtualhost?: string }> = {
  status: 'done', ours: '`host` of http checks that have none',
  read(statement, draft) {
    statement.only(2)
    draft.virtualhost = statement.need(1, 'a name') ?? draft.virtualhost
  },
}

const snmpName: Keyword<unknown> = {
  status: 'not done',
  ours: "no SNMP: the director's metrics name services by their address",
  read: () => {},
}

/** A keyword that names a script. Only the first one counts. */
const script = <Name extends string>(name: Name, ours: string): Keyword<{ [Key in Name]?: RealServer['notifyUp'] }> => ({
  status: 'differs', ours: `${ours}. A program that is missing is an error; they run one after the other`,
  read(statement, draft, { diagnostics }) {
    if (draft[name] === undefined) draft[name] = statement.program()
    else diagnostics.warning(statement.place, `${statement.keyword} was given already, so this one does not count`, 'Write one program that does both')
  },
})

const methodOf = <Draft extends { method?: RealServer['method'] }>(): Keyword<Draft> => ({
  status: 'done', ours: '`forward` and `tunnel`',
  read(statement, draft, context) {
    draft.method = readMethod(statement, draft.method, context) ?? draft.method
  },
})

const threshold = (name: 'upperThreshold' | 'lowerThreshold'): OfReal => ({
  status: 'differs', ours: `\`${name}\`; a change is sent when the configuration is read again`,
  read(statement, draft, { diagnostics }) {
    statement.only(2)
    const value = statement.integer(1, { min: 0, max: UNSIGNED, what: 'a number of connections' })
    if (value === undefined) return
    if (value <= INT_MAX) draft[name] = { value, place: statement.at(1) }
    else diagnostics.warning(statement.at(1), `The kernel refuses ${value} connections, and keepalived then runs without the server. Read as no limit here`, `Write a number from 0 to ${INT_MAX}`)
  },
})

const realLevel: Level<RealServer> = level<RealServer>(
  'real_server',
  {
    weight: {
      status: 'done',
      ours: '`weight`',
      read(statement, draft) {
        statement.only(2)
        draft.weight = statement.integer(1, { min: 0, max: INT_MAX, what: 'a weight' }) ?? draft.weight
      },
    },
    lvs_method: methodOf<RealServer>(),
    uthreshold: threshold('upperThreshold'),
    lthreshold: threshold('lowerThreshold'),
    inhibit_on_failure: {
      status: 'done',
      ours: "`whenDown: 'zero'`",
      read(statement, draft) {
        draft.inhibit = statement.boolean() ?? draft.inhibit
      },
    },
    notify_up: script('notifyUp', '`onUp`'),
    notify_down: script('notifyDown', '`onDown`'),
    ...pacing,
    retry: retry(1),
    connect_timeout: connectTimeout,
    alpha,
    smtp_alert: mail(),
    virtualhost,
    snmp_name: snmpName,
    ...checkers,
  },
  {
    checks: true,
    hints: {
      lb_kind: 'Write lvs_method, which is its name in a real_server',
      persistence_timeout: 'It belongs into the virtual_server',
      protocol: 'It belongs into the virtual_server',
      lb_algo: 'It belongs into the virtual_server',
      sorry_server: 'It belongs into the virtual_server',
      quorum: 'It belongs into the virtual_server',
      ha_suspend: 'It belongs into the virtual_server',
    },
  },
)

const schedulers = ['rr', 'wrr', 'lc', 'wlc', 'lblc', 'lblcr', 'sh', 'mh', 'dh', 'fo', 'ovf', 'sed', 'nq', 'twos']

const scheduler: OfVirtual = {
  status: 'done', ours: '`scheduler`',
  read(statement, draft, { diagnostics }) {
    statement.only(2)
    const word = statement.need(1, 'a scheduler')
    if (word === undefined) return
    if (schedulers.includes(word)) draft.scheduler = word
    else diagnostics.warning(statement.at(1), `'${word}' is no scheduler that keepalived knows, so the line has no effect, and wlc is what remains where nothing else is said`, `Write one of ${schedulers.join(', ')}`)
  },
}

const bit = (flag: 'flag-1' | 'flag-2' | 'flag-3'): OfVirtual => ({
  status: 'done', ours: '`schedulerFlags`',
  read(statement, draft) {
    statement.only(1)
    draft.flags.add(flag)
  },
})

/** A flag of one scheduler. It counts only if the scheduler was named before it. */
const flagOf = (name: string, flag: 'flag-1' | 'flag-2'): OfVirtual => ({
  status: 'done', ours: '`schedulerFlags`',
  read(statement, draft, { diagnostics }) {
    statement.only(1)
    if (draft.scheduler === name) draft.flags.add(flag)
    else diagnostics.warning(statement.place, `${statement.keyword} counts only behind lb_algo ${name}, and ${draft.scheduler === undefined ? 'no lb_algo' : `lb_algo ${draft.scheduler}`} stands before it, so the line has no effect`, `Write lb_algo ${name} before it, or take it out`)
  },
})

const method = methodOf<VirtualServer>()

const virtualLevel: Level<VirtualServer> = level<VirtualServer>(
  'virtual_server',
  {
    ip_family: {
      status: 'done',
      ours: '`family` of a firewall mark',
      read(statement, draft, { diagnostics }) {
        statement.only(2)
        const word = statement.need(1, 'inet or inet6')
        if (word === undefined) return
        const family = word === 'inet' ? 4 : word === 'inet6' ? 6 : undefined
        if (family === undefined)
          diagnostics.warning(statement.at(1), `'${word}' is no address family, so the line has no effect`, 'Write inet or inet6')
        else if (draft.family !== undefined && draft.family !== family) {
          diagnostics.warning(
            statement.at(1),
            `The service is IPv${draft.family} by what stands before, so the line has no effect`,
            draft.head.kind === 'address' ? 'Take it out' : 'Write it before the servers',
          )
        } else draft.family = family
      },
    },
    ...pacing,
    retry: retry(1),
    connect_timeout: connectTimeout,
    lb_algo: scheduler,
    lvs_sched: scheduler,
    ops: {
      status: 'done',
      ours: '`onePacket`',
      read(statement, draft) {
        statement.only(1)
        draft.onePacket = statement.place
      },
    },
    hashed: { status: 'done', ours: 'nothing: it has no effect in keepalived either', read: () => {} },
    'flag-1': bit('flag-1'),
    'flag-2': bit('flag-2'),
    'flag-3': bit('flag-3'),
    'sh-fallback': flagOf('sh', 'flag-1'),
    'sh-port': flagOf('sh', 'flag-2'),
    'mh-fallback': flagOf('mh', 'flag-1'),
    'mh-port': flagOf('mh', 'flag-2'),
    lb_kind: method,
    lvs_method: method,
    persistence_timeout: {
      status: 'done',
      ours: '`persistence.timeout`',
      read(statement, draft, { diagnostics }) {
        statement.only(2)
        if (statement.text(1) === '0') {
          diagnostics.warning(
            statement.at(1),
            `0 is out of range, so the line has no effect${draft.persistence === undefined ? ', and clients are not kept at their server' : ''}`,
            'Take the line out for no persistence, or write seconds from 1 to 2678400',
          )
          return
        }
        draft.persistence =
          statement.text(1) === undefined
            ? 360
            : (statement.integer(1, { min: 1, max: 2_678_400, what: 'a number of seconds', tolerant: false }) ?? draft.persistence)
      },
    },
    persistence_granularity: {
      status: 'differs',
      ours: '`persistence.netmask`, `persistence.prefixLength`; for groups too, where keepalived forgets it',
      read(statement, draft, { diagnostics }) {
        statement.only(2)
        const value = statement.need(1, 'a netmask')
        if (value === undefined) return
        draft.granularity = { value, place: statement.at(1) }
        // The mask decides the family of a virtual server that has none yet.
        if (draft.family === undefined && granularityOf(value, value.includes('.') ? 4 : 6) !== undefined)
          draft.family = value.includes('.') ? 4 : 6
        if (draft.head.kind === 'group')
          diagnostics.note(
            statement.place,
            'The mask counts for every address of the group; keepalived 2.2 forgets it',
            'Nothing, if that is meant',
          )
      },
    },
    persistence_engine: {
      status: 'done',
      ours: '`persistenceEngine`',
      read(statement, draft, { diagnostics }) {
        statement.only(2)
        const word = statement.need(1, 'the name of a persistence engine')
        if (word === undefined) return
        if (word.length > 16)
          diagnostics.warning(
            statement.at(1),
            `'${word}' is longer than a name can be, and is cut to ${word.slice(0, 16)}`,
            'Write a name of at most 16 characters: sip',
          )
        if (/^[\x21-\x7e]+$/.test(word)) draft.engine = { value: word.slice(0, 16), place: statement.place }
        else diagnostics.error(statement.at(1), `'${word}' is no name that the kernel knows`, 'Write sip, or take the line out')
      },
    },
    protocol: {
      status: 'done',
      ours: '`protocol`',
      read(statement, draft, { diagnostics }) {
        statement.only(2)
        const word = statement.need(1, 'TCP, UDP or SCTP')
        if (word === undefined) return
        const protocol = (['tcp', 'udp', 'sctp'] as const).find((one) => one === word.toLowerCase())
        if (protocol === undefined)
          diagnostics.warning(
            statement.at(1),
            `'${word}' is no protocol, so the line has no effect, and UDP is what remains where nothing else is said`,
            'Write TCP, UDP or SCTP',
          )
        else draft.protocol = { value: protocol, place: statement.place }
      },
    },
    ha_suspend: {
      status: 'differs',
      ours: '`onlyWhileHeld`; for groups too, where keepalived never checks',
      read(statement, draft) {
        statement.only(1)
        draft.haSuspend = statement.place
      },
    },
    smtp_alert: mail(),
    virtualhost,
    snmp_name: snmpName,
    alpha: {
      ...alpha,
      read(statement, draft, { diagnostics }) {
        if (['no', 'off', 'false'].includes(statement.text(1) ?? ''))
          diagnostics.warning(
            statement.at(1),
            `alpha of a virtual_server looks at no parameter: '${statement.text(1)}' means yes`,
            'Take the line out',
          )
        else statement.only(1)
        draft.pace.alpha = true
      },
    },
    omega: {
      status: 'done',
      ours: '`notifyAtEnd`',
      read(statement, draft, { diagnostics }) {
        if (['no', 'off', 'false'].includes(statement.text(1) ?? ''))
          diagnostics.warning(statement.at(1), `omega looks at no parameter: '${statement.text(1)}' means yes`, 'Take the line out')
        else statement.only(1)
        draft.omega = true
      },
    },
    quorum: {
      status: 'done',
      ours: '`quorum`',
      read(statement, draft) {
        statement.only(2)
        const value = statement.integer(1, { min: 1, max: UNSIGNED, what: 'a weight', instead: 'so the quorum is 1' })
        draft.quorum = { value: value ?? 1, place: statement.at(1) }
      },
    },
    hysteresis: {
      status: 'done',
      ours: '`hysteresis`',
      read(statement, draft) {
        statement.only(2)
        const value = statement.integer(1, { min: 0, max: UNSIGNED, what: 'a weight' })
        if (value !== undefined) draft.hysteresis = { value, place: statement.at(1) }
      },
    },
    quorum_up: script('quorumUp', '`onQuorumReached`'),
    quorum_down: script('quorumDown', '`onQuorumLost`'),
    weight: {
      status: 'done',
      ours: '`weight` of destinations that have none',
      read(statement, draft) {
        statement.only(2)
        draft.weight = statement.integer(1, { min: 1, max: INT_MAX, what: 'a weight' }) ?? draft.weight
      },
    },
    inhibit_on_failure: {
      status: 'done',
      ours: "`whenDown: 'zero'`",
      read(statement, draft) {
        statement.only(1)
        draft.inhibit = true
      },
    },
    sorry_server: {
      status: 'differs',
      ours: '`fallback`. It comes in before the others go, and they drain; in keepalived there is a moment without any',
      read(statement, draft, context) {
        const endpoint = readEndpoint(statement, 1, context)
        if (endpoint === undefined) return
        if (draft.sorry !== undefined)
          context.diagnostics.warning(statement.place, 'This sorry_server takes the place of the one before', 'Write one')
        draft.sorry = { place: statement.place, ...endpoint }
      },
    },
    sorry_server_inhibit: {
      status: 'done',
      ours: "`fallback.whenIdle: 'zero'`",
      read: (statement, draft, context) =>
        withSorry(statement, draft, context, (sorry) => {
          statement.only(1)
          sorry.inhibit = true
        }),
    },
    sorry_server_lvs_method: {
      status: 'done',
      ours: '`fallback.forward`, `fallback.tunnel`',
      read: (statement, draft, context) =>
        withSorry(statement, draft, context, (sorry) => {
          sorry.method = readMethod(statement, sorry.method ?? draft.method, context) ?? sorry.method
        }),
    },
    real_server: {
      status: 'done',
      ours: 'one of the `destinations`',
      open(statement, draft, context) {
        const endpoint = readEndpoint(statement, 1, context)
        if (endpoint === undefined) return undefined
        // A later lvs_method of the virtual server does not change the servers before it.
        const server: RealServer = {
          place: statement.place,
          ...endpoint,
          portPlace: statement.at(2),
          ...(draft.method !== undefined && { method: draft.method }),
          pace: {},
          checks: [],
        }
        return { level: realLevel, draft: server, close: () => accept(server, draft, context) }
      },
    },
  },
  {
    hints: {
      nat_mask: 'Take it out: keepalived has not known it since 2015',
      lvs_id: 'Take it out: it was global, and is called router_id',
      established_timeout: "Take it out: it is of another program's dialect; lvs_timeouts in global_defs has timeouts",
      syn_proxy: "Take it out: it is of another program's dialect",
      laddr_group_name: "Take it out: it is of another program's dialect",
      connect_port: 'It belongs into a checker of a real_server',
    },
  },
)

/**
 * Adds a server at the end of its block, when its method is known. A server that no tunnel reaches decides the family of a virtual server
 * that has none yet. If the virtual server has another family, the server is left out.
 */
function accept(server: RealServer, draft: VirtualServer, { diagnostics }: Context): void {
  if (server.method?.forward !== 'tun') {
    draft.family ??= server.family
    if (server.family !== draft.family) {
      diagnostics.warning(server.place, `${server.address} is IPv${server.family} and the service is IPv${draft.family}, so the server is left out: only TUN goes from one to the other, and has to be said before the server's end`, 'Write an address of the same family, or lvs_method TUN')
      return
    }
  }
  draft.servers.push(server)
}

function withSorry(statement: Statement, draft: VirtualServer, { diagnostics }: Context, change: (sorry: SorryServer) => void): void {
  if (draft.sorry !== undefined) change(draft.sorry)
  else diagnostics.warning(statement.place, `${statement.keyword} counts only behind sorry_server, so the line has no effect`, 'Write sorry_server before it')
}

/** Reads what follows the keyword `virtual_server`: an address with a port, a firewall mark, or a group. */
function readHead(statement: Statement, context: Context): Head | undefined {
  const { diagnostics } = context
  const first = statement.need(1, 'an address, fwmark N or group NAME')
  if (first === undefined) return undefined
  if (first === 'fwmark') {
    const word = statement.need(2, 'a firewall mark')
    if (word === undefined) return undefined
    const fwmark = /^\+?[0-9]+$/.test(word) ? Number(word) : -1
    if (fwmark < 1 || fwmark > UNSIGNED) {
      diagnostics.error(statement.at(2), fwmark === 0 ? '0 is what packets without a mark have, and the kernel has no service for it' : `'${word}' is no firewall mark`, 'Write a number from 1 to 4294967295, in decimal digits')
      return undefined
    }
    statement.only(3)
    return { kind: 'fwmark', fwmark }
  }
  if (first === 'group') {
    const name = statement.need(2, 'the name of a virtual_server_group')
    statement.only(3)
    return name === undefined ? undefined : { kind: 'group', name }
  }
  const endpoint = readEndpoint(statement, 1, context)
  return endpoint === undefined ? undefined : { kind: 'address', ...endpoint }
}

/** The keyword `virtual_server`. */
export const virtualServer: Keyword<FileDraft> = {
  status: 'done', ours: 'one of the `services`; of a group, one for each address',
  open(statement, file, context) {
    const head = readHead(statement, context)
    if (head === undefined) return undefined
    const draft: VirtualServer = {
      place: statement.place,
      head,
      pace: {},
      flags: new Set(),
      servers: [],
      ...(head.kind === 'address' && { family: head.family }),
    }
    return { level: virtualLevel, draft, close: () => file.virtualServers.push(draft) }
  },
}

export const serverLevels = { virtual_server: virtualLevel, real_server: realLevel }

