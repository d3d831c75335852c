import type { Method, Pace, TargetDraft } from './drafts.js'
import type { Statement } from './statement.js'
import type { Context, Keyword } from './walk.js'

/** Keywords that more than one block has. */

/** The longest time that a timer of Node can wait, in seconds. No interval in practical use is longer. */
export const LONGEST = 2_147_483
const SHORTEST = 0.001
const UNSIGNED = 2 ** 32 - 1
const INT_MAX = 2 ** 31 - 1

interface Paced { pace: Pace }

/** Reads a time into a property of the pace. */
const time = (
  name: 'delayLoop' | 'delayBeforeRetry' | 'warmup' | 'connectTimeout',
  least: number,
  most: number,
  ours: string,
): Keyword<Paced> => ({
  status: 'done',
  ours,
  read(statement, { pace }, { diagnostics }) {
    statement.only(2)
    const value = statement.seconds(1, least, Number.MAX_SAFE_INTEGER)
    if (value === undefined) return
    const place = statement.at(1)
    const held = Math.min(Math.max(value, least === 0 ? 0 : SHORTEST), most)
    if (held !== value)
      diagnostics.warning(
        place,
        `${value} seconds are ${value > held ? 'more' : 'less'} than a timer can wait; read as ${held}`,
        `Write a number of seconds from ${least === 0 ? 0 : SHORTEST} to ${most}`,
      )
    pace[name] = { value: held, place }
  },
})

export const retry = (least: 0 | 1): Keyword<Paced> => ({
  status: 'done', ours: '`failures` of checks, which is one more',
  read(statement, { pace }) {
    statement.only(2)
    const value = statement.integer(1, { min: least, max: UNSIGNED, what: 'a number of retries' })
    if (value !== undefined) pace.retry = { value: Math.min(value, INT_MAX - 1), place: statement.at(1) }
  },
})

/** When checks run, for virtual servers, real servers and checkers. */
export const pacing = {
  delay_loop: time('delayLoop', 0.000001, LONGEST, '`interval` of checks'),
  delay_before_retry: time('delayBeforeRetry', 0, LONGEST, '`retryInterval` of checks'),
  warmup: time('warmup', 0, LONGEST, '`warmup` of checks'),
}

export const connectTimeout: Keyword<Paced> = {
  ...time('connectTimeout', 0.000001, 4294.967295, '`timeout` of checks'),
  status: 'differs',
  ours: '`timeout` of checks, for the whole check; keepalived allows it for the connection and for each read again, so that a server that drips bytes never fails',
}

export const alpha: Keyword<Paced> = {
  status: 'done', ours: '`startDown`',
  read(statement, { pace }) {
    pace.alpha = statement.boolean() ?? pace.alpha
  },
}

/** Where checks go. */
export const targeting: Record<string, Keyword<{ target: TargetDraft }>> = {
  connect_ip: {
    status: 'done', ours: '`address` of the check',
    read(statement, { target }) {
      statement.only(2)
      target.address = statement.address(1, 'an address') ?? target.address
    },
  },
  connect_port: {
    status: 'done', ours: '`port` of the check',
    read(statement, { target }) {
      statement.only(2)
      target.port = portToConnect(statement) ?? target.port
    },
  },
  bindto: {
    status: 'done', ours: '`bindAddress` of the check',
    read(statement, { target }) {
      statement.only(2)
      const value = statement.address(1, 'an address')
      if (value !== undefined) target.bindAddress = { value, place: statement.at(1) }
    },
  },
  bind_port: {
    status: 'done', ours: '`bindPort` of the check',
    read(statement, { target }) {
      statement.only(2)
      target.bindPort = statement.integer(1, { min: 1, max: 65535, what: 'a port', tolerant: false }) ?? target.bindPort
    },
  },
  bind_if: {
    status: 'done', ours: '`bindInterface` of the check',
    read(statement, { target }, { diagnostics }) {
      statement.only(2)
      const name = statement.need(1, 'the name of an interface')
      if (name === undefined) return
      if (isInterface(name)) target.bindInterface = name
      else diagnostics.error(statement.at(1), `'${name}' is no name of an interface, so the check would go out by another one`, 'Write a name of at most 15 characters')
    },
  },
  fwmark: {
    status: 'done', ours: '`mark` of the check',
    read(statement, { target }) {
      statement.only(2)
      const mark = statement.integer(1, { min: 0, max: UNSIGNED, what: 'a firewall mark' })
      // Packets without a mark have mark 0.
      if (mark !== undefined) target.mark = mark === 0 ? undefined : mark
    },
  },
}

/** The port that a check connects to. A bad port is an error, because the check would otherwise go to another port. */
function portToConnect(statement: Statement): number | undefined {
  if (statement.need(1, 'a port') === undefined) return undefined
  const port = statement.port(1)
  if (port === 0) statement.integer(1, { min: 1, max: 65535, what: 'a port' })
  return port === 0 ? undefined : port
}

export const isInterface = (name: string): boolean => /^(?!\.{1,2}$)[^\s/:\u0080-\u{10ffff}]{1,15}$/u.test(name)

const methods = new Map([['NAT', 'nat'], ['DR', 'dr'], ['TUN', 'tun']] as const)

/**
 * Reads `lvs_method` or `lb_kind`: NAT, DR, or TUN with its options. Returns `undefined` if the line has no effect.
 *
 * @param before the method so far; its options stay if those of the line have a mistake
 */
export function readMethod(statement: Statement, before: Method | undefined, { diagnostics }: Context): Method | undefined {
  const word = statement.need(1, 'NAT, DR or TUN')
  if (word === undefined) return undefined
  const forward = methods.get(word as 'NAT')
  if (forward === undefined) {
    const meant = methods.has(word.toUpperCase() as 'NAT') ? word.toUpperCase() : undefined
    diagnostics.warning(statement.at(1), `'${word}' is no forwarding method (capitals count), so the line has no effect, and NAT is what remains where nothing else is said`, `Write ${meant ?? 'NAT, DR or TUN'}`)
    return undefined
  }
  if (forward !== 'tun') {
    statement.only(2)
    return { forward }
  }
  return { forward, ...readTunnel(statement, before, { diagnostics }) }
}

/** Reads the options after TUN. If one of them is wrong, none counts. */
function readTunnel(
  statement: Statement,
  before: Method | undefined,
  { diagnostics }: Pick<Context, 'diagnostics'>,
): Pick<Method, 'tunnel'> {
  let type: 'ipip' | 'gue' | 'gre' = 'ipip'
  let port: number | undefined
  let checksum: 'none' | 'csum' | 'remcsum' = 'none'
  const plain = (index: number, problem: string): Pick<Method, 'tunnel'> => {
    const stays = before?.tunnel
    diagnostics.warning(
      statement.at(index),
      `${problem}. The options do not count, and packets are wrapped in ${stays === undefined ? 'plain IPIP' : `${stays.type}, as was said before`}`,
      'Write TUN type ipip, TUN type gue port N [nocsum|csum|remcsum] or TUN type gre [nocsum|csum]',
    )
    return stays === undefined ? {} : { tunnel: stays }
  }
  for (let index = 2; index < statement.words.length; index++) {
    const word = statement.text(index)!
    const next = statement.text(index + 1)
    if (word === 'type') {
      if (next !== 'ipip' && next !== 'gue' && next !== 'gre') return plain(index + 1, `'${next ?? ''}' is no type of tunnel`)
      type = next
      index++
    } else if (word === 'port') {
      if (next === undefined || !/^[0-9]+$/.test(next) || Number(next) < 1 || Number(next) > 65535)
        return plain(index + 1, `'${next ?? ''}' is no port`)
      port = Number(next)
      index++
    } else if (word === 'nocsum') checksum = 'none'
    else if (word === 'csum' || word === 'remcsum') checksum = word
    else return plain(index, `'${word}' is no option of a tunnel`)
  }
  if ((type === 'gue') !== (port !== undefined))
    return plain(1, type === 'gue' ? 'A tunnel of type gue needs a port' : `A tunnel of type ${type} has no port`)
  if (type === 'ipip' && checksum !== 'none') return plain(1, 'A tunnel of type ipip has no checksum')
  if (type === 'gre' && checksum === 'remcsum') return plain(1, 'A tunnel of type gre has no remote checksum')
  if (statement.words.length === 2) return {}
  return { tunnel: { type, ...(port !== undefined && { port }), checksum } }
}

/** A keyword about mail. No mail is sent, and a single note says so. */
export const mail = (ours = 'not sent: `notify_down` and the like run a program that sends one, the director\'s events and metrics tell more'): Keyword<unknown> => ({
  status: 'not done', ours,
  read(statement, _draft, context) {
    tellMail(statement, context)
  },
})

export function tellMail(statement: Statement, { once, diagnostics }: Context): void {
  once('mail', () =>
    diagnostics.note(
      statement.place,
      'No mail is sent from here. Other lines about mail are passed over too',
      "Let notify_down, notify_up or quorum_down run a program that sends one, or let monitoring follow the director's metrics",
    ),
  )
}

/** A keyword that has no effect here, with a warning that says so. */
export const notDone = (ours: string, message: string, advice: string): Keyword<unknown> => ({
  status: 'not done', ours,
  read(statement, _draft, { diagnostics }) {
    diagnostics.warning(statement.place, message, advice)
  },
})
