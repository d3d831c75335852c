import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { headers, nodeGyp } from '../setup/addon.js'
import { checkout } from '../setup/checkout.js'
import { fetchedPackage } from '../setup/fetched.js'
import { nodeReleases } from '../setup/node.js'
import { ensure } from '../setup/programs.js'
import { must, run } from '../setup/run.js'
import { bun, bunOnMusl, deno, node, nodeOnArm64, nodeOnBullseye } from './runtimes.js'
import { unitTestsOnArm64 } from './unit-on-arm64.js'
import { available, packagesOf, sizeOf, type Report, type Workplace } from './workplace.js'

/** A way to install the package and use it. */
export interface Combination {
  name: string
  what: string
  /** Returns what was seen, in a few words. Throws if it does not work; `Unavailable` if it cannot be tried here. */
  run: (place: Workplace) => Promise<string>
}

const own = `prebuilds/linux-${process.arch}/ipvs.node`

/** What the program saw, if it loaded the addon that the package came with. */
function seen({ runtime, addon, open }: Report, prebuilt = own): string {
  if (addon !== undefined && !addon.endsWith(prebuilt)) throw new Error(`loaded ${addon}, not the ${prebuilt} that the package came with`)
  return `${runtime}, ${addon === undefined ? 'require()' : prebuilt}, open: ${open}`
}

/** Runs the ESM and the CommonJS program by a command. */
async function works(place: Workplace, folder: string, command: string[], prebuilt = own): Promise<string> {
  const report = await place.report(folder, [...command, 'works.mjs'])
  await place.report(folder, [...command, 'works.cjs'])
  return `${seen(report, prebuilt)}, ESM and CommonJS`
}

/** What installing must not exceed: packages in node_modules, and bytes of the tarball. */
const goals = { packages: 6, bytes: 800_000, seconds: 5 }

const registry = async (): Promise<string> => (await must('npm', ['config', 'get', 'registry'])).trim()

/** Installs by a package manager from npm, and runs the programs. */
function manager(
  name: string, what: string, { from, version, program, files = {}, args, start = ['node'] }: {
    from: string, version: string, program: string, files?: Record<string, string>, args: string[], start?: string[]
  },
): Combination {
  return {
    name, what,
    async run(place) {
      const tool = join(await available(from, () => fetchedPackage(from, version)), program)
      const site = await registry()
      const folder = await place.installed(name, async folder => {
        for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text)
        const env = {
          ...place.environment, YARN_NPM_REGISTRY_SERVER: site, npm_config_registry: site, YARN_ENABLE_GLOBAL_CACHE: 'false',
          YARN_ENABLE_TELEMETRY: 'false', YARN_ENABLE_IMMUTABLE_INSTALLS: 'false', HOME: folder,
          // Root's cache of yarn 1 is the machine's. It knows a tarball by its path, so it has that of the first run for ever.
          YARN_CACHE_FOLDER: join(folder, '.yarn-cache'),
        }
        const words = args.map(word => word.replace('TARBALL', place.tarball))
        await must(process.execPath, [tool, ...words], { cwd: folder, env })
      })
      const command = start.map(word => word === 'TOOL' ? tool : word)
      return await works(place, folder, command)
    },
  }
}

const pnp = 'nodeLinker: pnp\nenableScripts: true\n'

const missingTypes = 'TS2688: Cannot find type definition file for \'node\''

/** What programs import from. */
const entries = Object.entries((JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { exports: object }).exports)
  .filter(([, entry]) => typeof entry === 'object').map(([name]) => name.replace('.', 'ipvs'))

const alone = [
  '--noEmit', '--strict', '--skipLibCheck', 'false', '--target', 'es2022', '--module', 'nodenext', '--moduleResolution', 'nodenext',
]

/** Compiles the program against the types of the package in every way of resolving modules, with `skipLibCheck: false`. */
function typescript(version: string, types: string | undefined, prometheus: boolean): Combination {
  const name = `typescript@${version}/types-${types ?? 'none'}${prometheus ? '/prom-client' : ''}`
  return {
    name,
    what: `TypeScript ${version}, strict, nodenext, bundler and node16, `
      + (types === undefined ? 'without @types/node' : `@types/node ${types}`)
      + (prometheus ? ', with prom-client' : ''),
    async run(place) {
      const compiler = join(await available(`TypeScript ${version}`, () => fetchedPackage('typescript', version)), 'bin/tsc')
      const extra = [...types === undefined ? [] : [`@types/node@${types}`], ...prometheus ? ['prom-client@15'] : []]
      const folder = await place.installed(`typescript-${types ?? 'none'}${prometheus ? '-prom' : ''}`, folder => available(
        extra.join(', '), () => place.npm(folder, ['install', place.tarball, ...extra]),
      ))
      const kinds = { nodenext: 'nodenext', bundler: 'esnext', node16: 'node16' }
      for (const [resolution, module] of Object.entries(kinds)) {
        const options = [
          '--noEmit', '--strict', '--skipLibCheck', 'false', '--target', 'es2022', '--module', module, '--moduleResolution', resolution,
          ...types === undefined ? [] : ['--types', 'node'],
        ]
        const files = ['types.mts', 'metrics-types.mts']
        const { status, stdout } = await run(process.execPath, [compiler, ...options, ...files], { cwd: folder })
        if (types === undefined) {
          if (status === 0 || !stdout.includes(missingTypes)) {
            throw new Error(`${resolution}: it does not say what is missing:\n${stdout}`)
          }
        } else if (status !== 0) throw new Error(`${resolution}:\n${stdout}`)
      }
      // Each export alone: what one of them says must not stand for the others.
      if (types === undefined) for (const entry of entries) {
        writeFileSync(join(folder, 'entry.mts'), `export * from '${entry}'\n`)
        const { status, stdout } = await run(process.execPath, [compiler, ...alone, 'entry.mts'], { cwd: folder })
        const isClear = status === 0 || stdout.includes(missingTypes)
        if (!isClear) throw new Error(`${entry}: it does not say what is missing:\n${stdout}`)
      }
      return types === undefined ? 'says that @types/node is missing (TS2688)' : `${Object.keys(kinds).join(', ')}: no error`
    },
  }
}

/** Bundlers: their program, and how they are told to leave the package out, as README says. */
const bundlers: Record<string, {
  tool: () => Promise<string>
  config?: (from: string, to: string, format: string) => string
  args: (from: string, to: string, format: string) => string[]
}> = {
  esbuild: {
    tool: async () => join(await available('esbuild', () => fetchedPackage('esbuild', 'latest')), 'bin/esbuild'),
    args: (from, to, format) => [from, '--bundle', '--platform=node', '--external:ipvs', `--format=${format}`, `--outfile=${to}`],
  },
  rolldown: {
    tool: () => Promise.resolve(join(checkout, 'node_modules/rolldown/bin/cli.mjs')),
    config: (input, file, format) =>
      `export default { input: '${input}', platform: 'node', external: [/^ipvs($|\\/)/], output: { file: '${file}', format: '${format}' } }\n`,
    args: () => ['-c', 'bundle.config.mjs'],
  },
}

/** Runs a program that is refused, in one line. Returns the line. */
async function refused(folder: string, program: string, line: RegExp, place: Workplace, command = ['node']): Promise<string> {
  const words = [...command.slice(1), '-e', `${program}.catch(({ code, message }) => console.log(code, message))`]
  const { stdout, stderr } = await run(command[0], words, { cwd: folder, env: place.environment })
  if (!line.test(stdout)) throw new Error(`${stdout}${stderr}`)
  return stdout.trim()
}

/** Node without permission to load native addons. */
function forbidden(name: string, release: string, options: string[]): Combination {
  return {
    name, what: `node ${options.join(' ')}: one clear sentence, and the exports that need no addon`,
    async run(place) {
      const line = /^ERR_IPVS_ADDON .* Node was started without permission to load native addons: .*\n$/
      return await refused(await place.npmProject(), 'import("ipvs/rules").then(() => import("ipvs"))', line, place, [await node(release), ...options])
    },
  }
}

/** Every combination, the quick ones first. */
export const combinations: Combination[] = [
  {
    name: 'npm', what: 'npm install of the tarball, without a compiler: time, packages, bytes',
    async run(place) {
      const folder = place.project('npm-timed')
      const start = performance.now()
      await place.npm(folder, ['install', place.tarball])
      const seconds = (performance.now() - start) / 1000
      const [packages, bytes] = [packagesOf(folder), sizeOf(place.tarball)]
      if (packages > goals.packages) throw new Error(`${packages} packages, and the goal is ${goals.packages}`)
      if (bytes > goals.bytes) throw new Error(`${bytes} bytes packed, and the goal is ${goals.bytes}`)
      return `${seconds.toFixed(1)} s (goal ${goals.seconds}), ${packages} packages (goal ${goals.packages}), `
        + `${(bytes / 1000).toFixed(0)} kB packed (goal ${goals.bytes / 1000})`
    },
  },
  ...nodeReleases.map((release): Combination => ({
    name: `node@${release}`, what: `Node ${release}, ESM and CommonJS, from the project of npm`,
    run: async place => await works(place, await place.npmProject(), [await node(release)]),
  })),
  {
    name: 'npm-ignore-scripts', what: 'npm install --ignore-scripts',
    async run(place) {
      const folder = await place.installed(
        'npm-ignore-scripts', folder => place.npm(folder, ['install', '--ignore-scripts', place.tarball]),
      )
      return await works(place, folder, ['node'])
    },
  },
  {
    name: 'command', what: 'the command by npx, and linked as ipvsadm',
    async run(place) {
      const folder = await place.npmProject()
      const { stdout, status, stderr } = await run('npx', ['ipvs', '--help'], { cwd: folder, env: place.environment })
      if (status !== 0 || !/ipvs/i.test(stdout)) throw new Error(`npx ipvs --help ended with status ${status}\n${stdout}${stderr}`)
      return stdout.trim().split('\n')[0]
    },
  },
  {
    name: 'global', what: 'npm install --global: the command and its manual page are where a shell and man look',
    async run(place) {
      const prefix = place.project('global')
      await place.npm(prefix, ['install', '--global', '--prefix', prefix, place.tarball])
      const version = (await must(join(prefix, 'bin/ipvs'), ['--version'], { env: place.environment })).trim()
      const page = join(prefix, 'share/man/man8/ipvs.8')
      if (!existsSync(page)) throw new Error('npm made no link to the manual page, share/man/man8/ipvs.8')
      await available('man', () => ensure('man'))
      const shown = await must('man', ['-M', join(prefix, 'share/man'), '8', 'ipvs'], { env: { MANWIDTH: '80', LC_ALL: 'C.UTF-8' } })
      const title = shown.replace(/.[\b]/g, '').trim().split('\n')[0]
      if (!title.startsWith('IPVS(8)')) throw new Error(`man shows ${title}`)
      return `${version.split(' (')[0]}, man: IPVS(8), ${shown.split('\n').length} lines`
    },
  },
  forbidden('no-addons', '20', ['--no-addons']),
  forbidden('permission', '24', ['--permission', '--allow-fs-read=*']),
  {
    name: 'no-prom-client', what: 'ipvs/metrics without prom-client: it loads, and the collector says in one sentence what it lacks',
    async run(place) {
      const program = 'import("ipvs/metrics").then(({ IpvsCollector }) => new IpvsCollector({ ipvs: { snapshot() {}, totals() {} } }))'
      return await refused(await place.npmProject(), program, /^ERR_IPVS_PACKAGE_MISSING .* npm install prom-client, .*\n$/, place)
    },
  },
  {
    name: 'compiled', what: 'the fallback: no prebuilt addon, and node-gyp in node_modules/ipvs/native',
    async run(place) {
      const folder = place.project('compiled')
      await place.npm(folder, ['install', place.tarball])
      const installed = join(folder, 'node_modules/ipvs')
      await must('rm', ['-r', join(installed, 'prebuilds')])
      const nodeFolder = headers()
      const command = [nodeGyp(), 'rebuild', ...nodeFolder === undefined ? [] : [`--nodedir=${nodeFolder}`]]
      await must(process.execPath, command, { cwd: join(installed, 'native') })
      return await works(place, folder, ['node'], 'native/build/Release/ipvs.node')
    },
  },
  {
    name: 'kernel', what: 'the installed package on a kernel with IPVS, in the lab',
    async run(place) {
      const folder = await place.npmProject()
      const lab = [join(checkout, 'scripts/bootstrap.mjs'), 'lab', '--timeout', '300', '--', process.execPath, join(folder, 'kernel.mjs')]
      const { status, stdout, stderr } = await run(process.execPath, lab, { cwd: checkout })
      const line = stdout.trim().split('\n').findLast(line => line.startsWith('{'))
      if (status !== 0 || line === undefined) throw new Error(`${stdout}${stderr}`)
      const { runtime, open } = JSON.parse(line) as Report
      return `${runtime}, ${open}`
    },
  },
  manager('pnpm', 'pnpm', { from: 'pnpm', version: 'latest', program: 'bin/pnpm.mjs', args: ['add', 'TARBALL'] }),
  manager('yarn1', 'yarn 1, which compiles what has a binding.gyp', {
    from: 'yarn', version: '1', program: 'bin/yarn.js', args: ['add', 'TARBALL'],
  }),
  manager('yarn4', 'yarn 4 with node_modules, scripts permitted', {
    from: '@yarnpkg/cli-dist', version: '4', program: 'bin/yarn.js', args: ['add', 'ipvs@file:TARBALL'],
    files: { '.yarnrc.yml': 'nodeLinker: node-modules\nenableScripts: true\n', 'yarn.lock': '' },
  }),
  manager('yarn4-pnp', 'yarn 4 with Plug\'n\'Play', {
    from: '@yarnpkg/cli-dist', version: '4', program: 'bin/yarn.js', args: ['add', 'ipvs@file:TARBALL'],
    start: [process.execPath, 'TOOL', 'node'], files: { '.yarnrc.yml': pnp, 'yarn.lock': '' },
  }),
  {
    name: 'bun', what: 'Bun on glibc',
    run: async place => await works(place, await place.npmProject(), [await bun('glibc')]),
  },
  {
    name: 'bun-musl', what: 'Bun on musl: the addon by musl\'s own loader',
    run: async place => seen(await place.report(await place.npmProject(), [...await bunOnMusl(), 'works.mjs'])),
  },
  ...Object.entries(bundlers).map(([name, { tool, config, args }]): Combination => ({
    name: `bundled/${name}`, what: `a program that ${name} has put into one file, with the package left out of it, ESM and CommonJS`,
    async run(place) {
      const folder = await place.npmProject()
      const program = await tool()
      for (const [kind, format] of [['mjs', 'esm'], ['cjs', 'cjs']]) {
        const files = [`works.${kind}`, `bundled.${kind}`, format] as const
        if (config !== undefined) writeFileSync(join(folder, 'bundle.config.mjs'), config(...files))
        await must(process.execPath, [program, ...args(...files)], { cwd: folder })
      }
      const report = await place.report(folder, ['node', 'bundled.mjs'])
      await place.report(folder, ['node', 'bundled.cjs'])
      return `${seen(report)}, ESM and CommonJS`
    },
  })),
  {
    name: 'deno', what: 'Deno, with node_modules',
    run: async place => seen(await place.report(
      await place.npmProject(), [await deno(), 'run', '--quiet', '--allow-all', '--node-modules-dir=manual', 'works.mjs'],
    )),
  },
  ...nodeReleases.map((release): Combination => ({
    name: `glibc-2.31/node@${release}`, what: `Node ${release} on Debian 11's C library`,
    run: async place => await works(place, await place.npmProject(), await nodeOnBullseye(release)),
  })),
  ...(['20', '24', 'newest'] as const).map((release): Combination => ({
    name: `arm64/node@${release}`, what: `Node ${release} for arm64, in an emulator of its processor`,
    run: async place => await works(place, await place.npmProject(), await nodeOnArm64(release), 'prebuilds/linux-arm64/ipvs.node'),
  })),
  {
    name: 'arm64/unit', what: 'the checkout\'s unit tests, on Node 20 for arm64 in an emulator of its processor (ten minutes)',
    run: unitTestsOnArm64,
  },
  ...['5.9', 'latest'].flatMap(version => [undefined, '20', '22', '24', 'latest'].map(types => typescript(version, types, false))),
  typescript('5.9', '24', true),
]
