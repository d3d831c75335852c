import { newStatus } from '../new-status.js'
import { complain, json, print } from '../output.js'
import { diagnosticLine } from './diagnostics.js'
import type { DirectorCommand } from './options.js'
import { readConfiguration, sizeWords } from './read.js'

/** `ipvs director --check`: reads the configuration and tells what is wrong with it. Returns the exit status. */
export async function check({ source, scripts }: DirectorCommand, { strict, json: wantsJson }: NonNullable<DirectorCommand['check']>): Promise<number> {
  if (source.type === 'etcd') return (await import('./check-etcd.js')).checkEtcd(source, scripts, wantsJson)
  const { configuration, diagnostics } = await readConfiguration({ source, scripts })
  for (const diagnostic of diagnostics) complain(diagnosticLine(diagnostic))
  const { file } = source
  if (configuration === undefined) {
    const errors = diagnostics.filter(({ severity }) => severity === 'error').length
    complain(`${file} is refused: ${errors} error${errors === 1 ? '' : 's'}`)
    return newStatus.refused
  }
  const warnings = diagnostics.filter(({ severity }) => severity === 'warning').length
  if (wantsJson) print(json(configuration))
  else print(`${file} is good: ${sizeWords(configuration)}${warnings === 0 ? '' : `; ${warnings} warning${warnings === 1 ? '' : 's'}`}\n`)
  return strict && warnings > 0 ? newStatus.warnings : newStatus.done
}
