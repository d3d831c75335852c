import { createHash } from 'node:crypto'
import { completeConfiguration, programsOf } from '../configuration/index.js'
import type { CompleteConfiguration, CompleteService, NamedProgram } from '../configuration/index.js'
import type { Reading } from './reading.js'

/** What a file says, with the defaults filled in. */
export interface CompleteReading extends Omit<Reading, 'configuration'> {
  /** `undefined` where a diagnostic is an error. */
  configuration: CompleteConfiguration | undefined
  /** The programs that it names. */
  named: NamedProgram[]
}

/** A complete reading without the services that its reader has already. */
export interface Abridged extends Omit<CompleteReading, 'configuration'> {
  configuration: (Omit<CompleteConfiguration, 'services'> & { services: { digest: string, service: CompleteService | undefined }[] }) | undefined
}

const digestOf = (service: CompleteService): string => createHash('sha256').update(JSON.stringify(service)).digest('base64')

/** @param known digests of the services that the reader has */
export function abridged({ configuration, ...reading }: Reading, known: ReadonlySet<string>): Abridged {
  if (configuration === undefined) return { ...reading, configuration, named: [] }
  const { services, ...rest } = completeConfiguration(configuration)
  const told = services.map((service) => {
    const digest = digestOf(service)
    return { digest, service: known.has(digest) ? undefined : service }
  })
  return { ...reading, configuration: { ...rest, services: told }, named: [...programsOf(configuration)] }
}
