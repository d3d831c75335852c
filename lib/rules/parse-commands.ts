import { RulesError, firstOf } from './error.js'
import { beyondDialect, plainDialect, readCommand } from './read-command.js'
import type { NamedRuleOperation, NameReference, ReadOptions, RuleOperation } from './types.js'
import { ruleLines } from './words.js'

/** Rules, read. */
export interface ReadRules {
  operations: NamedRuleOperation[]
  /** Names in the operations, in the order of the text. */
  names: NameReference[]
  /** The mistakes of the lines that could not be read. */
  errors: RulesError[]
}

/** Reads each line by itself. */
export function readLines(text: string): ReadRules {
  const rules: ReadRules = { operations: [], names: [], errors: [] }
  for (const { line, words, beyond } of ruleLines(text)) {
    const { column } = words[0]
    try {
      const { name, operation, names } = readCommand(words, line, beyond ? beyondDialect : plainDialect)
      if (!operation) throw new RulesError(`command '${name}' among rules`, 'commands that change the table', line, column)
      rules.operations.push(Object.assign(operation, { line, column }))
      if (names) rules.names.push(...names)
    } catch (error) {
      if (!(error instanceof RulesError)) throw error
      rules.errors.push(error)
    }
  }
  return rules
}

/**
 * Reads commands in ipvsadm's language, one a line, as `ipvsadm -R` does, with or without the word `ipvsadm` before them. Lines that
 * begin with `#` are comments, as they are to ipvsadm-restore, unless they begin with `#ipvs:`: those are rules that ipvsadm has no
 * words for (see `formatRules`).
 *
 * Defaults are those of ipvsadm 1.31 (scheduler wlc, weight 1, direct routing, 360 seconds of persistence), and so are the ranges.
 * Like it, direct routing and tunnels take the service's port whatever was given.
 *
 * @returns One operation for each line, with the line and the column where it stands.
 * @throws RulesError for the first mistake; its `errors` has those of all lines.
 */
export function parseCommands(text: string, options: ReadOptions & { names: 'refuse' }): RuleOperation[]
export function parseCommands(text: string, options?: ReadOptions): NamedRuleOperation[]
export function parseCommands(text: string, { names = 'keep' }: ReadOptions = {}): NamedRuleOperation[] {
  const rules = readLines(text)
  const errors = names === 'refuse' ? [...rules.errors, ...rules.names.map(nameError)] : rules.errors
  if (errors.length > 0) throw firstOf(errors.sort((a, b) => a.line - b.line))
  return rules.operations
}

/** The mistake that a name is where only numbers are wanted. */
export function nameError({ kind, name, line, column }: NameReference): RulesError {
  return new RulesError(`'${name}' is the name of a ${kind}`, 'a number, or resolveNames before', line, column)
}

