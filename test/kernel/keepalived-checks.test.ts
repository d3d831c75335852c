import { afterAll, beforeAll, expect, test } from 'vitest'
import { completeConfiguration, type CompleteCheck, type CompleteDestination } from '../../lib/configuration/index.js'
import { formatDiagnostic, parseKeepalived } from 'ipvs/keepalived'
import { Namespace } from '../../scripts/network/namespace.js'
import { Keepalived } from '../support/keepalived.js'
import { randomChecks } from './keepalived-checks-random.js'
import { Random } from './rules-random.js'

/** How many generated files keepalived and we read. KEEPALIVED_FILES=1000 sets the number, KEEPALIVED_SEED chooses other files. */
const files = Number(process.env.KEEPALIVED_FILES ?? (process.env.IPVS_LAB === 'qemu' ? 5 : 50))
const firstSeed = Number(process.env.KEEPALIVED_SEED ?? 1)

/** The properties of a check, in keepalived's words. */
type Told = Record<string, string>

const endpoint = (address: string, port: number): string => `[${address}]:${port}`
const microseconds = (seconds: number): string => `${Math.round(seconds * 1e6)} us`
const yes = (is: boolean): string => is ? 'yes' : 'no'

/** What `keepalived -d` prints about each checker. */
function theirChecks(lines: readonly string[]): Told[] {
  const checks: Told[] = []
  const begin = lines.findIndex((line) => line.includes('Health checkers'))
  for (const line of lines.slice(begin)) {
    if (/^ \[.*\] *-> \[|^ \S+ -> \[/.test(line)) checks.push({ urls: '' })
    const check = checks.at(-1)
    const [, name, value] = /^ +([^=]+?) = (.*)$/.exec(line) ?? []
    if (check === undefined) continue
    if (name === 'Checked url') check.urls += `${value} `
    else if (name === 'digest') check.urls += `${value} `
    else if (/^ {7}\d{3}(-\d{3})?$/.test(line)) check.urls += `${line.trim()} `
    else if (name === 'script') check.script = value.replaceAll("'/usr/", "'/")
    else if (name === 'Keepalive method') [check.method, check.protocol = ''] = value.split(', http protocol ')
    else if (/^ +(Fast recovery|Enable SNI) (un)?set$/.test(line))
      check[line.trim().split(' ').slice(0, -1).join(' ')] = line.trim().endsWith('unset') ? 'no' : 'yes'
    else if (name !== undefined) check[name] = value
  }
  return checks
}

const methods: Record<CompleteCheck['type'], string> = {
  tcp: 'TCP_CHECK',
  http: 'HTTP_GET',
  smtp: 'SMTP_CHECK',
  dns: 'DNS_CHECK',
  script: 'MISC_CHECK',
  udp: 'UDP_CHECK',
  ping: 'PING_CHECK',
  file: 'FILE_CHECK',
  tls: 'none',
}

/** One of our checks in keepalived's words. */
function ourCheck(check: CompleteCheck, destination: CompleteDestination): Told {
  const told: Told = {
    urls: '',
    method: methods[check.type],
    Alpha: yes(check.startDown),
    'Delay loop': microseconds(check.interval),
    Warmup: microseconds(check.warmup),
    Retries: String(check.failures - 1),
    'Log all failures': yes(check.logEachFailure),
    ...(check.failures > 1 && { 'Delay before retry': microseconds(check.retryInterval) }),
  }
  if (check.type === 'script') return { ...told, script: check.command.map((word) => `'${word}'`).join(' '), dynamic: check.dynamicWeight === true ? 'YES' : 'NO' }
  if (check.type === 'file' || check.type === 'ping' || check.type === 'tls') return told
  Object.assign(told, {
    Dest: endpoint(check.address ?? destination.address, check.port ?? destination.port),
    Timeout: check.timeout.toFixed(6),
    ...(check.bindAddress !== undefined && { 'Bind to': endpoint(check.bindAddress, 0) }),
    ...(check.mark !== undefined && { Mark: String(check.mark) }),
  })
  if (check.type === 'smtp') told.helo = check.hello!
  if (check.type === 'dns') told.Type = check.recordType!
  if (check.type === 'udp') {
    if (check.payload!.length === 4) told['Payload len'] = '2'
    told['Require reply'] = yes(check.requireReply === true)
    if (check.requireReply) Object.assign(told, { 'Min reply length': String(check.minReply), 'Max reply length': String(check.maxReply) })
    if (check.reply !== undefined) told['Reply data len'] = String(check.reply.length / 2)
  }
  if (check.type === 'http') {
    if (check.tls !== undefined) told.method = 'SSL_GET'
    told.protocol = check.version === '1.1' ? '1.1' : check.close ? '1.0C' : '1.0'
    told['Fast recovery'] = yes(check.successes === 1)
    told.urls = check.urls.map(({ path, digest, status }) => `${path} ${digest === undefined ? '' : `${digest} `}${status!.map((one) => `${Array.isArray(one) ? one.join('-') : one} `).join('')}`).join('')
  }
  return told
}

let theirs: Namespace

beforeAll(async () => {
  theirs = await Namespace.create('theirs')
})

afterAll(async () => {
  await theirs?.[Symbol.asyncDispose]()
})

test(`keepalived and we read the same checks of ${files} generated files from seed ${firstSeed} on`, { timeout: 3_600_000 }, async () => {
  let compared = 0
  for (let seed = firstSeed; seed < firstSeed + files; seed++) {
    const text = randomChecks(new Random(seed))
    const { configuration, diagnostics } = parseKeepalived(text, { id: 'lab' })
    const told = `seed ${seed}\n${text}\n${diagnostics.map(formatDiagnostic).join('\n')}`
    expect(configuration, told).toBeDefined()
    const destinations = completeConfiguration(configuration!).services[0].destinations
    const ours = destinations.flatMap((destination) => destination.checks.map((check) => ourCheck(check, destination)))
    await theirs.run('ipvsadm', ['-C'])
    await using keepalived = await Keepalived.start(theirs, text, ['-d'])
    const said = theirChecks(keepalived.lines)
    // Compares the properties that our checks have.
    expect.soft(said.map((check, index) => Object.fromEntries(Object.entries(check).filter(([name]) => name in (ours[index] ?? {})))), `${told}\n${keepalived.lines.join('\n')}`).toEqual(ours)
    compared += ours.length
  }
  expect(compared).toBeGreaterThan(files)
})
