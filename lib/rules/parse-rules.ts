import type { Table } from '../model/types.js'
import { RulesError, firstOf } from './error.js'
import { parseCommands } from './parse-commands.js'
import { TableModel } from './table-model.js'
import type { NamedTable, ReadOptions } from './types.js'

/**
 * Reads rules in ipvsadm's language and carries them out on an empty table, in memory. The result has timeouts and sync daemons if the
 * rules mention them. What the rules leave open has the kernel's defaults.
 *
 * @returns The table that the kernel would have. Services and destinations are in the order in which they were added.
 * @throws RulesError for a line that cannot be read, or that the kernel would refuse after the lines before it (a service added
 * twice, a destination of a service that does not exist). Its `errors` has all of them.
 *
 * @example
 * ```js
 * import { parseRules, RulesError } from 'ipvs/rules'
 *
 * try {
 *   const { services } = parseRules('-A -t 192.0.2.1:80 -s rr\n-A -t 192.0.2.1:80\n', { names: 'refuse' })
 *   console.log(services)
 * } catch (error) {
 *   if (!(error instanceof RulesError)) throw error
 *   for (const { line, message } of error.errors) console.error(line, message)      // the second line adds what is there
 * }
 * ```
 */
export function parseRules(text: string, options: ReadOptions & { names: 'refuse' }): Table
export function parseRules(text: string, options?: ReadOptions): NamedTable
export function parseRules(text: string, options?: ReadOptions): NamedTable {
  const model = new TableModel()
  const errors: RulesError[] = []
  for (const operation of parseCommands(text, options)) {
    try {
      model.carryOut(operation)
    } catch (error) {
      if (!(error instanceof RulesError)) throw error
      errors.push(error)
    }
  }
  if (errors.length > 0) throw firstOf(errors)
  return model.table()
}
