import { Resolver } from '../rules/resolve-names.js'
import type { ReadCommand } from '../rules/read-command.js'
import type { Operation, ServiceKey } from '../model/types.js'

/**
 * The operation or the service of a command line, its names resolved.
 *
 * @throws RulesError for names that are not known. Those count that the operation does not use, too: the port of a destination that takes
 * the service's, the netmask of a service that is not persistent.
 */
export async function resolveCommand({ operation, service, names = [] }: ReadCommand): Promise<{ operation?: Operation, service?: ServiceKey }> {
  const resolver = new Resolver()
  await resolver.findAll(names)
  if (operation) return { operation: await resolver.operation(operation) }
  return service ? { service: (await resolver.service(service)) as ServiceKey } : {}
}
