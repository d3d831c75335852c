import { createHash } from 'node:crypto'
import {
  chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { addonSources, fingerprint, headers, nodeGyp } from '../setup/addon.js'
import { checkout } from '../setup/checkout.js'
import { ensure, type Program } from '../setup/programs.js'
import { must, say } from '../setup/run.js'
import { architectures, problemsOf, type Architecture } from './check.js'

/** Compilers for an architecture that is not this machine's. */
const cross: Record<Architecture, { prefix: string, compiler: Program }> = {
  x64: { prefix: 'x86_64-linux-gnu-', compiler: 'x86_64-linux-gnu-g++' },
  arm64: { prefix: 'aarch64-linux-gnu-', compiler: 'aarch64-linux-gnu-g++' },
}

/** Where the package has the addon of an architecture. */
export const prebuilt = (architecture: Architecture): string => join(checkout, 'prebuilds', `linux-${architecture}`, 'ipvs.node')

const workshop = (architecture: Architecture): string => join(checkout, 'build/prebuild', architecture)
const note = (architecture: Architecture): string => join(workshop(architecture), 'made.json')

/** What is remembered of a prebuilt addon: which sources it was made of, and its own hash. */
interface Note { sources: string, file: string }

const hashOf = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex')

/** Says why an architecture's prebuilt addon cannot be shipped; nothing if it can. */
export async function objections(architecture: Architecture): Promise<string[]> {
  const file = prebuilt(architecture)
  if (!existsSync(file)) return ['it is missing']
  let made: Note | undefined
  try {
    made = JSON.parse(readFileSync(note(architecture), 'utf8')) as Note
  } catch { /* it came from somewhere else */ }
  if (made?.file !== hashOf(file)) return ['it was not made by npm run prebuild in this checkout']
  if (made.sources !== fingerprint(architecture)) return ['it is stale: the sources have changed since it was made']
  return await problemsOf(file, architecture)
}

/** Compiles an architecture's addon, checks it and puts it in its place. An addon that is good already stays. */
export async function prebuild(architecture: Architecture): Promise<void> {
  await ensure('c++', 'make', 'python3')
  if ((await objections(architecture)).length === 0) return
  const { prefix, compiler } = cross[architecture]
  const foreign = architecture !== process.arch
  if (foreign) await ensure(compiler)
  say(`prebuild: compiling the addon for linux-${architecture}`)
  const folder = workshop(architecture)
  const sources = fingerprint(architecture)
  // A copy, because prebuildify compiles in the folder's own build/, and the checkout's is in use.
  rmSync(folder, { recursive: true, force: true })
  for (const path of addonSources()) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    copyFileSync(join(checkout, path), join(folder, path))
  }
  const nodeFolder = headers()
  const tools = foreign ? { CC: `${prefix}gcc`, CXX: `${prefix}g++`, AR: `${prefix}ar`, PREBUILD_STRIP_BIN: `${prefix}strip` } : {}
  await must(process.execPath, [
    join(checkout, 'node_modules/prebuildify/bin.js'), '--napi', '--strip', '--arch', architecture, '--name', 'ipvs', '--out', folder,
  ], {
    cwd: join(folder, 'native'),
    env: { PREBUILD_NODE_GYP: nodeGyp(), ...tools, ...nodeFolder === undefined ? {} : { npm_config_nodedir: nodeFolder } },
  })
  const made = join(folder, 'prebuilds', `linux-${architecture}`, 'ipvs.node')
  const problems = await problemsOf(made, architecture)
  if (problems.length > 0) throw new Error(`the addon for linux-${architecture} cannot be shipped:\n${problems.map(line => `  ${line}\n`).join('')}`)
  const place = prebuilt(architecture)
  mkdirSync(dirname(place), { recursive: true })
  // Nothing else lies there: what npm packs is the folder.
  for (const file of readdirSync(dirname(place))) rmSync(join(dirname(place), file))
  chmodSync(made, 0o755)
  renameSync(made, place)
  writeFileSync(note(architecture), JSON.stringify({ sources, file: hashOf(place) } satisfies Note))
}

/** All prebuilt addons, one after the other. Prints a line for each. */
export async function prebuildAll(): Promise<void> {
  for (const architecture of architectures) {
    await prebuild(architecture)
    process.stdout.write(`prebuilds/linux-${architecture}/ipvs.node  ${statSync(prebuilt(architecture)).size.toLocaleString('en')} bytes, needs nothing\n`)
  }
}
