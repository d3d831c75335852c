/**
 * A director's configuration as plain data: its types, validation and defaults.
 */
export { completeCheck, completeConfiguration } from './complete.js'
export type { CompleteCheck, CompleteConfiguration, CompleteDestination, CompleteProgram, CompleteService } from './complete.js'
export { ConfigurationError } from './error.js'
export { programsOf, type NamedProgram } from './programs.js'
export { configurationSchema } from './schema.js'
export { defaults } from './table.js'
export type {
  Check, CheckCommon, CheckTarget, DestinationDirections, DirectedDestination, DirectedService, DirectorConfiguration, DnsCheck, Fallback,
  FileCheck, HttpCheck, PingCheck, Program, ScriptCheck, ServiceDirections, SmtpCheck, TcpCheck, TlsCheck, TlsOptions, UdpCheck, Url,
  WhenDown,
} from './types.js'
export { checkConfiguration, checkOfTarget, configurationMistakes, shapeMistakes } from './validate.js'
