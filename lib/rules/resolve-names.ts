import { lookup } from 'node:dns/promises'
import { canonicalAddress } from '../model/address.js'
import type { Operation, Protocol, Table } from '../model/types.js'
import { RulesError, firstOf } from './error.js'
import { readLines } from './parse-commands.js'
import { loadServices } from './services-database.js'
import { withoutByteOrderMark } from './words.js'
import type { Named, NamedTable, NameReference, Position } from './types.js'

/**
 * Replaces host and service names with numbers: in a text before it is parsed, in operations, or in a table. Returns a copy with numbers.
 *
 * Like ipvsadm, it looks up hosts with getaddrinfo(3), IPv4 only. It looks up services in `/etc/services`, under the protocol of their
 * virtual service. It looks up each name once.
 *
 * @throws RulesError if a text, or operations of `parseCommands`, have unknown names. It has the place of the first one, and its `errors`
 * has all of them. Unknown names elsewhere throw an `Error` with the code `ERR_IPVS_NAME`.
 *
 * @example
 * ```js
 * import { parseRules, resolveNames } from 'ipvs/rules'
 *
 * const { services } = await resolveNames(parseRules('-A -t localhost:http -s rr\n'))
 * console.log(services[0].address, services[0].port)        // 127.0.0.1 80
 * ```
 */
export function resolveNames(text: string): Promise<string>
export function resolveNames<T extends Position>(operations: readonly (Named<Operation> & T)[]): Promise<(Operation & T)[]>
export function resolveNames(operations: readonly Named<Operation>[]): Promise<Operation[]>
export function resolveNames(table: NamedTable): Promise<Table>
export async function resolveNames(from: string | readonly Named<Operation>[] | NamedTable): Promise<unknown> {
  const resolver = new Resolver()
  if (typeof from === 'string') return resolveText(from, resolver)
  if (isTable(from)) return { ...from, services: await Promise.all(from.services.map((service) => resolver.tableService(service))) }
  return resolveOperations(from, resolver)
}

const isTable = (from: readonly Named<Operation>[] | NamedTable): from is NamedTable => 'services' in from

async function resolveText(text: string, resolver: Resolver): Promise<string> {
  const { names, errors } = readLines(text)
  if (errors.length > 0) throw firstOf(errors)
  const found = await resolver.findAll(names)
  const rows = withoutByteOrderMark(text).split('\n')
  // Names are replaced from the end of each line to its beginning, so that the columns of those still to be replaced stay valid.
  for (const [index, { line, column, name }] of [...names.entries()].sort(([, a], [, b]) => b.column - a.column)) {
    const row = rows[line - 1]
    rows[line - 1] = `${row.slice(0, column - 1)}${found[index]}${row.slice(column - 1 + name.length)}`
  }
  return rows.join('\n')
}

async function resolveOperations(operations: readonly Named<Operation>[], resolver: Resolver): Promise<Operation[]> {
  const settled = await Promise.allSettled(operations.map((operation) => resolver.operation(operation)))
  const errors: RulesError[] = []
  for (const [index, result] of settled.entries()) {
    if (result.status === 'fulfilled') continue
    const { line, column } = operations[index] as Partial<Position>
    if (!(result.reason instanceof NameError) || line === undefined || column === undefined) throw result.reason
    errors.push(missingError({ ...result.reason.reference, line, column }, resolver))
  }
  if (errors.length > 0) throw firstOf(errors)
  return settled.map((result) => (result as PromiseFulfilledResult<Operation>).value)
}

type Name = Pick<NameReference, 'kind' | 'name' | 'protocol'>

function missingError({ line, column, ...name }: NameReference, resolver: Resolver): RulesError {
  const expected = name.kind === 'host' ? 'a host name with an IPv4 address' : `a name that /etc/services has for ${name.protocol}`
  return new RulesError(resolver.problem(name), expected, line, column)
}

/** An unknown name that is not in a text. */
class NameError extends Error {
  readonly code = 'ERR_IPVS_NAME'
  constructor(readonly reference: Name, problem: string) {
    super(problem)
  }
}

/** Looks up names, each of them once. */
export class Resolver {
  readonly #hosts = new Map<string, Promise<string | undefined>>()
  /** Codes of the look-ups that failed, by host. */
  readonly #failures = new Map<string, string>()

  /** Why a name was not found, in words. */
  problem({ kind, name, protocol }: Name): string {
    if (kind === 'service') return `service '${name}' is not known for ${protocol}`
    const code = this.#failures.get(name)
    return code === 'ENOTFOUND' ? `host '${name}' is not known` : `host '${name}' could not be looked up (${code})`
  }

  /** The address or port of a name; `undefined` if it is not known. */
  async find({ kind, name, protocol }: Name): Promise<string | number | undefined> {
    if (kind === 'host') return this.#host(name)
    return (await loadServices()).port(name, protocol!)
  }

  /**
   * The addresses and ports of names in a text.
   *
   * @throws RulesError for unknown names.
   */
  async findAll(names: readonly NameReference[]): Promise<(string | number)[]> {
    const found = await Promise.all(names.map((reference) => this.find(reference)))
    const missing = names.filter((_, index) => found[index] === undefined).map((reference) => missingError(reference, this))
    if (missing.length > 0) throw firstOf(missing)
    return found as (string | number)[]
  }

  #host(name: string): Promise<string | undefined> {
    let found = this.#hosts.get(name)
    if (!found) {
      found = lookup(name, { family: 4 }).then(({ address }) => address, (error: NodeJS.ErrnoException) => {
        this.#failures.set(name, error.code ?? error.message)
        return undefined
      })
      this.#hosts.set(name, found)
    }
    return found
  }

  #error(name: Name): NameError {
    return new NameError(name, this.problem(name))
  }

  async #address(address: string): Promise<string> {
    if (canonicalAddress(address) !== undefined) return address
    const found = await this.#host(address)
    if (found === undefined) throw this.#error({ kind: 'host', name: address })
    return found
  }

  async #port(port: number | string, protocol: Protocol): Promise<number> {
    if (typeof port === 'number') return port
    const found = (await loadServices()).port(port, protocol)
    if (found === undefined) throw this.#error({ kind: 'service', name: port, protocol })
    return found
  }

  /** Resolves address and port of an object that may have them. */
  async #endpoint<T extends object>(endpoint: T, protocol: Protocol): Promise<T> {
    const { address, port } = endpoint as { address?: string, port?: number | string }
    if (address === undefined || port === undefined) return endpoint
    return { ...endpoint, address: await this.#address(address), port: await this.#port(port, protocol) }
  }

  async service<T extends object>(service: T): Promise<T> {
    const { protocol = 'tcp', persistence } = service as { protocol?: Protocol, persistence?: { netmask?: string } | null }
    const resolved = await this.#endpoint(service, protocol)
    if (persistence?.netmask === undefined || canonicalAddress(persistence.netmask) !== undefined) return resolved
    return { ...resolved, persistence: { ...persistence, netmask: await this.#address(persistence.netmask) } }
  }

  async operation(operation: Named<Operation>): Promise<Operation> {
    const { service, destination } = operation as { service?: object, destination?: object }
    const resolved: Record<string, unknown> = { ...operation }
    if (service) resolved.service = await this.service(service)
    if (destination) resolved.destination = await this.#endpoint(destination, (service as { protocol?: Protocol }).protocol ?? 'tcp')
    return resolved as unknown as Operation
  }

  async tableService(service: NamedTable['services'][number]): Promise<Table['services'][number]> {
    const protocol = 'protocol' in service ? service.protocol : 'tcp'
    const destinations = await Promise.all(service.destinations.map((destination) => this.#endpoint(destination, protocol)))
    return { ...(await this.service(service)), destinations } as Table['services'][number]
  }
}
