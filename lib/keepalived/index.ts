/**
 * keepalived's language: a keepalived.conf read into a director's configuration. Pure functions, without the native part: they work on any
 * machine.
 *
 * @module ipvs/keepalived
 */
export { formatDiagnostic } from './diagnostics.js'
export { parseKeepalived } from './parse.js'
export type {
  Diagnostic,
  IncludedFile,
  PlacedProgram,
  Parsed,
  ParseOptions,
  SyncDaemon,
  Vrrp,
  VrrpAddress,
  VrrpGroup,
  VrrpInstance,
  VrrpProgram,
} from './types.js'
export type * from '../configuration/types.js'
