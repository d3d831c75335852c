import { accessSync, constants, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { cached, cacheFolder } from './cache.js'
import { fetchedPackage } from './fetched.js'
import { must, run, say } from './run.js'

/** The releases of Node that this package is tested on. 'newest' is npm's latest. */
export const nodeReleases = ['20', '22', '24', 'newest'] as const
export type NodeRelease = typeof nodeReleases[number]

/** npm's packages of Node, one for each architecture. */
const packageName = `node-linux-${process.arch}`

/** The newer of two versions, number by number. */
const byVersion = (a: string, b: string): number => a.localeCompare(b, 'en', { numeric: true })

/** The newest version of a release according to npm; without network, the newest one fetched before. */
export async function newestOf(release: string): Promise<string> {
  const range = release === 'newest' ? 'latest' : release
  const { status, stdout, stderr } = await run('npm', ['view', `${packageName}@${range}`, 'version', '--json'])
  if (status === 0) {
    const versions = [JSON.parse(stdout) as string | string[]].flat().sort(byVersion)
    if (versions.length > 0) return versions.at(-1)!
  }
  const folder = join(cacheFolder(), 'node')
  const kept = existsSync(folder) ? readdirSync(folder).filter(
    version => /^\d+\.\d+\.\d+$/.test(version) && (release === 'newest' || version.startsWith(`${release}.`)),
  ) : []
  if (kept.length > 0) return kept.sort(byVersion).at(-1)!
  throw new Error(`Node ${release}: npm does not say which version that is (${stderr.trim().split('\n').at(-1) ?? status})`)
}

/** The program of a Node release: '22', 'newest', or a full version. npm fetches it into the cache once; it is not in package.json. */
export async function nodeProgram(release: string): Promise<string> {
  const version = /^\d+\.\d+\.\d+$/.test(release) ? release : await newestOf(release)
  if (version === process.versions.node) return process.execPath
  const folder = await cached(`node/${version}`, async folder => {
    say(`setup: fetching Node ${version}`)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    await must(
      'npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', '--no-save', '--no-package-lock', `${packageName}@${version}`],
    )
  })
  const program = join(folder, 'node_modules', packageName, 'bin/node')
  accessSync(program, constants.X_OK)
  return program
}

/** The program of a Node release for another processor. Here it runs in an emulator of that processor only. */
export async function nodeProgramFor(architecture: string, release: string): Promise<string> {
  const version = /^\d+\.\d+\.\d+$/.test(release) ? release : await newestOf(release)
  return join(await fetchedPackage(`node-linux-${architecture}`, version, ['--force', `--cpu=${architecture}`, '--os=linux']), 'bin/node')
}

/** PATH with a program's folder first, so that npx, for instance, starts this `node`. */
export const pathWith = (program: string, path = process.env.PATH ?? ''): string => `${dirname(program)}:${path}`
