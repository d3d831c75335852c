import { examineDirector, examineRealServer, type Broken, type Finding, type Report } from '../host/index.js'
import { Ipvs } from '../ipvs.js'
import { isArgumentError } from '../model/errors.js'
import { endpointWords, serviceWords } from '../model/keys.js'
import { readOptions, UsageError, withOptions, type NewOptions } from './new-options.js'
import { newStatus } from './new-status.js'
import { complain, json, print } from './output.js'
import { netnsWords } from './refusals.js'

const OPTIONS = {
  on: { argument: 'text' },
  vip: { argument: 'texts' },
  netns: { argument: 'text' },
  json: { argument: 'none' },
} as const satisfies NewOptions

const help = `Usage: ipvs doctor [--on director|real-server] [--vip ADDRESS…] [--netns NAME] [--json]
Says what a machine lacks for load balancing, whom that breaks, what the client sees, and what mends it. Changes nothing. Takes some seconds.

  --on director      looks at the table, this machine and the traffic (the default)
  --on real-server   looks at a machine that serves, which needs no IPVS
  --vip ADDRESS…     looks at these virtual addresses only. A real server looks at whatever looks like one, unless it is told
  --netns NAME       in a network namespace: its name or its path
  --json             as JSON
  -h, --help         this text

Exit status: 0 nothing is missing, 1 something is, 4 there are only warnings, 2 the command line is wrong, 3 no IPVS or no permission.
`

/** `ipvs doctor`: what is missing on this machine. Returns the exit status. */
export const doctor = (args: readonly string[]): Promise<number> => withOptions('doctor', args, help, async (words) => {
  const given = readOptions(words, OPTIONS)
  let report: Report
  try {
    report = await examine(given)
  } catch (error) {
    if (error instanceof UsageError || !('code' in (error as object))) throw error
    complain(`ipvs doctor: ${(error as Error).message}`)
    return newStatus.unreachable
  }
  print(given.json ? json(report) : report.findings.map(wordsOf).join('\n') + endOf(report))
  if (report.findings.some(({ severity }) => severity === 'fault')) return newStatus.no
  return report.findings.length > 0 ? newStatus.warnings : newStatus.done
})

async function examine({ on = 'director', vip, netns }: ReturnType<typeof readOptions<typeof OPTIONS>>): Promise<Report> {
  if (on !== 'director' && on !== 'real-server') throw new UsageError(`--on '${on}'; expected director or real-server`)
  const place = netns === undefined ? {} : { netns }
  const options = vip === undefined ? {} : { vips: vip }
  try {
    if (on === 'real-server') return await examineRealServer({ ...place, ...options })
    await using ipvs = await Ipvs.open(place)
    return await examineDirector(ipvs, options)
  } catch (error) {
    if (!isArgumentError(error)) throw error
    if (error.field === 'netns') throw new UsageError(netnsWords(netns))
    throw new UsageError(`--vip '${vip?.[Number(/\d+/.exec(error.field)?.[0])]}'; expected an IPv4 or IPv6 address`)
  }
}

/** So many places are named before the others are counted. */
const MOST_NAMED = 5

/** What a finding breaks, in words. */
export function brokenWords({ service, destination, address }: Broken): string {
  const words = service === undefined ? address ?? '' : serviceWords(service)
  return destination === undefined ? words : `${words} → ${endpointWords(destination)}`
}

const line = (title: string, text: string): string => `  ${title.padEnd(8)}${text}\n`

function wordsOf({ severity, certainty, missing, breaks, client, mend, causes, row }: Finding): string {
  const more = breaks.length - MOST_NAMED
  return [
    `${severity}, ${certainty}: ${missing} [${row}]\n`,
    ...breaks.slice(0, MOST_NAMED).map((broken, index) => line(index === 0 ? 'breaks' : '', brokenWords(broken))),
    ...more > 0 ? [line('', `and ${more} more`)] : [],
    line('client', client),
    ...mend.map((command, index) => line(index === 0 ? 'mend' : '', command)),
    ...causes.flatMap(({ cause, mend: commands }, index) => [
      line(index === 0 ? 'causes' : '', `${index + 1}. ${cause}`), ...commands.map((command) => line('', `   ${command}`)),
    ]),
  ].join('')
}

const endOf = ({ findings, notLooked }: Report): string => [
  ...findings.length === 0 ? ['Nothing is missing, as far as can be seen from here.\n'] : [],
  ...notLooked.map(({ what, why }) => `not looked: ${what} (${why})\n`),
].join('')

export { help as doctorHelp }
