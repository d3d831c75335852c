/**
 * keepalived's language: turns a keepalived.conf into a director's configuration. These are pure functions that do not need the native
 * part, so they work on any machine.
 *
 * @module ipvs/keepalived
 */
export { formatDiagnostic } from './diagnostics.js'
export { parseKeepalived } from './parse.js'
export type {
  Diagnostic,
  IncludedFile,
  PlacedProgram,
  PlacedTlsFile,
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
