import type { IpvsSync } from '../ipvs-sync.js'
import { RulesError } from '../rules/error.js'
import { UnknownOptionError } from '../rules/options.js'
import type { ReadCommand } from '../rules/read-command.js'
import type { Operation, ServiceKey } from '../model/types.js'
import { status, withHandle } from './handle.js'
import { list } from './list.js'
import { complain, print } from './output.js'
import { readCommandLine, type OwnOptions } from './own-options.js'
import { refusal } from './refusals.js'

/**
 * Runs the command `ipvs`. Imports what a listing does not need only where it is needed, so that listings start quickly.
 *
 * @param args the command line without the program's name
 * @returns the exit status
 */
export async function run(args: readonly string[]): Promise<number> {
  try {
    const { read, own } = readCommandLine(args)
    return await carryOut(read, own)
  } catch (error) {
    if (error instanceof RulesError) return misused(error, args)
    throw error
  }
}

async function misused(error: RulesError, [first = '']: readonly string[]): Promise<number> {
  complain(`ipvs: ${error.problem}; expected ${error.expected}`)
  if (/^[a-z]{3,}$/.test(first)) {
    const [{ closestCommandLines }, { helpTexts }] = await Promise.all([import('./suggestions.js'), import('./help-texts.js')])
    const close = closestCommandLines(first, Object.keys(helpTexts))
    if (close.length > 0) complain(`Did you mean ${close.join(' or ')}?`)
  }
  if (error instanceof UnknownOptionError) {
    const { closestOptions } = await import('./suggestions.js')
    const close = closestOptions(error.spelling)
    if (close.length > 0) complain(`Did you mean ${close.join(' or ')}?`)
  }
  if (error.exitStatus === status.refused) complain('Try `ipvs -h\' for more information.')
  return error.exitStatus
}

async function carryOut(read: ReadCommand, own: OwnOptions): Promise<number> {
  switch (read.name) {
    case 'help':
      print((await import('./help.js')).helpText())
      return status.done
    case 'version':
      print((await import('./help.js')).versionText())
      return status.done
    case 'restore':
      return (await import('./restore.js')).restore(own)
  }
  const { operation, service } = read.names
    ? await (await import('./resolve.js')).resolveCommand(read)
    : (read as { operation?: Operation, service?: ServiceKey })
  return withHandle(own, async (ipvs) => {
    if (operation) return change(ipvs, operation)
    if (read.name === 'save') return (await import('./save.js')).save(ipvs, read.options.has('numeric'), own)
    return list(ipvs, read.options, service, own)
  })
}

function change(ipvs: IpvsSync, operation: Operation): number {
  try {
    ipvs.run(operation)
    return status.done
  } catch (error) {
    if (!('code' in (error as object))) throw error
    complain(refusal(error))
    return status.refused
  }
}
