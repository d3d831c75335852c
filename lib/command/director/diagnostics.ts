import type { Diagnostic } from '../../keepalived/index.js'
import { formatDiagnostic } from '../../keepalived/index.js'
import type { Log } from './log.js'

/** A diagnostic in one line. One that gives no advice ends with what is wrong. */
export const diagnosticLine = (diagnostic: Diagnostic): string =>
  diagnostic.advice === '' ? formatDiagnostic(diagnostic).replace(/\. $/, '') : formatDiagnostic(diagnostic)

const LEVELS = { error: 'error', warning: 'warning', note: 'info' } as const

/** Writes what was found in a file into a log. */
export function logDiagnostics(diagnostics: readonly Diagnostic[], log: Log): void {
  for (const diagnostic of diagnostics) {
    const { severity, message, ...place } = diagnostic
    log({ level: LEVELS[severity], event: 'diagnostic', message: diagnosticLine(diagnostic), ...place, severity, problem: message })
  }
}
