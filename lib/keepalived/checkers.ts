import type { Url } from '../configuration/index.js'
import type { CheckerDraft, RealServer, UrlDraft } from './drafts.js'
import { alpha, connectTimeout, pacing, retry, targeting } from './keywords.js'
import { regexOptions } from './regex.js'
import type { Statement } from './statement.js'
import { level, type Context, type Keyword, type Level } from './walk.js'

/** The checkers of a real server. */

type Checker = Keyword<CheckerDraft>

const logAll: Checker = {
  status: 'done', ours: '`logEachFailure` of the check',
  read(statement, draft) {
    draft.logAll = statement.boolean() ?? draft.logAll
  },
}

/** The keywords that every checker has, except FILE_CHECK and BFD_CHECK. */
const common = { ...pacing, retry: retry(0), alpha, log_all_failures: logAll } satisfies Record<string, Checker>

/** The keywords of a checker that connects to its server. */
const connecting = { ...common, connect_timeout: connectTimeout, ...targeting } as Record<string, Checker>

const text = (name: 'virtualhost' | 'serverName' | 'hello' | 'name', what: string, ours: string): Checker => ({
  status: 'done', ours,
  read(statement, draft, { diagnostics }) {
    statement.only(2)
    const word = statement.need(1, what)
    if (word === undefined) return
    // eslint-disable-next-line no-control-regex -- these would end a header or a command
    if (/[\x00-\x1f\x7f]/.test(word) || word === '' || (name !== 'virtualhost' && /\s/.test(word))) diagnostics.error(statement.at(1), `'${word}' cannot be sent as ${what}`, `Write ${what} without blanks and control characters`)
    else draft[name] = word
  },
})

function readStatus(statement: Statement, context: Context): Url['status'] {
  if (statement.need(1, 'a status code') === undefined) return undefined
  const codes: NonNullable<Url['status']> = []
  for (let index = 1; index < statement.words.length; index++) {
    const word = statement.text(index)!
    const match = /^([0-9]{3})(?:-([0-9]{3}))?$/.exec(word)
    const [first, last] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])]
    if (match === null || first < 100 || last > 599 || first > last) {
      context.diagnostics.warning(statement.at(index), `'${word}' is no status code, and does not count`, 'Write codes from 100 to 599, or ranges like 200-299, with blanks between them')
    } else codes.push(match[2] === undefined ? first : [first, last])
  }
  return codes.length === 0 ? undefined : codes
}

const offset = (name: 'patternFrom' | 'patternUntil'): Keyword<UrlDraft> => ({
  status: 'done', ours: `\`${name}\` of the url`,
  read(statement, draft) {
    statement.only(2)
    draft[name] = statement.integer(1, { min: 0, max: 2 ** 31 - 1, what: 'a number of bytes', tolerant: false }) ?? draft[name]
  },
})

/** Node reports the end of a TLS session in the same way with and without a closing message, so this cannot be done. */
const tlsCompliant: Keyword<object> = {
  status: 'not done', ours: 'no such thing: an answer that is cut off is noticed where it has a Content-Length, or chunks',
  read(statement, _draft, { diagnostics }) {
    if (statement.boolean() !== true) return
    diagnostics.warning(
      statement.place, 'That a server ends TLS without its closing message is not noticed here, so the line has no effect',
      'Take it out. An answer that is cut off is noticed where it has a Content-Length, or is in chunks (http_protocol 1.1)',
    )
  },
}

const urlLevel: Level<UrlDraft> = level<UrlDraft>('url', {
  path: {
    status: 'done', ours: '`path` of the url',
    read(statement, draft, { diagnostics }) {
      statement.only(2)
      const path = statement.need(1, 'a path')
      if (path === undefined) return
      // eslint-disable-next-line no-control-regex -- these would end the request line
      if (/[\x00-\x20\x7f]/.test(path) || path === '') diagnostics.error(statement.at(1), `'${path}' cannot stand in a request`, 'Write a path without blanks: %20 stands for one')
      else {
        if (!path.startsWith('/')) diagnostics.warning(statement.at(1), `The path does not begin with /. It is sent as it is, and servers refuse it`, `Write /${path}`)
        draft.path = path
      }
    },
  },
  digest: {
    status: 'done', ours: '`digest` of the url; `ipvs digest` tells it, as genhash does',
    read(statement, draft, { diagnostics }) {
      statement.only(2)
      const digest = statement.need(1, 'a digest')
      if (digest === undefined) return
      if (/^[0-9A-Fa-f]{32}$/.test(digest)) draft.digest = digest.toLowerCase()
      else diagnostics.error(statement.at(1), `'${digest}' is no MD5 digest of 32 hexadecimal digits; without it every page would do`, 'Get the digest with ipvs digest -s ADDRESS -p PORT -u PATH')
    },
  },
  status_code: {
    status: 'done', ours: '`status` of the url',
    read(statement, draft, context) {
      draft.status = readStatus(statement, context) ?? draft.status
    },
  },
  virtualhost: {
    status: 'done', ours: '`host` of the url',
    read(statement, draft) {
      statement.only(2)
      draft.host = statement.need(1, 'a name') ?? draft.host
    },
  },
  regex: {
    status: 'differs', ours: '`pattern` of the url, a regular expression of JavaScript. What PCRE alone has is refused',
    read(statement, draft) {
      const words = statement.quoted()
      if (words === undefined) return
      if (words.length < 2) {
        statement.need(1, 'a regular expression')
        return
      }
      draft.regex = { value: words[1].text, place: statement.line.place(words[1].at) }
    },
  },
  regex_no_match: {
    status: 'done', ours: '`patternForbidden` of the url',
    read(statement, draft) {
      statement.only(1)
      draft.patternForbidden = true
    },
  },
  regex_options: {
    status: 'differs', ours: '`patternFlags` of the url: caseless, multiline, dotall, utf. Those that change no answer are passed over, the others refused',
    read(statement, draft, { diagnostics }) {
      if (statement.need(1, 'an option') === undefined) return
      for (let index = 1; index < statement.words.length; index++) {
        const word = statement.text(index)!
        const flag = regexOptions.get(word)
        if (flag === undefined) diagnostics.error(statement.at(index), `The option ${word} of a regular expression is not done here, so the page would be judged otherwise`, 'Write the regular expression so that it needs caseless, multiline, dotall or utf alone')
        else if (flag !== '') draft.flags.add(flag)
      }
    },
  },
  regex_min_offset: offset('patternFrom'),
  regex_max_offset: offset('patternUntil'),
  regex_stack: { status: 'not done', ours: 'not needed', read: () => {} },
  tls_compliant: tlsCompliant,
}, { checks: true })

const http: Record<string, Checker> = {
  ...connecting,
  url: {
    status: 'differs', ours: '`urls` of the check. Each check asks all of them; keepalived asks one at a time, `delay_loop` apart',
    open(statement, draft) {
      const url: UrlDraft = { place: statement.place, flags: new Set() }
      return {
        level: urlLevel, draft: url, close() {
          draft.urls.push(url)
        },
      }
    },
  },
  http_protocol: {
    status: 'done', ours: '`version` and `close` of the check',
    read(statement, draft, { diagnostics }) {
      statement.only(2)
      const word = statement.need(1, '1.0, 1.0C or 1.1')
      if (word === undefined) return
      if (!['1.0', '1.0C', '1.0c', '1.1'].includes(word)) {
        diagnostics.warning(statement.at(1), `'${word}' is no version of the protocol, so the line has no effect`, 'Write 1.0, 1.0C or 1.1')
        return
      }
      draft.version = word === '1.1' ? '1.1' : '1.0'
      draft.close = word !== '1.0'
    },
  },
  virtualhost: text('virtualhost', 'a name', '`host` of the check'),
  enable_sni: {
    status: 'done', ours: '`serverName` of the check\'s `tls`: the name of the url, the checker or the virtual server',
    read(statement, draft) {
      draft.sni = statement.boolean() ?? draft.sni
    },
  },
  sni_name: text('serverName', 'a name', '`serverName` of the check\'s `tls`'),
  fast_recovery: {
    status: 'done', ours: '`successes` of the check: 1, and 2 without it',
    read(statement, draft) {
      draft.fastRecovery = statement.boolean() ?? draft.fastRecovery
    },
  },
  tls_compliant: tlsCompliant,
  nb_get_retry: {
    ...retry(0), ours: 'the same as `retry`, which is its name now',
    read(statement, draft, context) {
      context.diagnostics.warning(statement.place, 'nb_get_retry is the old name of retry, and is read as such', 'Write retry')
      retry(0).read!(statement, draft, context)
    },
  },
}

const bytes = (statement: Statement, { diagnostics }: Context, any: boolean): string | undefined => {
  const digits = statement.words.slice(1).map((word) => word.text)
  // A single digit is a byte, and so is the last of an odd number of digits.
  const read = digits.flatMap((word) => word.match(/.{1,2}/gs) ?? []).map((pair) => pair.padStart(2, '0'))
  const wrong = digits.findIndex((word) => !(any ? /^[0-9A-FXa-fx]*$/ : /^[0-9A-Fa-f]*$/).test(word))
  if (wrong >= 0) {
    diagnostics.error(statement.at(wrong + 1), `'${digits[wrong]}' has something else than hexadecimal digits, so the check would send or expect something else`, `Write two digits for each byte${any ? ', x for any' : ''}`)
    return undefined
  }
  return read.join('').toLowerCase()
}

const length = (name: 'minReply' | 'maxReply'): Checker => ({
  status: 'done', ours: `\`${name}\` of the check`,
  read(statement, draft) {
    statement.only(2)
    draft[name] = statement.integer(1, { min: 0, max: 65535, what: 'a number of bytes', tolerant: false }) ?? draft[name]
  },
})

const recordTypes = ['A', 'NS', 'CNAME', 'SOA', 'MX', 'TXT', 'AAAA', 'RRSIG', 'DNSKEY'] as const

const levels: Record<string, Level<CheckerDraft>> = {
  TCP_CHECK: level('TCP_CHECK', connecting, { checks: true, hints: { nb_get_retry: 'Write retry' } }),
  HTTP_GET: level('HTTP_GET', http, { checks: true }),
  SSL_GET: level('SSL_GET', http, { checks: true }),
  SMTP_CHECK: level<CheckerDraft>('SMTP_CHECK', {
    ...connecting,
    helo_name: text('hello', 'a name', '`hello` of the check'),
    host: {
      status: 'done', ours: 'one more check for each; the old way to write it',
      open(statement, draft, { diagnostics }) {
        diagnostics.warning(
          statement.place,
          'A host block is the old way to check another address. Each is a check; the server itself has one too if SMTP_CHECK names an address, a port or a timeout besides',
          'Write one SMTP_CHECK { connect_ip … } for each',
        )
        const host: CheckerDraft = { keyword: 'host', place: statement.place, pace: {}, target: {}, urls: [], hosts: [] }
        return { level: level('host', { ...targeting, connect_timeout: connectTimeout }, { checks: true }), draft: host, close() {
            draft.hosts.push({ target: host.target, timeout: host.pace.connectTimeout })
          } }
      },
    },
  }, { checks: true }),
  DNS_CHECK: level<CheckerDraft>('DNS_CHECK', {
    ...connecting,
    type: {
      status: 'done', ours: '`recordType` of the check',
      read(statement, draft, { diagnostics }) {
        statement.only(2)
        const word = statement.need(1, 'a type of records')
        if (word === undefined) return
        const type = recordTypes.find((one) => one === word.toUpperCase())
        if (type === undefined) diagnostics.warning(statement.at(1), `'${word}' is no type of records that can be asked for, so SOA is asked for`, `Write one of ${recordTypes.join(', ')}`)
        else draft.recordType = type
      },
    },
    name: text('name', 'a domain name', '`name` of the check'),
  }, { checks: true }),
  UDP_CHECK: level<CheckerDraft>('UDP_CHECK', {
    ...connecting,
    payload: {
      status: 'done', ours: '`payload` of the check. One that ends in ff is sent as it is; keepalived 2.2 takes it for a mistake',
      read(statement, draft, context) {
        if (statement.need(1, 'bytes in hexadecimal digits') !== undefined)
          draft.payload = bytes(statement, context, false) ?? draft.payload
      },
    },
    require_reply: {
      status: 'done', ours: '`requireReply` and `reply` of the check',
      read(statement, draft, context) {
        draft.requireReply = true
        if (statement.words.length > 1) draft.reply = bytes(statement, context, true) ?? draft.reply
      },
    },
    min_reply_length: length('minReply'),
    max_reply_length: length('maxReply'),
  }, { checks: true }),
  PING_CHECK: level('PING_CHECK', connecting, { checks: true }),
  MISC_CHECK: level<CheckerDraft>('MISC_CHECK', {
    ...common,
    misc_path: {
      status: 'differs', ours: '`command` of a script check. A program that is missing is an error; keepalived drops the check, and its server counts as healthy',
      read(statement, draft) {
        draft.script = statement.program() ?? draft.script
        if (draft.script === undefined) draft.scriptTold = true
      },
    },
    misc_timeout: {
      status: 'done', ours: '`timeout` of the check',
      read(statement, draft) {
        statement.only(2)
        const value = statement.integer(1, { min: 0, max: 4_294_967_295, what: 'a number of whole seconds' })
        if (value !== undefined) draft.scriptTimeout = value
      },
    },
    misc_dynamic: {
      status: 'done', ours: '`dynamicWeight` of the check',
      read(statement, draft) {
        statement.only(1)
        draft.dynamic = true
      },
    },
    user: {
      status: 'done', ours: '`user` and `group` of the check',
      read(statement, draft) {
        statement.only(3)
        const user = statement.need(1, 'the name of a user')
        if (user === undefined) return
        draft.user = user
        draft.group = statement.text(2)
      },
    },
  }, { checks: true, hints: { connect_timeout: 'A script has misc_timeout for the time it may take', misc_user: 'Write user' } }),
  FILE_CHECK: level<CheckerDraft>('FILE_CHECK', {
    track_file: {
      status: 'done', ours: '`path` of a file check, by the name of its track_file',
      read(statement, draft) {
        statement.only(2)
        const value = statement.need(1, 'the name of a track_file')
        if (value !== undefined) draft.trackFile = { value, place: statement.at(1) }
      },
    },
    weight: {
      status: 'done', ours: '`factor` and `reverse` of the check',
      read(statement, draft) {
        const factor = readFactor(statement)
        if (factor !== undefined) draft.factor = factor
        if (statement.text(2) === 'reverse') draft.reverse = true
        else statement.only(2)
      },
    },
  }, { checks: true }),
}

/** Reads a factor, which may be negative. */
export function readFactor(statement: Statement): number | undefined {
  const word = statement.text(1)
  if (word === undefined || !/^-[0-9]+$/.test(word)) return statement.integer(1, { min: 0, max: 2 ** 31 - 1, what: 'a factor' })
  return Math.max(Number(word), -(2 ** 31 - 1))
}

const ours: Record<string, string> = {
  TCP_CHECK: 'a check of type `tcp`',
  HTTP_GET: 'a check of type `http`',
  SSL_GET: 'a check of type `http` with `tls`. Certificates are not verified, as keepalived does it: `verify` in our own format',
  SMTP_CHECK: 'a check of type `smtp`',
  DNS_CHECK: 'a check of type `dns`',
  MISC_CHECK: 'a check of type `script`. The interval is from the end of one to the start of the next, from start to start in keepalived',
  UDP_CHECK: 'a check of type `udp`',
  PING_CHECK: 'a check of type `ping`',
  FILE_CHECK: 'a check of type `file`. Its track_file may stand anywhere; keepalived drops the check of one that comes later',
}

/** The keywords of a real server that open a checker. */
export const checkers: Record<string, Keyword<RealServer>> = {
  ...Object.fromEntries(Object.entries(levels).map(([keyword, inside]): [string, Keyword<RealServer>] => [keyword, {
    status: ['HTTP_GET', 'SSL_GET', 'MISC_CHECK', 'FILE_CHECK'].includes(keyword) ? 'differs' : 'done', ours: ours[keyword],
    open(statement, server) {
      statement.only(1)
      const draft: CheckerDraft = { keyword, place: statement.place, pace: {}, target: {}, urls: [], hosts: [] }
      return { level: inside, draft, close: () => server.checks.push(draft) }
    },
  }])),
  BFD_CHECK: {
    status: 'refused', ours: 'refused: BFD is spoken by keepalived\'s own BFD process, which is not here. A `script` check can ask another one',
    open(statement, _server, { diagnostics }) {
      diagnostics.error(
        statement.place,
        "BFD_CHECK needs keepalived's BFD process, which is not here, and without it the server would count as healthy",
        'Use PING_CHECK, TCP_CHECK, or a MISC_CHECK whose program asks a BFD daemon',
      )
      return undefined
    },
  },
}

/** Every level, for the documentation. */
export const checkerLevels: Record<string, Level<CheckerDraft> | Level<UrlDraft>> = { ...levels, url: urlLevel }
