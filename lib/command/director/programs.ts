import { realpathSync } from 'node:fs'
import { sep } from 'node:path'
import type { Check, DirectorConfiguration, Program } from '../../configuration/index.js'
import type { Diagnostic } from '../../keepalived/index.js'

/** A program that a configuration names, and where. */
interface NamedProgram {
  place: string
  path: string
}

function* checked(checks: readonly Check[] | undefined, place: string): Generator<NamedProgram> {
  for (const [index, check] of (checks ?? []).entries()) if (check.type === 'script') yield { place: `${place}.checks[${index}].command`, path: check.command[0] }
}

function* notified(programs: Readonly<Record<string, Program | undefined>>, place: string): Generator<NamedProgram> {
  for (const [name, program] of Object.entries(programs)) if (program !== undefined) yield { place: `${place}.${name}.command`, path: program.command[0] }
}

/** Every program of a configuration. */
function* programsOf({ services }: DirectorConfiguration): Generator<NamedProgram> {
  for (const [index, { checks, destinations, onQuorumReached, onQuorumLost }] of services.entries()) {
    const place = `services[${index}]`
    yield* checked(checks, place)
    yield* notified({ onQuorumReached, onQuorumLost }, place)
    for (const [number, { checks: own, onUp, onDown }] of (destinations ?? []).entries()) {
      yield* checked(own, `${place}.destinations[${number}]`)
      yield* notified({ onUp, onDown }, `${place}.destinations[${number}]`)
    }
  }
}

function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

/** Programs that are not in the folder that they have to be in, wherever symbolic links lead. */
export function programsOutside(configuration: DirectorConfiguration, folder: string, file: string): Diagnostic[] {
  const inside = `${real(folder).replace(/\/+$/, '')}${sep}`
  const told = new Set<string>()
  return [...programsOf(configuration)].flatMap(({ place, path }): Diagnostic[] => {
    if (told.has(path) || real(path).startsWith(inside)) return []
    told.add(path)
    return [{ file, line: 1, column: 1, severity: 'error', message: `${place}: ${path} is not in ${folder}, where --scripts says that programs are`, advice: `Put it there, or take it out of the configuration` }]
  })
}
