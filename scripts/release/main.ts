import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { architectures } from '../prebuild/check.js'
import { objections, prebuildAll } from '../prebuild/make.js'
import { combinations } from '../install-test/combinations.js'
import { runCombinations } from '../install-test/run.js'
import { packed } from '../install-test/workplace.js'
import { checkout } from '../setup/checkout.js'
import { fetchedPackage } from '../setup/fetched.js'
import { run } from '../setup/run.js'
import { descriptionProblems, tarballProblems, type Description } from './tarball.js'

/** A step says what is wrong, a line for each thing; nothing if all is right. */
interface Step { what: string, run: () => Promise<string[]> }

/** Runs a program of npm's that checks a tarball. */
async function tool(name: string, version: string, program: string, args: string[]): Promise<string[]> {
  const folder = await fetchedPackage(name, version)
  const { status, stdout, stderr } = await run(process.execPath, [join(folder, program), ...args], { cwd: checkout })
  return status === 0 ? [] : [`${name} ended with status ${status}:\n${stdout}${stderr}`]
}

/** The steps before a package may be published. `quick` leaves out most combinations of `npm run test:install`. */
function steps(tarball: { file: string }, quick: boolean, print: (line: string) => void): Step[] {
  const description = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as Description
  const own = async (path: string, args: string[]): Promise<string[]> => {
    const { status, stdout, stderr } = await run(process.execPath, [join(checkout, 'node_modules', path), ...args], { cwd: checkout })
    return status === 0 ? [] : [`${path} ended with status ${status}:\n${stdout}${stderr}`]
  }
  return [
    { what: 'package.json is complete', run: () => Promise.resolve(descriptionProblems(description)) },
    {
      what: 'nothing is uncommitted',
      run: async () => (await run('git', ['status', '--porcelain'], { cwd: checkout })).stdout.split('\n').filter(line => line !== ''),
    },
    { what: 'types', run: () => own('typescript/bin/tsc', ['-b']) },
    { what: 'lint', run: () => own('eslint/bin/eslint.js', ['.']) },
    {
      what: 'prebuilt addons are there, fresh, and need nothing',
      run: async () => {
        await prebuildAll()
        return (await Promise.all(architectures.map(async one => (await objections(one)).map(why => `linux-${one}: ${why}`)))).flat()
      },
    },
    {
      what: 'the tarball has what it should have, and nothing else',
      run: async () => {
        const { file, files, size } = await packed()
        tarball.file = file
        return tarballProblems(files, size, description)
      },
    },
    { what: 'publint', run: () => tool('publint', '0.3.25', 'src/cli.js', ['run', tarball.file, '--strict']) },
    {
      // Subpaths need "exports", which TypeScript's resolution for Node 10 does not read, and Node 10 is not supported.
      what: 'are-the-types-wrong (ES module only; not for Node 10)',
      run: () => tool('@arethetypeswrong/cli', '0.18.5', 'dist/index.js', [
        tarball.file, '--profile', 'esm-only', '--exclude-entrypoints', './configuration.schema.json', './output.schema.json', '--no-emoji', '--no-color',
      ]),
    },
    {
      what: quick ? 'the tarball installs and works: npm' : 'the tarball installs and works',
      run: async () => {
        const { failed, left } = await runCombinations(tarball.file, name => !quick || /^(npm|node@)/.test(name), print)
        return [...failed.map(name => `${name} fails`), ...left.map(name => `${name} could not be tried`)]
      },
    },
  ]
}

/**
 * Does everything that comes before publishing, and refuses if anything is wrong. All steps run, so that one run tells all; without a
 * tarball there is nothing to look at, so a failure there ends it.
 */
export async function release(quick: boolean, print: (line: string) => void): Promise<boolean> {
  const tarball = { file: '' }
  const refusals: string[] = []
  for (const { what, run } of steps(tarball, quick, print)) {
    const problems = await run().catch((error: unknown) => [(error as Error).message])
    print(`${problems.length === 0 ? 'ok     ' : 'REFUSED'} ${what}`)
    for (const problem of problems) print(problem.trim().replace(/^/gm, '        '))
    refusals.push(...problems)
    if (problems.length > 0 && what.startsWith('the tarball has') && tarball.file === '') break
  }
  print(refusals.length === 0
    ? `\nready: npm publish ${tarball.file}${quick ? '' : ` (${combinations.length} combinations)`}`
    : '\nnot ready to be published: see what was refused above')
  return refusals.length === 0
}
