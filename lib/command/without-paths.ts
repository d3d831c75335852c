import type { DirectedService } from '../configuration/index.js'

/**
 * A service whose programs are all in one folder, for what else there is to object to: where programs lie is for directors to say.
 */
export function withoutPaths(service: DirectedService): DirectedService {
  const text = JSON.stringify(service, (key, value: unknown) => {
    if (key !== 'command' || !Array.isArray(value)) return value
    const [path, ...rest] = value as unknown[]
    return [String(path).replace(/^.*\//, ''), ...rest]
  })
  return JSON.parse(text) as DirectedService
}
