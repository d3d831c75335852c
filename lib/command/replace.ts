import { Ipvs } from '../ipvs.js'
import { destinationId, serviceId } from '../model/keys.js'
import { formatCommands } from '../rules/format-commands.js'
import { TableModel } from '../rules/table-model.js'
import type { RuleOperation } from '../rules/types.js'
import type { ApplyResult, DesiredTable } from '../state/types.js'
import type { DaemonInput, Operation, Table, Timeouts } from '../model/types.js'
import { status } from './handle.js'
import { complain, print } from './output.js'
import type { OwnOptions } from './own-options.js'
import { refusal } from './refusals.js'

/**
 * `ipvs -R --replace`: makes the table what the commands would make of an empty one. Adds and changes first and removes last, so that
 * traffic is served throughout. Leaves timeouts and sync daemons alone unless the commands mention them.
 */
export async function replace(operations: readonly RuleOperation[], { netns, dryRun = false }: OwnOptions): Promise<number> {
  const desired = desiredBy(operations)
  if (!desired) return status.refused
  const result = await applied(desired, dryRun, netns)
  for (const { message } of result.plan.warnings) complain(`ipvs: ${message}`)
  if (dryRun) {
    print(formatCommands(result.plan.operations))
    return status.done
  }
  const lines = linesOf(operations)
  const { refused, unknown, withheld, notSent } = result
  const tell = (operation: Operation, words: string): void => {
    const line = lines.get(subject(operation))
    complain(`ipvs: ${line === undefined ? formatCommands([operation]).trimEnd() : `line ${line}`}: ${words}`)
  }
  for (const { operation, error } of [...refused, ...unknown]) tell(operation, refusal(error))
  for (const operation of withheld) tell(operation, 'not sent')
  if (notSent > 0) complain(`ipvs: ${notSent} of ${result.plan.operations.length} changes were not sent`)
  return refused.length + unknown.length + withheld.length + notSent > 0 ? status.refused : status.done
}

async function applied(desired: DesiredTable, dryRun: boolean, netns: string | undefined): Promise<ApplyResult> {
  const ipvs = await Ipvs.open(netns === undefined ? {} : { netns })
  try {
    return await ipvs.apply(desired, { prune: 'all', dryRun })
  } finally {
    await ipvs.close()
  }
}

/** The table that the commands describe; `undefined`, after complaining, if they contradict one another. */
function desiredBy(operations: readonly RuleOperation[]): DesiredTable | undefined {
  const model = new TableModel()
  const timeouts: Partial<Timeouts> = {}
  const daemons = new Map<string, DaemonInput>()
  let contradictions = 0
  let speaksOfDaemons = false
  for (const operation of operations) {
    try {
      model.carryOut(operation)
    } catch (error) {
      complain(`ipvs: ${(error as Error).message}`)
      contradictions++
      continue
    }
    // Only what the commands set is desired: 0 leaves a timeout as it is.
    if (operation.type === 'setTimeouts') {
      for (const [name, value] of Object.entries(operation.timeouts)) if (value !== 0) timeouts[name as keyof Timeouts] = value
    }
    if (operation.type === 'startDaemon') daemons.set(operation.daemon.role, operation.daemon)
    if (operation.type === 'stopDaemon') daemons.delete(operation.daemon.role)
    speaksOfDaemons ||= operation.type === 'startDaemon' || operation.type === 'stopDaemon'
  }
  if (contradictions > 0) {
    complain('ipvs: nothing was changed')
    return undefined
  }
  const { services } = model.table() as Table
  return {
    services,
    ...(Object.keys(timeouts).length > 0 && { timeouts }),
    ...(speaksOfDaemons && { daemons: [...daemons.values()] }),
  }
}

/** The last line about each service, destination and so on. */
const linesOf = (operations: readonly RuleOperation[]): Map<string, number> =>
  new Map(operations.map((operation) => [subject(operation), operation.line]))

/** What an operation is about, as a key. */
function subject(operation: Operation): string {
  switch (operation.type) {
    case 'addDestination':
    case 'updateDestination':
    case 'removeDestination':
      return `${serviceId(operation.service)} ${destinationId(operation.destination)}`
    case 'addService':
    case 'updateService':
    case 'removeService':
    case 'zero':
      return operation.service ? serviceId(operation.service) : ''
    case 'startDaemon':
    case 'stopDaemon':
      return operation.daemon.role
    case 'setTimeouts':
    case 'flush':
      return operation.type
  }
}
