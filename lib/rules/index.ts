/**
 * Reads and writes ipvsadm's language: commands and saved rules become operations and tables, and the other way round. The functions are
 * pure and do not load the native part, so they work on any machine. Only `resolveNames` uses the system (host names, `/etc/services`).
 *
 * @module ipvs/rules
 */
export { RulesError } from './error.js'
export { formatCommands } from './format-commands.js'
export { formatRules, type FormatOptions } from './format-rules.js'
export type { Names } from './names.js'
export { parseCommands } from './parse-commands.js'
export { parseRules } from './parse-rules.js'
export { resolveNames } from './resolve-names.js'
export type { Named, NamedRuleOperation, NamedTable, Position, ReadOptions, RuleOperation } from './types.js'
