import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { must, run } from './run.js'

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'

/** Whether packages are available here: on Debian or one of its derivatives, on x86-64. */
export async function hasApt(): Promise<boolean> {
  return process.arch === 'x64' && (await run('apt-get', ['--version'])).status === 0
}

/** The site of this machine's packages. If the machine has no lists yet (a fresh container), they are fetched into `folder`. */
async function site(folder: string): Promise<string> {
  const own = ['-o', `Dir::State::lists=${join(folder, 'machine')}`, '-o', 'Debug::NoLocking=true', '-o', 'APT::Sandbox::User=']
  const ask = async (options: string[]): Promise<string[]> =>
    (await run(
      'apt-get', [...options, 'indextargets', '--format', '$(SITE)', 'Created-By: Packages'],
    )).stdout.split('\n').filter(line => line !== '')
  let sites = await ask([])
  if (sites.length === 0) {
    mkdirSync(join(folder, 'machine/partial'), { recursive: true })
    await run('apt-get', [...own, '-q', 'update'])
    sites = await ask(own)
  }
  // There may be other sources too. The distribution's own site has its name in the path.
  const found = sites.find(line => /\/debian\/?$/.test(line)) ?? sites[0]
  if (found === undefined) throw new Error('apt-get knows no package source: check /etc/apt/sources.list')
  return found
}

/**
 * The packages of one suite, through a private apt configuration. Does not touch the machine's sources and lists, and does not need root.
 */
export class PackageSuite {
  private constructor(readonly suite: string, private readonly options: string[]) {}

  /**
   * Fetches the suite's lists into `folder`. With `installed`, this machine's packages count as installed. `architecture` is Debian's word
   * for another processor, for packages that are only unpacked.
   */
  static async open(
    suite: string, folder: string, { installed = false, components = 'main', architecture = undefined as string | undefined } = {},
  ): Promise<PackageSuite> {
    for (const part of ['lists/partial', 'cache/archives/partial']) mkdirSync(join(folder, part), { recursive: true })
    writeFileSync(join(folder, 'sources.list'), `deb [signed-by=${keyring}] ${await site(folder)} ${suite} ${components}\n`)
    const options = {
      'Dir::Etc::sourcelist': join(folder, 'sources.list'),
      'Dir::Etc::sourceparts': '/dev/null',
      'Dir::State::lists': join(folder, 'lists'),
      'Dir::Cache': join(folder, 'cache'),
      ...(installed ? {} : { 'Dir::State::status': '/dev/null' }),
      ...(architecture === undefined ? {} : { 'APT::Architecture': architecture, 'APT::Architectures': architecture }),
      'Acquire::Languages': 'none',
      'Acquire::Retries': '3',
      'APT::Get::List-Cleanup': 'false',
      'Debug::NoLocking': 'true',
      // Downloads as the caller, because apt's own user may be unable to read the folder.
      'APT::Sandbox::User': '',
    }
    const opened = new PackageSuite(suite, Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]))
    const updated = await run('apt-get', [...opened.options, '-q', 'update'])
    if (updated.status !== 0 || /^[EW]:.*Failed to fetch/m.test(updated.stderr)) {
      throw new Error(`the package lists of ${suite} cannot be fetched: ${updated.stderr.trim()}`)
    }
    return opened
  }

  /** The names that a package depends on, alternatives included. */
  async depends(name: string): Promise<string[]> {
    const shown = await must('apt-cache', [...this.options, 'show', '--no-all-versions', name])
    const line = /^Depends: (.*)$/m.exec(shown)?.[1] ?? ''
    return line.split(/[,|]/).map(part => part.trim().split(/[\s(:]/)[0]).filter(part => part !== '')
  }

  /** The packages that would have to be installed, including these. */
  async missing(names: string[]): Promise<string[]> {
    const simulated = await must('apt-get', [...this.options, '-s', '--no-install-recommends', 'install', ...names])
    return [...simulated.matchAll(/^Inst (\S+)/gm)].map(match => match[1])
  }

  /** Downloads packages (signatures are checked by apt) and unpacks them into a folder. */
  async unpack(names: string[], into: string, scratch: string): Promise<void> {
    mkdirSync(scratch, { recursive: true })
    await must('apt-get', [...this.options, '-q', 'download', ...names], { cwd: scratch })
    for (const file of readdirSync(scratch).filter(file => file.endsWith('.deb'))) await must('dpkg-deb', ['-x', join(scratch, file), into])
  }
}

/** This machine's suite, according to os-release. */
export function machineSuite(): string | undefined {
  const release = readFileSync('/etc/os-release', 'utf8')
  return /^VERSION_CODENAME="?([^"\n]*)"?$/m.exec(release)?.[1]
}
