import { readFileSync } from 'node:fs'
import { completeCheck } from '../configuration/complete.js'
import { tlsFilesOfCheck, type TlsFiles } from '../configuration/tls-files.js'
import type { Check, CheckTarget, HttpCheck, TlsOptions, UdpCheck, Url } from '../configuration/types.js'
import { tlsFaults, tlsFilesState } from '../files/tls-faults.js'
import { endpointWords } from '../model/keys.js'
import { untried } from './answer.js'
import { Attempt, type Asker, type Probe } from './attempt.js'
import type { RunningClock } from './clock.js'
import type { Endpoint } from './endpoint.js'
import { dns } from './kinds/dns.js'
import { file } from './kinds/file.js'
import { http, type HttpVersion, type Page } from './kinds/http.js'
import { ping } from './kinds/ping.js'
import { script } from './kinds/script.js'
import { smtp } from './kinds/smtp.js'
import { tcp } from './kinds/tcp.js'
import { tls, type Security } from './kinds/tls.js'
import { hexPattern, udp, type Expected } from './kinds/udp.js'
import type { Pace } from './run.js'
import { systemWords } from './trouble.js'
import { identityOf } from './users.js'

/** A destination as a check sees it: its address and port as they were written. */
export interface Target {
  /** Numeric. */
  address: string
  /** 0 for none: then a check that needs a port has one of its own. */
  port: number
}

/** Files are watched for changes; this is for those that cannot be. */
const FILE_PACE: Pace = { interval: 5_000, retryInterval: 5_000, warmup: 0, failures: 1, successes: 1 }

const milliseconds = (seconds: number): number => seconds * 1_000

/** When a check runs, and how many answers decide. */
export function paceOf(check: Check): Pace {
  if (check.type === 'file') return FILE_PACE
  const { interval, failures, successes, retryInterval, warmup } = completeCheck(check, false)
  return { interval: milliseconds(interval), retryInterval: milliseconds(retryInterval), warmup: milliseconds(warmup), failures, successes }
}

const endpointOf = (target: Target, { address, port, bindAddress, bindPort, bindInterface, mark }: CheckTarget): Endpoint => ({
  address: address ?? target.address,
  port: port ?? target.port,
  localAddress: bindAddress,
  localPort: bindPort,
  device: bindInterface,
  mark,
})

function content(path: string | undefined): string | undefined {
  try {
    return path === undefined ? undefined : readFileSync(path, 'latin1')
  } catch (error) {
    throw new Error(`${path} cannot be read: ${systemWords(error)}`, { cause: error })
  }
}

function securityOf({ serverName, verify, authorities, certificate, key, passphrase }: TlsOptions): Security {
  return {
    serverName,
    verify: verify!,
    authorities: content(authorities),
    certificate: content(certificate),
    key: content(key),
    passphrase,
  }
}

const pageOf = (url: Url, check: HttpCheck, endpoint: Endpoint): Page => ({
  path: url.path,
  host: url.host ?? check.host ?? endpointWords(endpoint),
  status: url.status!.map((status) => (typeof status === 'number' ? [status, status] : status)),
  digest: url.digest,
  text: url.text,
  pattern:
    url.pattern === undefined
      ? undefined
      : {
          expression: new RegExp(url.pattern, url.patternFlags),
          forbidden: url.patternForbidden!,
          from: url.patternFrom!,
          until: url.patternUntil ?? Infinity,
        },
})

function versionOf({ version, close }: HttpCheck): HttpVersion {
  if (version === '1.1') return '1.1'
  return close === true ? '1.0C' : '1.0'
}

function expectedOf({ reply, requireReply, minReply, maxReply }: UdpCheck): Expected | undefined {
  if (requireReply !== true) return undefined
  return { ...(reply === undefined ? {} : hexPattern(reply)), min: minReply!, max: maxReply! }
}

/** @throws Error where something that the check names cannot be read */
function make(target: Target, given: Check): Probe {
  const check = completeCheck(given, false)
  const timeout = milliseconds(check.timeout)
  switch (check.type) {
    case 'tcp':
      return tcp(endpointOf(target, check), timeout)
    case 'tls':
      return tls(endpointOf(target, check), { security: securityOf(check.tls!), timeout })
    case 'http': {
      const endpoint = endpointOf(target, check)
      return http(endpoint, {
        pages: check.urls.map((url) => pageOf(url, check, endpoint)),
        version: versionOf(check),
        maxSize: check.maxSize!,
        security: check.tls === undefined ? undefined : securityOf(check.tls),
        timeout,
      })
    }
    case 'smtp':
      return smtp(endpointOf(target, check), { hello: check.hello!, timeout })
    case 'dns':
      return dns(endpointOf(target, check), { name: check.name!, type: check.recordType!, timeout })
    case 'udp':
      return udp(endpointOf(target, check), { payload: hexPattern(check.payload!).value, expected: expectedOf(check), timeout })
    case 'ping':
      return ping(endpointOf(target, check), timeout)
    case 'script':
      return script({ command: check.command, ...identityOf(check.user, check.group), dynamicWeight: check.dynamicWeight!, timeout })
    case 'file': {
      const { path, factor, reverse, initial, overwrite } = check
      return file({ path, factor: factor!, reverse: reverse!, initial, overwrite: overwrite!, timeout })
    }
  }
}

/** An attempt that ends before it begins. */
class Untried extends Attempt {
  constructor(clock: RunningClock, asker: Asker, why: unknown) {
    super(clock, asker, 0)
    this.answer(untried(`it could not be tried: ${systemWords(why)}`))
  }

  protected override missing(): string {
    return 'no attempt'
  }

  protected override close(): void {
    // Nothing is open.
  }
}

/** What a check is called while it cannot be made ready. */
const NAMES: Readonly<Record<Check['type'], string>> = {
  tcp: 'TCP connection',
  tls: 'TLS handshake',
  http: 'GET',
  smtp: 'SMTP greeting',
  dns: 'DNS',
  udp: 'UDP datagram',
  ping: 'ping',
  script: 'script',
  file: 'file',
}

/** A check whose files are read anew when they have changed. While they cannot be used, it goes on with what it read last. */
function renewed(target: Target, check: Check, files: TlsFiles): Probe {
  let state = tlsFilesState(files)
  let probe = make(target, check)
  const { uses, timeout, what } = probe
  const renew = (): void => {
    const now = tlsFilesState(files)
    // A key may be renewed a moment later than its certificate.
    if (now === state || tlsFaults(files).length > 0) return
    try {
      probe = make(target, check)
      state = now
    } catch {
      // They have changed once more since: the next check looks again.
    }
  }
  return {
    uses, timeout, what,
    start(clock, asker) {
      renew()
      return probe.start(clock, asker)
    },
  }
}

/**
 * Prepares a check of a target. If something it names (a certificate's file, a user) cannot be read now, it answers 'untried' and looks
 * again each time.
 */
export function prepare(target: Target, check: Check): Probe {
  const files = tlsFilesOfCheck(check)
  try {
    return files === undefined ? make(target, check) : renewed(target, check, files)
  } catch {
    return {
      uses: 'socket',
      timeout: 0,
      what: NAMES[check.type],
      start: (clock, asker) => {
        try {
          return make(target, check).start(clock, asker)
        } catch (error) {
          return new Untried(clock, asker, error)
        }
      },
    }
  }
}

/**
 * A text that is the same for the same question to the same target, however its properties are ordered. It is joined once: a text that
 * grows piece by piece keeps all of its pieces, and there are thousands.
 */
export function identity({ address, port }: Target, check: Check): string {
  const pieces = [address, ' ', String(port), ' ']
  write(check, pieces, true)
  return pieces.join('')
}

/** JSON with sorted properties, without the outer ones that concern only the destination. */
function write(value: unknown, pieces: string[], outermost = false): void {
  if (Array.isArray(value)) {
    pieces.push('[')
    for (const one of value) {
      write(one, pieces)
      pieces.push(',')
    }
    pieces.push(']')
  } else if (typeof value === 'object' && value !== null) {
    const properties = value as Record<string, unknown>
    pieces.push('{')
    for (const name of Object.keys(properties).sort()) {
      const inner = properties[name]
      if (inner === undefined || (outermost && (name === 'startDown' || name === 'logEachFailure'))) continue
      pieces.push(name, ':')
      write(inner, pieces)
      pieces.push(',')
    }
    pieces.push('}')
  } else pieces.push(JSON.stringify(value))
}
