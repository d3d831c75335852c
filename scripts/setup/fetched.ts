import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cached } from './cache.js'
import { must, say } from './run.js'

/**
 * The folder of an npm package in the cache, with its dependencies beside it. npm fetches it once; it is not in package.json. The version
 * may be a range, which is then looked up at the first use only.
 */
export async function fetchedPackage(name: string, version: string, options: string[] = []): Promise<string> {
  const folder = await cached(`npm/${name.replace('/', '+')}@${version}`, async folder => {
    say(`setup: fetching ${name} ${version}`)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    await must('npm', [
      'install', '--prefix', folder, '--no-audit', '--no-fund', '--no-save', '--no-package-lock', '--ignore-scripts', ...options, `${name}@${version}`,
    ])
  })
  return join(folder, 'node_modules', name)
}
