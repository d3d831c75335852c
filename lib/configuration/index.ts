/**
 * A director's configuration as plain data: its types, validation and defaults.
 */
export { completeCheck, completeConfiguration } from './complete.js'
export type { CompleteCheck, CompleteConfiguration, CompleteDestination, CompleteProgram, CompleteService } from './complete.js'
export { ConfigurationError } from './error.js'
export { programsOf, type NamedProgram } from './programs.js'
export { configurationSchema } from './schema.js'
export { defaults } from './table.js'
export { tlsFilesId, tlsFilesOf, tlsFilesOfCheck, type NamedTlsFiles, type TlsFiles } from './tls-files.js'
export type * from './types.js'
export { checkConfiguration, checkOfTarget, configurationMistakes, shapeMistakes } from './validate.js'
