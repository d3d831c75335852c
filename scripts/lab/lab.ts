import { checkout } from '../setup/checkout.js'
import { nodeProgram, pathWith } from '../setup/node.js'
import { say } from '../setup/run.js'
import type { LabArguments } from './arguments.js'
import type { Architecture } from '../prebuild/check.js'
import { foreign } from './foreign.js'
import { CannotStart, environmentFrom, type Outputs } from './job.js'
import { candidates, places } from './places.js'

/**
 * Runs a command on a kernel with IPVS and returns its exit status. If a place cannot be used, the next one is tried; stderr says which
 * one, and why.
 * @throws CannotStart if no place works; TimedOut
 */
export async function runInLab(wanted: LabArguments, outputs: Outputs = process): Promise<number> {
  const { architecture = process.arch, node } = wanted
  const other = architecture === process.arch ? undefined : await foreign(architecture as Architecture, node ?? process.versions.node)
  const own = other?.environment ?? (node === undefined ? {} : { PATH: pathWith(await nodeProgram(node)) })
  const reasons: string[] = []
  for (const name of candidates(wanted)) {
    const place = places[name]
    const suite = wanted.suite ?? place.suite
    try {
      await place.probe()
      say(`lab: ${place.describe(suite)}${other === undefined ? '' : ` for ${other.architecture}`}${reasons.length > 0 ? ` (${reasons.join('; ')})` : ''}`)
      const job = {
        ...wanted, foreign: other, directory: process.cwd(), checkout,
        environment: environmentFrom({ ...process.env, ...own }, name, wanted.env),
      }
      return await place.run(job, outputs, suite)
    } catch (error) {
      if (!(error instanceof CannotStart)) throw error
      reasons.push(`${name}: ${error.message}`)
    }
  }
  throw new CannotStart(`no kernel with IPVS: ${reasons.join('; ')}`)
}

