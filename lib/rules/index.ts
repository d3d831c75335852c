/**
 * ipvsadm's language, both ways: commands and saved rules read into operations and tables, tables written as rules. Pure functions,
 * without the native part: they work on any machine. Only `resolveNames` looks at the system (host names, `/etc/services`).
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
