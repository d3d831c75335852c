import { createHash } from 'node:crypto'
import {
  cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { checkout } from '../setup/checkout.js'
import { find } from '../setup/programs.js'
import { must, run } from '../setup/run.js'

/** Programs of this machine that nobody may count on who installs the package. */
const compilers = /^(cc|c\+\+|gcc|g\+\+|clang|make|gmake|ninja|cmake|python\d?|ld|as)([-.].*)?$|-(gcc|g\+\+|cpp)(-\d+)?$/

const programs = join(checkout, 'scripts/install-test/programs')

/** A package manager or a runtime that could not be had. It says nothing of the package. */
export class Unavailable extends Error {}

/** Does what only the network can refuse. */
export async function available<T>(what: string, get: () => Promise<T>): Promise<T> {
  try {
    return await get()
  } catch (error) {
    const last = (error as Error).message.trim().split('\n').filter(line => line.trim() !== '').at(-1)
    throw new Unavailable(`${what} cannot be had here: ${last}`, { cause: error })
  }
}

/** Folders with empty projects, outside of the checkout, whose packages would be found otherwise. They go with this object. */
export class Workplace {
  readonly #folder = mkdtempSync('/var/tmp/ipvs-install-')
  readonly #projects = new Map<string, Promise<string>>()
  readonly #path: string

  /** @param tarball what `npm pack` made */
  constructor(readonly tarball: string) {
    this.#path = join(this.#folder, 'path')
    mkdirSync(this.#path)
    for (const folder of ['/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin'].filter(existsSync)) {
      for (const name of readdirSync(folder)) {
        if (!compilers.test(name) && !existsSync(join(this.#path, name))) symlinkSync(join(folder, name), join(this.#path, name))
      }
    }
    for (const name of ['node', 'npm', 'npx']) {
      rmSync(join(this.#path, name), { force: true })
      symlinkSync(name === 'node' ? process.execPath : realpathSync(find(name)!), join(this.#path, name))
    }
  }

  /** The environment of someone who has no compiler: of this one nothing but what leads to the network and to caches. */
  get environment(): NodeJS.ProcessEnv {
    return {
      ...Object.fromEntries(Object.keys(process.env).filter(name => /^npm_|^NODE_OPTIONS$/.test(name)).map(name => [name, undefined])),
      PATH: this.#path, CI: 'true', NO_COLOR: '1', FORCE_COLOR: undefined,
    }
  }

  /** An empty folder. */
  folder(name: string): string {
    const folder = join(this.#folder, name)
    mkdirSync(folder)
    return folder
  }

  /** An empty project with the programs of this test. */
  project(name: string): string {
    const folder = this.folder(name)
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    cpSync(programs, folder, { recursive: true })
    return folder
  }

  /** A project that is installed once, for all that use it. */
  installed(name: string, install: (folder: string) => Promise<void>): Promise<string> {
    let project = this.#projects.get(name)
    if (project === undefined) {
      const folder = this.project(name)
      project = install(folder).then(() => folder)
      this.#projects.set(name, project)
    }
    return project
  }

  /** The project that npm installs the tarball into. */
  npmProject(): Promise<string> {
    return this.installed('npm', folder => this.npm(folder, ['install', this.tarball]))
  }

  /** Runs npm in a project. */
  async npm(folder: string, args: string[]): Promise<void> {
    await must('npm', [...args, '--no-audit', '--no-fund'], { cwd: folder, env: this.environment })
  }

  /** Runs a program in a project without compilers, and returns what it printed last as an object. */
  async report(folder: string, command: string[], env: NodeJS.ProcessEnv = {}): Promise<Report> {
    const { status, stdout, stderr } = await run(command[0], command.slice(1), { cwd: folder, env: { ...this.environment, ...env } })
    const line = stdout.trim().split('\n').at(-1) ?? ''
    if (status !== 0 || !line.startsWith('{')) {
      throw new Error(`${command.map(word => basename(word)).join(' ')} ended with status ${status}\n${stdout}${stderr}`)
    }
    const report = JSON.parse(line) as Report
    if (report.code !== undefined && report.code !== await this.#code()) {
      throw new Error('what was installed is not what is in the tarball: it comes from a cache')
    }
    return report
  }

  /** The hash of the tarball's code. */
  async #code(): Promise<string> {
    const folder = join(this.#folder, 'tarball')
    if (!existsSync(folder)) {
      mkdirSync(folder)
      await must('tar', ['-xzf', this.tarball, '-C', folder])
    }
    const code = join(folder, 'package/dist/package')
    const hash = createHash('sha256')
    for (const name of readdirSync(code).sort()) hash.update(readFileSync(join(code, name)))
    return hash.digest('hex')
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** What the programs of this test print. `code` is the hash of what was installed. */
export interface Report { runtime: string, open: string, addon?: string, code?: string }

/** What `npm pack` made: the file, its bytes, and what is in it. */
export interface Packed { file: string, size: number, files: { path: string, size: number }[] }

/** Packs the checkout as `npm publish` would; without `isWhole`, with the prebuilt addons that there are. */
export async function packed(isWhole = true): Promise<Packed> {
  const folder = join(checkout, isWhole ? 'build/release' : 'build/tests/package')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const options = ['--json', '--pack-destination', folder, ...isWhole ? [] : ['--ignore-scripts']]
  const printed = await must('npm', ['pack', ...options], { cwd: checkout })
  type Printed = [Omit<Packed, 'file'> & { filename: string }]
  const [{ filename, size, files }] = JSON.parse(printed.slice(printed.search(/^\[/m))) as Printed
  return { file: join(folder, filename), size, files }
}

/** How many packages a project has installed. */
export const packagesOf = (folder: string): number =>
  Object.keys((JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')) as { packages: object }).packages).length - 1

/** Bytes of a file. */
export const sizeOf = (file: string): number => statSync(file).size
