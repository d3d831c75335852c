import type { IpvsSync } from '../ipvs-sync.js'
import { RulesError, firstOf } from '../rules/error.js'
import { formatCommands } from '../rules/format-commands.js'
import { parseCommands, readLines } from '../rules/parse-commands.js'
import { resolveNames } from '../rules/resolve-names.js'
import { TableModel } from '../rules/table-model.js'
import type { RuleOperation } from '../rules/types.js'
import { status, withHandle } from './handle.js'
import { complain, print } from './output.js'
import type { OwnOptions } from './own-options.js'
import { refusal } from './refusals.js'

/**
 * `ipvs -R`: carries out the commands on the standard input in one batch. What cannot be read keeps all of it from being carried out;
 * what the kernel refuses keeps nothing else. With `--replace` the table becomes what the commands make of an empty one.
 */
export async function restore(own: OwnOptions): Promise<number> {
  const operations = await readOperations()
  if (!operations) return status.misused
  return withHandle(own, async (ipvs) => {
    if (own.replace) return (await import('./replace.js')).replace(ipvs, operations, own)
    const refused = own.dryRun ? rehearse(ipvs, operations) : carryOut(ipvs, operations)
    return refused ? status.refused : status.done
  })
}

/** The operations on the standard input; every line that is none is complained of. */
async function readOperations(): Promise<RuleOperation[] | undefined> {
  const text = await readStandardInput()
  const { operations, names, errors } = readLines(text)
  try {
    if (errors.length > 0) throw firstOf(errors)
    return names.length > 0 ? parseCommands(await resolveNames(text), { names: 'refuse' }) : (operations as RuleOperation[])
  } catch (error) {
    if (!(error instanceof RulesError)) throw error
    for (const { message } of error.errors) complain(`ipvs: ${message}`)
    complain('ipvs: nothing was changed')
    return undefined
  }
}

async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

/** Carries the operations out. Returns whether any was refused. */
function carryOut(ipvs: IpvsSync, operations: RuleOperation[]): boolean {
  const sendable = [...operations]
  const refusals: { line: number, words: string }[] = []
  for (;;) {
    try {
      const { refused, unknown, notSent, cause } = ipvs.batch(sendable, { refusals: 'return' })
      for (const { operation, error } of [...refused, ...unknown]) refusals.push({ line: (operation as RuleOperation).line, words: refusal(error) })
      for (const { line } of sendable.slice(sendable.length - notSent)) refusals.push({ line, words: cause === undefined ? 'not sent' : refusal(cause) })
      break
    } catch (error) {
      // The library itself refuses what the kernel would (a lower threshold above the upper one), before anything is sent: without it, then.
      const { index, message } = error as Error & { index?: number }
      if (index === undefined) throw error
      const [{ line }] = sendable.splice(index, 1)
      refusals.push({ line, words: message.replace(/^operation \d+ of the batch: /, '') })
    }
  }
  for (const { line, words } of refusals.sort((a, b) => a.line - b.line)) complain(`ipvs: line ${line}: ${words}`)
  return refusals.length > 0
}

/** Says what would be done, and what would be refused. Returns whether anything would. */
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
