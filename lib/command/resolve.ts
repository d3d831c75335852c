import { Resolver } from '../rules/resolve-names.js'
import type { ReadCommand } from '../rules/read-command.js'
import type { Operation, ServiceKey } from '../model/types.js'

/**
 * The operation or the service of a command line, with its names resolved.
 *
 * @throws RulesError for unknown names. As in ipvsadm, this includes names that the operation does not use: the port of a destination
 * that takes the service's, or the netmask of a service that is not persistent.
 */
export async function resolveCommand(command: ReadCommand): Promise<{ operation?: Operation, service?: ServiceKey }> {
  const { operation, service, names = [] } = command
  const resolver = new Resolver()
  await resolver.findAll(names)
  if (operation) return { operation: await resolver.operation(operation) }
  return service ? { service: (await resolver.service(service)) as ServiceKey } : {}
}
