import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  completeConfiguration, type CompleteCheck, type CompleteDestination, type CompleteProgram, type CompleteService,
  type DirectorConfiguration,
} from '../../lib/configuration/index.js'
import { formatDiagnostic, parseKeepalived, type Parsed } from 'ipvs/keepalived'
import { Namespace } from '../../scripts/network/namespace.js'
import { keepalivedFiles, keepalivedFolder, readKeepalivedFile } from '../support/keepalived-files.js'
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
    // A service is an address, a firewall mark ('FWM 1'), or a group by its name.
    if (/^ \S.*-> \[/.test(line)) checks.push({ urls: '' })
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

/** The services in their order. Those of one group are the same, and keepalived has them once. */
function servicesOf(configuration: DirectorConfiguration): CompleteService[] {
  const groups = new Set<string>()
  return completeConfiguration(configuration).services.filter(({ group }) => {
    if (group === undefined) return true
    const isNew = !groups.has(group)
    groups.add(group)
    return isNew
  })
}

const onOff = (is: boolean): string => is ? 'ON' : 'OFF'

function scriptLine(name: string, program: CompleteProgram | undefined): string[] {
  return program === undefined ? [] : [`${name} notify script = ${program.command.map((word) => `'${word}'`).join(' ')}`]
}

/** What `keepalived -d` prints about services besides their rules: quorums, sorry servers, weights, thresholds, programs to notify. */
function theirServices(lines: readonly string[]): string[] {
  const end = lines.findIndex((line) => line.includes('Health checkers'))
  const addresses = new Set<string>()
  let isService = false
  let isSame = false
  return lines.slice(0, end).flatMap((line) => {
    const text = line.trim()
    if (text.startsWith('VS ')) {
      isService = true
      // A virtual server that is there already adds its servers to the first.
      isSame = text.startsWith('VS VIP') && addresses.has(text)
      addresses.add(text)
    }
    if (/^(sorry server|RIP)\b/.test(text)) isService = false
    if (isService && isSame) return []
    // What a service says about inhibition is only for its servers that say nothing.
    if (text.startsWith('Inhibit on failure') ? isService : !/^(quorum|Quorum (up|down) notify script|omega|sorry server|RIP|connection limit range|RS (up|down) notify script)\b/.test(text)) return []
    // Ports are those of the rules, which are compared elsewhere.
    return [text.replace(/, uid:gid .*$| EFF WEIGHT .*$|, RPORT = \d+| \(duplicates rs\)|:\w+:\d+$/g, '').replaceAll("'/usr/", "'/")]
  })
}

/** The same of ours, in keepalived's words. */
const ourServices = (services: readonly CompleteService[]): string[] => services.flatMap((service) => {
  const { quorum, hysteresis, notifyAtEnd, onQuorumReached, onQuorumLost, fallback, destinations } = service
  return [
    `omega is ${onOff(notifyAtEnd)}`,
    `quorum = ${quorum}, hysteresis = ${hysteresis}`,
    ...scriptLine('Quorum up', onQuorumReached),
    ...scriptLine('Quorum down', onQuorumLost),
    ...fallback === undefined ? [] : [
      `sorry server = [${fallback.address}]`, `Inhibit on failure is ${onOff(fallback.whenIdle === 'zero')}`,
    ],
    ...destinations.flatMap(({ address, weight, whenDown, lowerThreshold = 0, upperThreshold = 0, onUp, onDown }) => [
      `RIP = ${address}, WEIGHT = ${weight ?? 1}`,
      `connection limit range = ${lowerThreshold} -> ${upperThreshold}`,
      `Inhibit on failure is ${onOff(whenDown === 'zero')}`,
      ...scriptLine('RS up', onUp),
      ...scriptLine('RS down', onDown),
    ]),
  ]
})

/** Compares the properties that our checks have. Returns how many checks there are. */
async function compare(text: string, { configuration, diagnostics }: Parsed, head: string): Promise<number> {
  const told = `${head}\n${text}\n${diagnostics.map(formatDiagnostic).join('\n')}`
  expect(configuration, told).toBeDefined()
  const services = servicesOf(configuration!)
  const ours = services.flatMap(({ destinations }) =>
    destinations.flatMap((destination) => destination.checks.map((check) => ourCheck(check, destination))))
  await theirs.run('ipvsadm', ['-C'])
  await using keepalived = await Keepalived.start(theirs, text, ['-d'], keepalivedFolder)
  const said = theirChecks(keepalived.lines)
  const comparable = said.map((check, index) => Object.fromEntries(Object.entries(check).filter(([name]) => name in (ours[index] ?? {}))))
  expect.soft(comparable, `${told}\n${keepalived.lines.join('\n')}`).toEqual(ours)
  expect.soft(theirServices(keepalived.lines), `${told}\n${keepalived.lines.join('\n')}`).toEqual(ourServices(services))
  return ours.length
}

/** keepalived 2.2.7 ends while it prints a FILE_CHECK. */
const printable = keepalivedFiles.filter((name) => !readKeepalivedFile(name).text.includes('FILE_CHECK'))

test.each(printable)('keepalived and we read the same checks of %s', async (name) => {
  const { text, parsed } = readKeepalivedFile(name)
  await compare(text, parsed, name)
})

test(`keepalived and we read the same checks of ${files} generated files from seed ${firstSeed} on`, { timeout: 3_600_000 }, async () => {
  let compared = 0
  for (let seed = firstSeed; seed < firstSeed + files; seed++) {
    const text = randomChecks(new Random(seed))
    compared += await compare(text, parseKeepalived(text, { id: 'lab' }), `seed ${seed}`)
  }
  expect(compared).toBeGreaterThan(files)
})
