import type { Reading } from '../../sources/reading.js'
import { keepalivedUser } from '../../director/index.js'
import { readInThread } from '../../sources/thread.js'
import type { FileSource } from '../../sources/reading.js'
import { programDiagnostics } from './programs.js'

/** Reads the configuration, off the main thread. What this machine or the command line forbids is refused too. */
export async function readConfiguration({ source, scripts }: { source: FileSource, scripts?: string }): Promise<Reading> {
  const reading = await readInThread({ ...source, scriptUser: keepalivedUser() })
  const { configuration, diagnostics } = reading
  const found = configuration === undefined ? [] : programDiagnostics(configuration, scripts, reading)
  return found.length === 0 ? reading : { ...reading, configuration: undefined, diagnostics: [...diagnostics, ...found] }
}

/** How much there is in a configuration: '2 services, 4 destinations'. */
export function sizeWords({ services }: NonNullable<Reading['configuration']>): string {
  const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`
  return `${count(services.length, 'service')}, ${count(services.reduce((sum, { destinations }) => sum + (destinations?.length ?? 0), 0), 'destination')}`
}
