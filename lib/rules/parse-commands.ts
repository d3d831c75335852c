import { RulesError, firstOf } from './error.js'
import type { CommandName } from './language.js'
import { beyondDialect, plainDialect, readCommand, type ReadCommand } from './read-command.js'
import type { NamedRuleOperation, NameReference, ReadOptions, RuleOperation } from './types.js'
import { ruleLines } from './words.js'

/** Takes what is read from rules, line by line. */
export interface RuleReader {
  /** Takes an operation, and the names in it if there are any. */
  operation(operation: NamedRuleOperation, names: NameReference[] | undefined): void
  /** Takes the mistake in a line that could not be read. */
  error(error: RulesError): void
}

/** Reads each line by itself, whatever mistakes the others have. */
export function readEachLine(text: string, reader: RuleReader): void {
  for (const { line, words, beyond } of ruleLines(text)) {
    const { column } = words[0]
    let read: ReadCommand
    try {
      read = readCommand(words, line, beyond ? beyondDialect : plainDialect)
      if (!read.operation) throw changesNothing(read.name, line, column)
    } catch (error) {
      if (!(error instanceof RulesError)) throw error
      reader.error(error)
      continue
    }
    reader.operation(Object.assign(read.operation, { line, column }), read.names)
  }
}

/** The result of reading rules. */
export interface ReadRules {
  operations: NamedRuleOperation[]
  /** Names in the operations, in the order of the text. */
  names: NameReference[]
  /** The mistakes in lines that could not be read. */
  errors: RulesError[]
}

/** Reads all lines, whatever mistakes they have. */
export function readLines(text: string): ReadRules {
  const rules: ReadRules = { operations: [], names: [], errors: [] }
  readEachLine(text, {
    operation(operation, names) {
      rules.operations.push(operation)
      if (names) rules.names.push(...names)
    },
    error(error) { rules.errors.push(error) },
  })
  return rules
}

/** The error of a command among rules that changes nothing. Of these `ipvsadm -R` itself refuses only another `-R`. */
const changesNothing = (name: CommandName, line: number, column: number): RulesError =>
  new RulesError(`command '${name}' among rules`, 'commands that change the table', line, column, name === 'restore' ? 255 : 2)

/**
 * Reads commands in ipvsadm's language, one a line, as `ipvsadm -R` does, with or without the word `ipvsadm` before them. As for
 * ipvsadm-restore, lines that begin with `#` are comments. Lines that begin with `#ipvs:` are rules that ipvsadm has no words for (see
 * `formatRules`). A byte-order mark is skipped.
 *
 * Defaults and ranges are those of ipvsadm 1.31: scheduler wlc, weight 1, direct routing, 360 seconds of persistence. With direct routing
 * and tunnels a destination takes the service's port, whatever port was given.
 *
 * @returns One operation for each line, with its line and column.
 * @throws RulesError for the first mistake. Its `errors` has the mistakes of all lines.
 *
 * @example
 * ```js
 * import { Ipvs } from 'ipvs'
 * import { parseCommands } from 'ipvs/rules'
 *
 * const ipvs = await Ipvs.open()
 * await ipvs.batch(parseCommands('-A -t 192.0.2.1:80 -s rr\n-a -t 192.0.2.1:80 -r 10.0.0.2:80 -m\n', { names: 'refuse' }))
 * await ipvs.close()
 * ```
 */
export function parseCommands(text: string, options: ReadOptions & { names: 'refuse' }): RuleOperation[]
export function parseCommands(text: string, options?: ReadOptions): NamedRuleOperation[]
export function parseCommands(text: string, { names = 'keep' }: ReadOptions = {}): NamedRuleOperation[] {
  const rules = readLines(text)
  const errors = names === 'refuse' ? [...rules.errors, ...rules.names.map(nameError)] : rules.errors
  if (errors.length > 0) throw firstOf(errors.sort((a, b) => a.line - b.line))
  return rules.operations
}

/** The error of a name where names are refused. */
export function nameError({ kind, name, line, column }: NameReference): RulesError {
  return new RulesError(`'${name}' is the name of a ${kind}`, 'a number, or resolveNames before', line, column)
}

