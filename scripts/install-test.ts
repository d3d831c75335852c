/**
 * `npm run test:install`: the package as users get it, from the packed tarball in empty projects, without a compiler.
 * `npm run test:install -- yarn node@20` runs the combinations whose names contain one of these words.
 */
import { resolve } from 'node:path'
import { prebuildAll } from './prebuild/make.js'
import { runCombinations } from './install-test/run.js'
import { combinations } from './install-test/combinations.js'
import { packed } from './install-test/workplace.js'

const usage = `Usage: npm run test:install -- [--tarball FILE] [WORD…]

Runs the combinations whose names contain one of the words, or all of them. Each is one line.

${combinations.map(({ name, what }) => `  ${name.padEnd(34)} ${what}`).join('\n')}
`

const words = process.argv.slice(2)
const print = (line: string): void => { process.stdout.write(`${line}\n`) }

async function main(): Promise<void> {
  if (words.includes('--help')) return void process.stdout.write(usage)
  const option = words.indexOf('--tarball')
  const given = option < 0 ? undefined : words.splice(option, 2)[1]
  const unknown = words.find(word => !combinations.some(({ name }) => name.includes(word)))
  if (unknown !== undefined) throw new Error(`${unknown}: no combination has that in its name (npm run test:install -- --help)`)
  if (given === undefined) await prebuildAll()
  const tarball = given === undefined ? (await packed()).file : resolve(given)
  const isChosen = (name: string): boolean => words.length === 0 || words.some(word => name.includes(word))
  const { failed, passed, left } = await runCombinations(tarball, isChosen, print)
  print(`\n${passed} work, ${failed.length} fail, ${left.length} could not be tried here`)
  if (failed.length > 0) process.exitCode = 1
}

await main().catch((error: unknown) => {
  process.stderr.write(`test:install: ${(error as Error).message}\n`)
  process.exitCode = 2
})
