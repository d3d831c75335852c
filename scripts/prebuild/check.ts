import { must } from '../setup/run.js'
import { exportedNames, libraryNames } from './names.js'

/** What readelf calls the processors. */
export const machines = { x64: 'Advanced Micro Devices X86-64', arm64: 'AArch64' } as const

/** An architecture that a prebuilt addon is shipped for. */
export type Architecture = keyof typeof machines
export const architectures = Object.keys(machines) as Architecture[]

/** A dynamic symbol, as readelf prints it. */
interface Name { name: string, undefined: boolean, weak: boolean }

/** Reads the lines of `readelf --dyn-syms`: number, value, size, type, binding, visibility, section, name. Sections are named there too. */
function namesOf(printed: string): Name[] {
  return [...printed.matchAll(/^ *\d+: +\S+ +\S+ +\S+ +(GLOBAL|WEAK) +\S+ +(\S+) +([^\s@]+)/gm)]
    .map(([, binding, section, name]) => ({ name, undefined: section === 'UND', weak: binding === 'WEAK' }))
}

/**
 * Reads an addon, and says what keeps it from being loaded by every Node on every C library. Nothing is said of an addon that is good.
 */
export async function problemsOf(file: string, architecture: Architecture): Promise<string[]> {
  const environment = { env: { LC_ALL: 'C' } }
  const [header, dynamic, symbols] = await Promise.all([
    must('readelf', ['--wide', '--file-header', file], environment),
    must('readelf', ['--wide', '--dynamic', file], environment),
    must('readelf', ['--wide', '--dyn-syms', file], environment),
  ])
  const problems: string[] = []
  const machine = /^\s*Machine:\s+(.*)$/m.exec(header)?.[1]
  if (machine !== machines[architecture]) problems.push(`it is for ${machine ?? 'no machine'}, not for ${machines[architecture]}`)
  for (const [, library] of dynamic.matchAll(/\(NEEDED\).*\[(.*)\]/g)) problems.push(`it needs ${library}`)
  if (/\(TEXTREL\)/.test(dynamic)) problems.push('its code is changed when it is loaded (TEXTREL)')
  if (!/\(FLAGS_1\).*\bNOW\b/.test(dynamic)) problems.push('its names are not looked up when it is loaded, but later (it lacks -z now)')
  const names = namesOf(symbols)
  for (const { name, undefined: isUndefined, weak } of names) {
    if (isUndefined && !weak && !name.startsWith('napi_') && !libraryNames.has(name)) {
      problems.push(`${name} is undefined, and is not one of the names of the C library in scripts/prebuild/names.ts`)
    }
  }
  const exported = names.filter(name => !name.undefined).map(({ name }) => name).sort()
  for (const name of exportedNames) if (!exported.includes(name)) problems.push(`it does not export ${name}`)
  for (const name of exported) if (!exportedNames.includes(name)) problems.push(`it exports ${name}, which Node does not look for`)
  return problems
}
