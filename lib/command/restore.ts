import type { IpvsSync } from '../ipvs-sync.js'
import { RulesError, firstOf } from '../rules/error.js'
import { formatCommands } from '../rules/format-commands.js'
import { optionSpellings } from '../rules/language.js'
import { UnknownOptionError } from '../rules/options.js'
import { parseCommands, readLines } from '../rules/parse-commands.js'
import { resolveNames } from '../rules/resolve-names.js'
import { TableModel } from '../rules/table-model.js'
import type { RuleOperation } from '../rules/types.js'
import { status, withHandle } from './handle.js'
import { complain, print, systemWords } from './output.js'
import type { OwnOptions } from './own-options.js'
import { inOptions, refusal } from './refusals.js'

/**
 * `ipvs -R`: carries out the commands on the standard input in one batch. Carries out none if a line cannot be read, and all others if the
 * kernel refuses one. With `--replace` the table becomes what the commands make of an empty one.
 */
export async function restore(own: OwnOptions): Promise<number> {
  const operations = await readOperations()
  if (typeof operations === 'number') return operations
  return withHandle(own, async (ipvs) => {
    if (own.replace) return (await import('./replace.js')).replace(operations, own)
    const refused = own.dryRun ? rehearse(ipvs, operations) : carryOut(ipvs, operations)
    return refused ? status.refused : status.done
  })
}

/** The operations on the standard input. Complains of every line that cannot be read and returns ipvsadm's exit status for the first. */
async function readOperations(): Promise<RuleOperation[] | typeof status.misused | typeof status.refused> {
  const text = await readStandardInput()
  if (text === undefined) return nothingChanged(status.refused)
  const { operations, names, errors } = readLines(text)
  try {
    if (errors.length > 0) throw firstOf(errors)
    return names.length > 0 ? parseCommands(await resolveNames(text), { names: 'refuse' }) : (operations as RuleOperation[])
  } catch (error) {
    if (!(error instanceof RulesError)) throw error
    for (const one of error.errors) complain(`ipvs: ${one.message}${await suggestion(one)}`)
    return nothingChanged(error.exitStatus)
  }
}

/** What may have been meant by an option that does not exist. */
async function suggestion(error: RulesError): Promise<string> {
  if (!(error instanceof UnknownOptionError)) return ''
  const { closestOf } = await import('./suggestions.js')
  const close = closestOf(error.spelling, [...new Set(optionSpellings.map(({ long }) => `--${long}`))])
  return close.length > 0 ? `. Did you mean ${close.join(' or ')}?` : ''
}

function nothingChanged<Status>(status: Status): Status {
  complain('ipvs: nothing was changed')
  return status
}

/** The text on the standard input; `undefined`, after complaining, if it cannot be read. */
async function readStandardInput(): Promise<string | undefined> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  } catch (error) {
    complain(`ipvs: the standard input could not be read: ${systemWords(error)}`)
    return undefined
  }
  const bytes = Buffer.concat(chunks)
  // The byte-order marks of UTF-16, which some editors call "Unicode".
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    complain('ipvs: the standard input is UTF-16 text; expected UTF-8')
    return undefined
  }
  return bytes.toString()
}

/** Carries the operations out. Returns whether any was refused. */
function carryOut(ipvs: IpvsSync, operations: RuleOperation[]): boolean {
  const sendable = [...operations]
  const refusals: { line: number, words: string }[] = []
  for (;;) {
    try {
      const { refused, unknown, notSent, cause } = ipvs.batch(sendable, { refusals: 'return' })
      for (const { operation, error } of [...refused, ...unknown]) {
        refusals.push({ line: (operation as RuleOperation).line, words: refusal(error) })
      }
      const why = cause === undefined ? 'not sent' : refusal(cause)
      for (const { line } of sendable.slice(sendable.length - notSent)) refusals.push({ line, words: why })
      break
    } catch (error) {
      // The package refuses some operations before it sends any (a lower threshold above the upper one). Goes on without this one.
      const { index, message } = error as Error & { index?: number }
      if (index === undefined) throw error
      const [{ line }] = sendable.splice(index, 1)
      refusals.push({ line, words: inOptions(message.replace(/^operation \d+ of the batch: /, '')) })
    }
  }
  for (const { line, words } of refusals.sort((a, b) => a.line - b.line)) complain(`ipvs: line ${line}: ${words}`)
  return refusals.length > 0
}

/** Prints what would be done, and complains of what would be refused. Returns whether anything would be refused. */
function rehearse(ipvs: IpvsSync, operations: RuleOperation[]): boolean {
  const model = new TableModel(ipvs.snapshot())
  const accepted = operations.filter((operation) => {
    try {
      model.carryOut(operation)
      return true
    } catch (error) {
      complain(`ipvs: ${(error as Error).message}`)
      return false
    }
  })
  print(formatCommands(accepted))
  return accepted.length < operations.length
}
