import type { Director } from '../../director/index.js'
import { examineServices } from '../../host/examine.js'
import type { Finding, Report } from '../../host/index.js'
import type { Ipvs } from '../../ipvs.js'
import { brokenWords } from '../doctor.js'
import type { Log } from './log.js'

/** Services that are looked at, at most: a table can have thousands, and most of what is missing on a machine shows by any of them. */
const MOST = 64

/** Whom the doctor looks at, and whom it tells. */
export interface ExaminationOptions {
  director: Director
  ipvs: Ipvs
  /** Whether an address moves between directors, so that it may be at another one. */
  moves: (address: string) => boolean
  log: Log
  /** Ends the examination. */
  signal: AbortSignal
}

/** What the director tells by events of its own: that a service has nobody left, and whether it holds the addresses that move. */
const isToldAnyway = ({ row, breaks }: Finding, moves: (address: string) => boolean): boolean => row === 'no-destination'
  || row === 'vip-not-here' && breaks.every(({ service }) => service !== undefined && 'address' in service && moves(service.address))

function findingWords({ row, certainty, missing, breaks, client, mend, causes }: Finding): string {
  const more = breaks.length > 1 ? ` and ${breaks.length - 1} more` : ''
  const cure = mend.length > 0 ? `mend: ${mend[0]}` : `the most likely cause: ${causes[0].cause}`
  return [
    `the doctor finds${certainty === 'likely' ? ', likely' : ''}: ${missing} [${row}]`,
    ...breaks.length > 0 ? [`it breaks ${brokenWords(breaks[0])}${more}`] : [],
    `the client sees ${client}`,
    cure,
  ].join('; ')
}

/** Has the doctor look at the machine of a director once, and tells what is missing there. Never rejects. */
export async function tellWhatIsMissing({ director, ipvs, moves, log, signal }: ExaminationOptions): Promise<void> {
  const { services } = director.status()
  if (services.length === 0) return
  let report: Report
  try {
    report = await examineServices(ipvs, services.slice(0, MOST).map(({ service }) => service), signal)
  } catch (error) {
    if (!signal.aborted) {
      log({ level: 'warning', event: 'examination', message: `this machine could not be examined: ${(error as Error).message}` })
    }
    return
  }
  const findings = report.findings.filter((finding) => !isToldAnyway(finding, moves))
  for (const finding of findings) {
    log({ level: finding.severity === 'fault' ? 'error' : 'warning', event: 'finding', message: findingWords(finding), ...finding })
  }
  const whom = services.length > MOST ? `${MOST} of ${services.length} services and this machine` : 'this machine'
  const missing = findings.length === 0 ? 'nothing is missing' : `${findings.length} thing${findings.length === 1 ? ' is' : 's are'} missing, \`ipvs doctor\` says more`
  const [unseen, ...others] = report.notLooked
  const notLooked = unseen === undefined ? '' : `; not looked: ${unseen.what}${others.length === 0 ? '' : ` and ${others.length} more`} (${unseen.why})`
  log({
    level: 'info', event: 'examined', message: `the doctor has looked at ${whom}: ${missing}${notLooked}`,
    findings: findings.length, notLooked: report.notLooked,
  })
}
