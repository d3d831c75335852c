import type { Place } from './line.js'
import type { Diagnostic } from './types.js'

/** Collects the diagnostics of all files. */
export class Diagnostics {
  readonly all: Diagnostic[] = []
  refused = false
  readonly #told = new Set<string>()

  /** Adds each diagnostic only once, because a line that a sequence repeats has the same mistake in every round. */
  private add(severity: Diagnostic['severity'], { file, line, column }: Place, message: string, advice: string): void {
    const id = `${file}\0${line}\0${column}\0${message}`
    if (this.#told.has(id)) return
    this.#told.add(id)
    this.all.push({ file, line, column, severity, message, advice })
  }

  /** All diagnostics, sorted by file (in the order of the first diagnostics), line and column. */
  sorted(): Diagnostic[] {
    const files = new Map<string, number>()
    for (const { file } of this.all) if (!files.has(file)) files.set(file, files.size)
    return this.all.sort((a, b) => files.get(a.file)! - files.get(b.file)! || a.line - b.line || a.column - b.column)
  }

  /** Adds an error, which refuses the file. */
  error(place: Place, message: string, advice: string): void {
    this.refused = true
    this.add('error', place, message, advice)
  }

  warning(place: Place, message: string, advice: string): void {
    this.add('warning', place, message, advice)
  }

  note(place: Place, message: string, advice: string): void {
    this.add('note', place, message, advice)
  }
}

/**
 * A diagnostic in one line, as compilers write them: 'keepalived.conf:7:3: warning: … Write …'.
 *
 * @example
 * ```js
 * import { formatDiagnostic, parseKeepalived } from 'ipvs/keepalived'
 *
 * const { diagnostics } = parseKeepalived('virtual_server 192.0.2.1 80 {\n  delay_lop 3\n}\n')
 * for (const diagnostic of diagnostics) console.error(formatDiagnostic(diagnostic))
 * ```
 */
export const formatDiagnostic = ({ file, line, column, severity, message, advice }: Diagnostic): string => `${file}:${line}:${column}: ${severity}: ${message}. ${advice}`
