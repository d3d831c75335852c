import type { BatchBuilder } from '../client/methods.js'
import type { IpvsSync } from '../ipvs-sync.js'
import { RulesError, firstOf } from '../rules/error.js'
import { formatCommands } from '../rules/format-commands.js'
import { optionSpellings } from '../rules/language.js'
import { UnknownOptionError } from '../rules/options.js'
import { parseCommands, readEachLine, readLines } from '../rules/parse-commands.js'
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
  const text = await readStandardInput()
  if (text === undefined) return nothingChanged(status.refused)
  return withHandle(own, async (ipvs) => {
    try {
      if (own.replace) return await (await import('./replace.js')).replace(await readOperations(text), own)
      const refused = own.dryRun ? rehearse(ipvs, await readOperations(text)) : await carryOut(ipvs, text)
      return refused ? status.refused : status.done
    } catch (error) {
      if (!(error instanceof RulesError)) throw error
      for (const one of error.errors) complain(`ipvs: ${one.message}${await suggestion(one)}`)
      return nothingChanged(error.exitStatus)
    }
  })
}

/**
 * The operations of a text, with numbers for names.
 *
 * @throws RulesError with every line that cannot be read
 */
async function readOperations(text: string): Promise<RuleOperation[]> {
  const { operations, names, errors } = readLines(text)
  if (errors.length > 0) throw firstOf(errors)
  return names.length > 0 ? parseCommands(await resolveNames(text), { names: 'refuse' }) : (operations as RuleOperation[])
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

/** Carries rules out, with numbers for names. Returns whether any was refused. */
async function carryOut(ipvs: IpvsSync, text: string): Promise<boolean> {
  const refusals = sendLines(ipvs, text) ?? sendLines(ipvs, await resolveNames(text))!
  for (const { line, words } of refusals.sort((a, b) => a.line - b.line)) complain(`ipvs: line ${line}: ${words}`)
  return refusals.length > 0
}

/** A line that was not carried out, and why. */
interface RefusedLine {
  line: number
  words: string
}

/**
 * Sends rules in one batch, and returns what was refused. Each rule is packed when it is read, in a tenth of the memory that the operation
 * takes as an object.
 *
 * @returns `undefined` if the rules have names; nothing was sent then
 * @throws RulesError with every line that cannot be read; nothing was sent then
 */
function sendLines(ipvs: IpvsSync, text: string): RefusedLine[] | undefined {
  const refusals: RefusedLine[] = []
  const errors: RulesError[] = []
  let hasNames = false
  /** Lines of the operations, by their number in the batch. */
  const lines: number[] = []
  const pack = (batch: BatchBuilder): void => {
    readEachLine(text, {
      operation(operation, names) {
        hasNames ||= names !== undefined
        if (hasNames || errors.length > 0) return
        try {
          batch.run(operation as RuleOperation)
          lines.push(operation.line)
        } catch (error) {
          // The package refuses some operations before it sends any (a lower threshold above the upper one). Goes on without this one.
          const { index, message } = error as Error & { index?: number }
          if (index === undefined) throw error
          refusals.push({ line: operation.line, words: inOptions(message.replace(/^operation \d+ of the batch: /, '')) })
        }
      },
      error: (error) => errors.push(error),
    })
    if (errors.length > 0) throw firstOf(errors)
    if (hasNames) throw new NamesFirst()
  }
  try {
    const { refused, unknown, notSent, cause } = ipvs.batch(pack, { refusals: 'return' })
    for (const { index, error } of [...refused, ...unknown]) refusals.push({ line: lines[index], words: refusal(error) })
    const why = cause === undefined ? 'not sent' : refusal(cause)
    for (const line of lines.slice(lines.length - notSent)) refusals.push({ line, words: why })
    return refusals
  } catch (error) {
    if (error instanceof NamesFirst) return undefined
    throw error
  }
}

/** Ends a batch whose rules have names, which have to be looked up before. */
class NamesFirst extends Error {}

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
