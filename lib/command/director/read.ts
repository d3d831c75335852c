import { programsOf } from '../../configuration/index.js'
import type { NamedProgram } from '../../configuration/index.js'
import { keepalivedUser } from '../../director/index.js'
import type { CompleteReading } from '../../sources/abridged.js'
import type { FileSource, Reading } from '../../sources/reading.js'
import { ConfigurationReader, readInThread } from '../../sources/thread.js'
import { programDiagnostics } from './programs.js'

/** What is read, and the folder that programs have to be in. */
interface Asked {
  source: FileSource
  scripts?: string
}

/** Refuses a configuration with programs that this machine or the command line forbids. */
function judged<Some extends Reading | CompleteReading>(reading: Some, named: readonly NamedProgram[], { scripts }: Asked): Some {
  if (reading.configuration === undefined) return reading
  const found = programDiagnostics(named, scripts, reading)
  return found.length === 0 ? reading : { ...reading, configuration: undefined, diagnostics: [...reading.diagnostics, ...found] }
}

/** Reads the configuration, off the main thread. What this machine or the command line forbids is refused too. */
export async function readConfiguration(command: Asked): Promise<Reading> {
  const reading = await readInThread({ ...command.source, scriptUser: keepalivedUser(), isForHere: true })
  return judged(reading, reading.configuration === undefined ? [] : [...programsOf(reading.configuration)], command)
}

/** The same again and again, for a director. What is as before is the same object. */
export function configurationReader(command: Asked): () => Promise<CompleteReading> {
  const reader = new ConfigurationReader({ ...command.source, scriptUser: keepalivedUser(), isForHere: true })
  return async () => {
    const reading = await reader.read()
    return judged(reading, reading.named, command)
  }
}

/** How much there is in a configuration: '2 services, 4 destinations'. */
export const sizeWords = ({ services }: { services: readonly { destinations?: readonly unknown[] }[] }): string =>
  countWords(services.length, services.reduce((sum, { destinations }) => sum + (destinations?.length ?? 0), 0))

/** The same of numbers. */
export function countWords(services: number, destinations: number): string {
  const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`
  return `${count(services, 'service')}, ${count(destinations, 'destination')}`
}
