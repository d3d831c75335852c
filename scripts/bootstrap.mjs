// Sets up what a task needs, then runs it: node scripts/bootstrap.mjs TASK ARG…
// Plain JavaScript without dependencies, because a fresh checkout has no packages yet.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const task = process.argv[2]

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19) || major === 21 || (major === 22 && minor < 12)) {
  fail(`Node ${process.versions.node} is too old: this package needs 20.19, 22.12 or newer`)
}
if (task === undefined) fail('no task was given: use the scripts of package.json (npm run)')

/** The lab is independent: it compiles and runs even if the rest of the tree does not. */
const project = task === 'lab' ? 'scripts/lab' : 'scripts'
const compiled = join(root, 'build/scripts', `${task}.js`)

process.chdir(root)
locked(() => {
  install()
  compile()
  bundle()
})
if (task !== 'lab') {
  const { buildAddon } = await import(pathToFileURL(join(root, 'build/scripts/setup/addon.js')).href)
  await buildAddon().catch(error => fail(error.message))
}
process.argv.splice(1, 2, compiled)
await import(pathToFileURL(compiled).href)

function fail(message) {
  console.error(message)
  process.exit(1)
}

/** Concurrent tasks take turns. The lock of a process that has ended is ignored. */
function locked(work) {
  mkdirSync('build', { recursive: true })
  const lock = 'build/.lock'
  // A guest of the lab sees the same lock but other processes, so its lock only expires by age.
  const kernel = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  const isVoid = () => {
    let age
    try { age = Date.now() - statSync(lock).mtimeMs } catch { return false }
    let holder
    try { holder = readFileSync(`${lock}/holder`, 'utf8').split(' ') } catch { return age > 5000 }
    if (holder[0] !== kernel) return age > 600_000
    try { process.kill(Number(holder[1]), 0); return false } catch (error) { return error.code !== 'EPERM' }
  }
  for (;;) {
    try {
      mkdirSync(lock)
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    if (isVoid()) rmSync(lock, { recursive: true, force: true })
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
  }
  writeFileSync(`${lock}/holder`, `${kernel} ${process.pid}`)
  const release = () => rmSync(lock, { recursive: true, force: true })
  process.once('exit', release)
  try {
    work()
  } finally {
    release()
    process.off('exit', release)
  }
}

/** Runs a program and shows its output only if it fails. */
function quietly(program, args) {
  const { status, stdout, stderr, error } = spawnSync(
    program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 2 ** 28 },
  )
  return { ok: status === 0, output: `${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}` }
}

function install() {
  const stamp = 'node_modules/.package-lock.json'
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= statSync('package-lock.json').mtimeMs) return
  if (existsSync(stamp) && sameVersions(stamp)) return
  console.error('setup: npm ci')
  const { ok, output } = quietly('npm', ['ci', '--no-audit', '--no-fund'])
  if (!ok) fail(`npm ci failed:\n${output}`)
}

/** Compares contents, because a checkout gives package-lock.json a new date without changing it. */
function sameVersions(stamp) {
  const versions = file => Object.entries(JSON.parse(readFileSync(file, 'utf8')).packages)
    .filter(([name, { optional }]) => name !== '' && !optional).map(([name, { version }]) => `${name}@${version}`).sort().join('\n')
  return versions(stamp) === versions('package-lock.json')
}

function compile() {
  const { ok, output } = quietly(process.execPath, ['node_modules/typescript/bin/tsc', '-b', project])
  if (ok) return
  if (task === 'lab' && existsSync(compiled)) console.error('setup: the lab does not compile as it stands, its last version runs')
  else fail(output)
}

/** Bundles the command and what programs import again if one of their modules is newer (rolldown.config.js). */
function bundle() {
  const folders = ['dist/bin', 'dist/package']
  const date = file => statSync(file).mtimeMs
  const modules = readdirSync('dist', { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.js')).map(entry => join(entry.parentPath, entry.name))
    .filter(file => !folders.includes(dirname(file)))
  const made = ['dist/bin/ipvs.cjs', 'dist/package/index.js']
  if (made.every(existsSync)) {
    const oldest = Math.min(...made.map(date))
    if ([...modules, 'rolldown.config.js'].every(file => date(file) <= oldest)) return
  }
  // Nothing of an earlier bundle stays: what npm packs is the folder.
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  const { ok, output } = quietly(process.execPath, ['node_modules/rolldown/bin/cli.mjs', '-c'])
  if (ok) chmodSync(made[0], 0o755)
  else if (task === 'lab') console.error('setup: the bundles of the command and the package could not be made')
  else fail(`the command and the package could not be put together:\n${output}`)
}
