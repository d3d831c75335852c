import type { Check, CheckCommon, CheckTarget, HttpCheck, TlsOptions, Url } from '../configuration/index.js'
import { addressFamily } from '../model/address.js'
import type { Diagnostics } from './diagnostics.js'
import type { CheckerDraft, FileDraft, HostDraft, Pace, RealServer, TargetDraft, UrlDraft, VirtualServer } from './drafts.js'
import { programOf } from './programs.js'
import { javascriptPattern } from './regex.js'

/** Turns the checkers that were read into the checks of a destination. */

/** The defaults of each checker. If `delayBeforeRetry` is `undefined`, a retry waits for the interval of the check. */
const byDefault: Record<string, { retry: number, delayBeforeRetry: number | undefined }> = {
  HTTP_GET: { retry: 1, delayBeforeRetry: 3 },
  SSL_GET: { retry: 1, delayBeforeRetry: 3 },
  TCP_CHECK: { retry: 1, delayBeforeRetry: 1 },
  SMTP_CHECK: { retry: 1, delayBeforeRetry: 1 },
  UDP_CHECK: { retry: 1, delayBeforeRetry: 1 },
  PING_CHECK: { retry: 1, delayBeforeRetry: 1 },
  DNS_CHECK: { retry: 3, delayBeforeRetry: undefined },
  MISC_CHECK: { retry: 0, delayBeforeRetry: 1 },
}

const DELAY_LOOP = 60
const CONNECT_TIMEOUT = 5
const HELLO = 'smtpchecker.keepalived.org'
/** The default payload: 32 bytes, as many as keepalived sends. */
const PAYLOAD = Buffer.from('ipvs health check, please ignore').toString('hex')
const MAX_REPLY = 255

/** What a checker belongs to. */
export interface Home {
  file: FileDraft
  virtual: VirtualServer
  server: RealServer
  /** Address and port of the destination in the table. */
  address: string
  port: number
  /** Port of the service; 0 for a firewall mark. */
  servicePort: number
  diagnostics: Diagnostics
}

/** The value of the checker, or else of the real server, or else of the virtual server. */
const inner = <Name extends keyof Pace>(name: Name, checker: CheckerDraft, { server, virtual }: Home): Pace[Name] =>
  checker.pace[name] ?? server.pace[name] ?? virtual.pace[name]

function common(checker: CheckerDraft, home: Home): CheckCommon {
  const interval = inner('delayLoop', checker, home)?.value ?? DELAY_LOOP
  const { retry, delayBeforeRetry } = byDefault[checker.keyword]
  const warmup = inner('warmup', checker, home)
  const found: CheckCommon = {
    interval,
    timeout: inner('connectTimeout', checker, home)?.value ?? CONNECT_TIMEOUT,
    failures: (inner('retry', checker, home)?.value ?? retry) + 1,
    successes: checker.urls.length > 0 && checker.fastRecovery !== true ? 2 : 1,
    retryInterval: inner('delayBeforeRetry', checker, home)?.value ?? delayBeforeRetry ?? interval,
  }
  if (warmup !== undefined) found.warmup = warmup.value
  if (checker.pace.alpha !== undefined) found.startDown = checker.pace.alpha
  if (checker.logAll ?? home.file.logAll) found.logEachFailure = true
  return found
}

/** Where the check goes. Properties that equal the destination's are left out. */
function target(checker: CheckerDraft, draft: TargetDraft, home: Home, withPort = true): CheckTarget {
  const { server, diagnostics } = home
  const address = draft.address ?? server.address
  const found: CheckTarget = {}
  if (address !== home.address) found.address = address
  if (withPort) {
    const port = targetPort(checker, draft, home)
    if (port !== home.port) found.port = port
    if (draft.bindPort !== undefined) found.bindPort = draft.bindPort
  }
  if (draft.bindAddress !== undefined) {
    if (addressFamily(draft.bindAddress.value) === addressFamily(address)) found.bindAddress = draft.bindAddress.value
    else diagnostics.warning(draft.bindAddress.place, `${draft.bindAddress.value} is of another family than ${address}, where the check goes, so the line has no effect`, 'Write an address of the same family')
  }
  if (draft.bindInterface !== undefined) found.bindInterface = draft.bindInterface
  else if (/^fe[89ab]/.test(address)) {
    diagnostics.error(checker.place, `${address} is a link-local address, which says nothing without its interface, so nothing can be checked`, 'Write bind_if INTERFACE into the checker')
  }
  if (draft.mark !== undefined) found.mark = draft.mark
  return found
}

/** The port that is written for the checker or its server. The table may have another one. */
function targetPort(checker: CheckerDraft, draft: TargetDraft, { server, servicePort, port, diagnostics }: Home): number {
  const written = draft.port ?? server.port
  if (written !== 0) return written
  const instead = servicePort !== 0 ? servicePort : port
  if (instead === 0) {
    diagnostics.error(checker.place, `${checker.keyword} has no port to go to: neither its real_server nor its virtual_server has one. keepalived tries port 0, and takes the server for dead`, 'Write connect_port PORT into the checker')
    return 1
  }
  diagnostics.warning(checker.place, `${checker.keyword} has no port of its own. It goes to ${instead}, the port of the service; keepalived tries port 0, and takes the server for dead`, `Write connect_port ${instead} into the checker, or the port behind the address of the real_server`)
  return instead
}

function url(draft: UrlDraft, home: Home, checker: CheckerDraft): Url | undefined {
  const { diagnostics, server, virtual } = home
  const {
    place,
    path,
    regex,
    flags,
    host = checker.virtualhost ?? server.virtualhost ?? virtual.virtualhost,
    status,
    digest,
    patternForbidden,
    patternFrom,
    patternUntil,
  } = draft
  if (path === undefined) {
    diagnostics.error(place, 'This url has no path, so it would not be asked for', 'Write path /…, or take the url out')
    return undefined
  }
  const read: Url = {
    path,
    ...(host !== undefined && { host }),
    ...(status !== undefined && { status }),
    ...(digest !== undefined && { digest }),
  }
  if (regex === undefined) {
    if (patternForbidden !== undefined || patternFrom !== undefined || patternUntil !== undefined || flags.size > 0) {
      diagnostics.warning(
        place,
        'This url says something about a regular expression, and has none',
        'Write regex "…", or take the other lines out',
      )
    }
    return read
  }
  const pattern = javascriptPattern(regex.value, flags)
  if ('problem' in pattern) {
    diagnostics.error(regex.place, `This regular expression cannot be searched for: ${pattern.problem}. Without it every page would do`, 'Write one that JavaScript has too')
    return undefined
  }
  Object.assign(read, pattern)
  if (patternForbidden === true) read.patternForbidden = true
  if (patternUntil !== undefined && patternUntil <= (patternFrom ?? 0)) {
    diagnostics.warning(place, 'regex_max_offset is not above regex_min_offset, so it does not count', 'Write a larger one')
  } else if (patternUntil !== undefined) read.patternUntil = patternUntil
  if (patternFrom !== undefined) read.patternFrom = patternFrom
  return read
}

/** One check, or one for each server name if the urls need different ones in TLS. */
function http(checker: CheckerDraft, home: Home): Check[] {
  const { diagnostics, virtual, file } = home
  if (checker.urls.length === 0) {
    diagnostics.error(checker.place, `${checker.keyword} has no url, so nothing would be checked, and the server would count as healthy`, 'Write url { path / }')
    return []
  }
  const secure = checker.keyword === 'SSL_GET'
  const byName = new Map<string, Url[]>()
  for (const draft of checker.urls) {
    const read = url(draft, home, checker)
    if (read === undefined) continue
    const name = secure && checker.sni === true ? checker.serverName ?? draft.host ?? checker.virtualhost ?? virtual.virtualhost ?? '' : ''
    byName.set(name, [...byName.get(name) ?? [], read])
  }
  const head: Omit<HttpCheck, 'urls'> = {
    type: 'http', ...common(checker, home), ...target(checker, checker.target, home),
    ...checker.version !== undefined && { version: checker.version },
    ...checker.close !== undefined && { close: checker.close },
  }
  return [...byName].map(([name, urls]) => ({ ...head, ...secure && { tls: tls(file, name) }, urls }))
}

function tls({ ssl }: FileDraft, serverName: string): TlsOptions {
  return {
    ...serverName !== '' && { serverName },
    verify: false,
    ...ssl?.ca !== undefined && { authorities: ssl.ca.value },
    ...ssl?.certificate !== undefined && { certificate: ssl.certificate.value },
    ...ssl?.key !== undefined && { key: ssl.key.value },
    ...ssl?.password !== undefined && { passphrase: ssl.password },
  }
}

function script(checker: CheckerDraft, home: Home): Check[] {
  const { file, virtual, diagnostics } = home
  if (checker.script === undefined) {
    if (checker.scriptTold !== true)
      diagnostics.error(
        checker.place,
        'MISC_CHECK has no misc_path, so nothing would be checked, and the server would count as healthy',
        'Write misc_path "/path/of/program arguments"',
      )
    return []
  }
  const wanted = checker.scriptTimeout
  return [
    {
      type: 'script',
      ...common(checker, home),
      timeout: wanted === undefined || wanted === 0 ? (virtual.pace.delayLoop?.value ?? DELAY_LOOP) : Math.min(wanted, 2_147_483),
      ...programOf(checker.script, file, diagnostics, { user: checker.user, group: checker.group }),
      ...(checker.dynamic === true && { dynamicWeight: true }),
    },
  ]
}

function numberFile(checker: CheckerDraft, { file, diagnostics }: Home): Check[] {
  if (checker.trackFile === undefined) {
    diagnostics.error(checker.place, 'FILE_CHECK names no track_file, so nothing would be checked', 'Write track_file NAME')
    return []
  }
  const { value, place } = checker.trackFile
  const found = file.trackFiles.find(({ name }) => name === value)
  if (found?.file === undefined) {
    diagnostics.error(place, found === undefined ? `There is no track_file ${value}, so nothing would be checked` : `The track_file ${value} names no file, so nothing would be checked`, `Write track_file ${value} { file /path } outside of every block`)
    return []
  }
  if (!found.file.startsWith('/')) {
    diagnostics.error(found.place, `'${found.file}' is no absolute path`, 'Write the file\'s whole path')
    return []
  }
  const factor = checker.factor ?? found.weight ?? 0
  return [{
    type: 'file', path: found.file,
    ...factor !== 0 && { factor: checker.reverse === true ? -factor : factor },
    ...factor === 0 && checker.reverse === true && { reverse: true },
    ...found.initial !== undefined && { initial: found.initial },
    ...found.overwrite === true && { overwrite: true },
    ...(checker.logAll ?? file.logAll) && { logEachFailure: true },
  }]
}

/** Host blocks take the place of the checker's own target, unless it says something about the connection itself. */
function smtpHosts({ hosts, target: own, pace }: CheckerDraft): HostDraft[] {
  const isOwn = hosts.length === 0 || pace.connectTimeout !== undefined || Object.keys(own).length > 0
  return isOwn ? [{ target: own }, ...hosts] : hosts
}

/** The checks that a checker stands for. If there are none, an error has been reported. */
export function resolveChecker(checker: CheckerDraft, home: Home): Check[] {
  const connecting = (): CheckCommon & CheckTarget => ({ ...common(checker, home), ...target(checker, checker.target, home) })
  switch (checker.keyword) {
    case 'HTTP_GET':
    case 'SSL_GET':
      return http(checker, home)
    case 'MISC_CHECK':
      return script(checker, home)
    case 'FILE_CHECK':
      return numberFile(checker, home)
    case 'SMTP_CHECK':
      return smtpHosts(checker).map(({ target: one, timeout }) => ({
        type: 'smtp',
        ...common(checker, home),
        ...timeout !== undefined && { timeout: timeout.value },
        ...target(checker, one, home),
        hello: checker.hello ?? HELLO,
      }))
    case 'DNS_CHECK':
      return [
        {
          type: 'dns',
          ...connecting(),
          ...(checker.recordType !== undefined && { recordType: checker.recordType }),
          ...(checker.name !== undefined && { name: checker.name }),
        },
      ]
    case 'UDP_CHECK':
      return [udp(checker, home, connecting())]
    case 'PING_CHECK':
      return [{ type: 'ping', ...common(checker, home), ...target(checker, checker.target, home, false) }]
    default:
      return [{ type: 'tcp', ...connecting() }]
  }
}

function udp(checker: CheckerDraft, { diagnostics }: Home, where: CheckCommon & CheckTarget): Check {
  const { payload = PAYLOAD, reply, requireReply = false, minReply = 0 } = checker
  let { maxReply = MAX_REPLY } = checker
  if (maxReply < minReply) {
    diagnostics.warning(checker.place, `max_reply_length ${maxReply} is below min_reply_length ${minReply}, so no answer could do; read as ${minReply}`, `Write max_reply_length ${minReply} or more`)
    maxReply = minReply
  }
  return { type: 'udp', ...where, payload, requireReply, ...reply !== undefined && reply !== '' && { reply }, minReply, maxReply }
}
