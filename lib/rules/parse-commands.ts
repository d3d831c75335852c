import { RulesError, firstOf } from './error.js'
import { beyondDialect, plainDialect, readCommand, type NameReference } from './read-command.js'
import type { NamedRuleOperation, ReadOptions, RuleOperation } from './types.js'
import { ruleLines } from './words.js'

/** A line of rules, read. */
export interface ReadLine {
  operation: NamedRuleOperation
  names: NameReference[]
}

/**
 * Reads each line by itself.
 *
 * @returns The lines, and the mistakes of those that could not be read.
 */
export function readLines(text: string): { lines: ReadLine[], errors: RulesError[] } {
  const lines: ReadLine[] = []
  const errors: RulesError[] = []
  for (const { line, words, beyond } of ruleLines(text)) {
    const { column } = words[0]
    try {
      const { name, operation, names } = readCommand(words, line, beyond ? beyondDialect : plainDialect)
      if (operation) lines.push({ operation: { ...operation, line, column }, names })
      else throw new RulesError(`command '${name}' among rules`, 'commands that change the table', line, column)
    } catch (error) {
      if (!(error instanceof RulesError)) throw error
      errors.push(error)
    }
  }
  return { lines, errors }
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
  const { lines, errors } = readLines(text)
  if (names === 'refuse') errors.push(...lines.flatMap((line) => line.names.map(nameError)))
  if (errors.length > 0) throw firstOf(errors.sort((a, b) => a.line - b.line))
  return lines.map(({ operation }) => operation)
}

/** The mistake that a name is where only numbers are wanted. */
export function nameError({ kind, name, line, column }: NameReference): RulesError {
  return new RulesError(`'${name}' is the name of a ${kind}`, 'a number, or resolveNames before', line, column)
}

