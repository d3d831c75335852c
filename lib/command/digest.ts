import { createHash } from 'node:crypto'
import { addressFamily } from '../model/address.js'
import { newStatus } from './new-status.js'
import { portOf, readOptions, secondsOf, UsageError, withOptions, type NewOptions } from './new-options.js'
import { complain, print } from './output.js'
import { fetchPage, type Page, type PageQuestion } from './page-fetch.js'

const OPTIONS = {
  server: { argument: 'text', short: 's' },
  port: { argument: 'text', short: 'p' },
  url: { argument: 'text', short: 'u' },
  'use-ssl': { argument: 'none', short: 'S' },
  'use-sni': { argument: 'none', short: 'I' },
  'use-virtualhost': { argument: 'text', short: 'V' },
  protocol: { argument: 'text', short: 'P' },
  timeout: { argument: 'text', short: 't' },
  fwmark: { argument: 'text', short: 'm' },
  verbose: { argument: 'none', short: 'v' },
} as const satisfies NewOptions

const help = `Usage: ipvs digest -s ADDRESS -p PORT -u PATH [options]

Prints the digest of a page, as \`digest\` of an HTTP check and of keepalived's HTTP_GET want it: the MD5 of the body as it comes.
It is asked for as a check asks for it. The options are those of genhash.

  -s, --server ADDRESS         the server's address
  -p, --port PORT              its port
  -u, --url PATH               the page: /service.txt
  -S, --use-ssl                over TLS
  -I, --use-sni                name the server in the TLS handshake, by the name of -V
  -V, --use-virtualhost NAME   the Host header (default: ADDRESS:PORT)
  -P, --protocol VERSION       1.0 (the default), 1.0c (with Connection: close) or 1.1
  -t, --timeout SECONDS        how long it may take (default: 5)
  -m, --fwmark MARK            the firewall mark of what is sent
  -v, --verbose                the answer in hexadecimal digits, and how long it took
  -h, --help                   this text

Exit status: 0 the digest was printed, 1 there is none (no connection, no HTTP, an incomplete answer), 2 the command line was not understood.
`

function questionOf(given: ReturnType<typeof readOptions<typeof OPTIONS>>): PageQuestion {
  const { server, port, url, protocol = '1.0', fwmark, timeout = '5' } = given
  const missing = (
    [
      ['-s ADDRESS', server],
      ['-p PORT', port],
      ['-u PATH', url],
    ] as const
  )
    .filter(([, value]) => value === undefined)
    .map(([name]) => name)
  if (missing.length > 0) throw new UsageError(`${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing`)
  if (addressFamily(server!) === 0) throw new UsageError(`-s '${server}'; expected an IPv4 or IPv6 address`)
  // eslint-disable-next-line no-control-regex -- they would end the line of the request
  if (!/^[^\s\u0000-\u0020\u007f]+$/.test(url!)) throw new UsageError(`-u '${url}'; expected a path without spaces, such as /service.txt`)
  const version = protocol.toLowerCase()
  if (version !== '1.0' && version !== '1.0c' && version !== '1.1') throw new UsageError(`-P '${protocol}'; expected 1.0, 1.0c or 1.1`)
  const mark = fwmark === undefined ? undefined : /^\d{1,10}$/.test(fwmark) ? Number(fwmark) : NaN
  if (mark !== undefined && !(mark <= 0xffff_ffff)) throw new UsageError(`-m '${fwmark}'; expected a mark from 0 to 4294967295`)
  const host = given['use-virtualhost']
  // eslint-disable-next-line no-control-regex -- they would end the line of the header
  if (host !== undefined && /[\u0000-\u0020\u007f]/.test(host)) throw new UsageError(`-V '${host}'; expected a name without spaces`)
  const sni = given['use-sni'] === true
  if (sni && host === undefined) throw new UsageError('-I takes its name from -V, which is missing')
  if (sni && given['use-ssl'] === undefined) throw new UsageError('-I is for TLS: give -S too')
  return {
    address: server!, port: portOf('-p', port!), path: url!, version, timeout: secondsOf('-t', timeout, { min: 0.1, max: 3_600 }),
    tls: given['use-ssl'] === true, ...host !== undefined && { host }, ...sni && { serverName: host! }, ...mark !== undefined && { mark },
  }
}

/** Bytes as sixteen in a row, in digits and as text. */
function dump(bytes: Buffer): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16)
    const digits = [...row].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
    text += `${at.toString(16).padStart(8, '0')}  ${digits.padEnd(47)}  ${row.toString('latin1').replace(/[^\x20-\x7e]/g, '.')}\n`
  }
  return text
}

const verbose = ({ head, body, duration }: Page, path: string): string =>
  `Header\n${dump(head)}\nBody\n${dump(body)}\nResponse time of ${path}: ${(duration * 1_000).toFixed(1)} ms\n\n`

/** `ipvs digest`. Returns the exit status. */
export const digest = (args: readonly string[]): Promise<number> => withOptions('digest', args, help, async (line) => {
  const given = readOptions(line, OPTIONS)
  const question = questionOf(given)
  let page: Page
  try {
    page = await fetchPage(question)
  } catch (error) {
    complain(`ipvs digest: ${(error as Error).message}`)
    return newStatus.no
  }
  if (page.status < 200 || page.status > 299) complain(`ipvs digest: warning: the page answered ${page.status}, which a check without other words takes for a failure`)
  print(`${given.verbose === true ? verbose(page, question.path) : ''}${createHash('md5').update(page.body).digest('hex')}\n`)
  return newStatus.done
})

export { help as digestHelp }
