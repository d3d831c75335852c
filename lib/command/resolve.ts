import { RulesError, firstOf } from '../rules/error.js'
import { resolveNames } from '../rules/resolve-names.js'
import type { ReadCommand } from '../rules/read-command.js'
import type { Operation, ServiceKey } from '../model/types.js'

/** The operation or the service of a command line, its names resolved. */
export async function resolveCommand({ operation, service, names }: ReadCommand): Promise<{ operation?: Operation, service?: ServiceKey }> {
  try {
    if (operation) return { operation: (await resolveNames([operation]))[0] }
    if (!service) return {}
    const [resolved] = await resolveNames([{ type: 'removeService', service }])
    return { service: (resolved as Extract<Operation, { type: 'removeService' }>).service }
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_IPVS_NAME') throw error
    const [{ line, column }] = names!
    throw firstOf([new RulesError((error as Error).message, 'a name that is, or a number', line, column)])
  }
}
