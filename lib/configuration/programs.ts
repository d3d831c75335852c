import type { Check, DirectorConfiguration } from './types.js'

/** A program that a configuration names, and where. */
export interface NamedProgram {
  /** 'services[3].destinations[0].checks[1]', 'services[3].onQuorumLost'. */
  field: string
  command: readonly string[]
  user?: string
  group?: string
}

function* scripts(checks: readonly Check[], field: string): Generator<NamedProgram> {
  for (const [index, check] of checks.entries()) if (check.type === 'script') yield { field: `${field}.checks[${index}]`, ...check }
}

/** Every program that a valid configuration names, in its order. */
export function* programsOf({ services }: DirectorConfiguration): Generator<NamedProgram> {
  for (const [index, { checks, onQuorumReached, onQuorumLost, destinations = [] }] of services.entries()) {
    const field = `services[${index}]`
    if (checks !== undefined) yield* scripts(checks, field)
    if (onQuorumReached !== undefined) yield { field: `${field}.onQuorumReached`, ...onQuorumReached }
    if (onQuorumLost !== undefined) yield { field: `${field}.onQuorumLost`, ...onQuorumLost }
    for (const [number, { checks: own, onUp, onDown }] of destinations.entries()) {
      const at = `${field}.destinations[${number}]`
      if (own !== undefined) yield* scripts(own, at)
      if (onUp !== undefined) yield { field: `${at}.onUp`, ...onUp }
      if (onDown !== undefined) yield { field: `${at}.onDown`, ...onDown }
    }
  }
}
