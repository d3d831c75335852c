import { runCombinations } from '../install-test/run.js'
import { packed } from '../install-test/workplace.js'
import { architectures } from '../prebuild/check.js'
import { prebuild } from '../prebuild/make.js'
import { outcome, type Outcome } from './outcome.js'

/** The combinations of `npm run test:install` that every change must pass. */
const chosen = ['npm', 'node@20', 'node@newest', 'no-addons']

/** Packs the package with the addon for this machine alone, and installs and runs it. */
export async function installed(print: (line: string) => void): Promise<Outcome> {
  const own = architectures.find(architecture => architecture === process.arch)
  if (own === undefined) return outcome(0, [], 1, `skipped: there is no prebuilt addon for ${process.arch}`)
  await prebuild(own)
  const { file } = await packed(false)
  const { passed, failed, left } = await runCombinations(file, name => chosen.includes(name), print)
  return outcome(passed, failed, left.length, left.map(name => `${name} could not be tried here`).join('; '))
}
