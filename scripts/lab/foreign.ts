import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { prebuild, prebuilt } from '../prebuild/make.js'
import type { Architecture } from '../prebuild/check.js'
import { machineSuite, PackageSuite } from '../setup/apt.js'
import { cached } from '../setup/cache.js'
import { checkout } from '../setup/checkout.js'
import { fetchedPackage } from '../setup/fetched.js'
import { nodeProgramFor } from '../setup/node.js'
import { packagesOf, type Program } from '../setup/programs.js'
import { must, say } from '../setup/run.js'

/**
 * What a guest with another processor has in place of what this machine has: this machine's programs are for its own. Everything lies in
 * the cache, whose path is the same in the guest.
 */
export interface Foreign {
  architecture: Architecture
  /** The root of its disk: a small Debian, which was unpacked and never installed. */
  root: string
  /** The checkout's packages, with native parts for its processor. */
  modules: string
  /** The package's own addon for its processor. */
  addon: string
  /** The command's variables that differ: its search path has Node, npm and the root's programs. */
  environment: NodeJS.ProcessEnv
}

const base = [
  'base-files', 'base-passwd', 'bash', 'coreutils', 'dash', 'diffutils', 'findutils', 'grep', 'hostname', 'libatomic1', 'libstdc++6', 'mawk', 'netbase',
  'procps', 'sed', 'tar', 'util-linux',
]

/** Programs that tests start in a guest. */
const programs: Program[] = [
  'bird', 'busybox', 'conntrack', 'curl', 'etcd', 'etcdctl', 'ip', 'iptables', 'ipvsadm', 'keepalived', 'kmod', 'nft', 'openssl', 'strace', 'tmux',
]

/** The cache's name of what is made from a list of words. */
const nameOf = (...words: string[]): string => createHash('sha256').update(words.join('\n')).digest('hex').slice(0, 12)

/** What the packages' own scripts would have done, as far as programs in a guest ask for it. */
function finish(root: string): void {
  for (const file of ['passwd', 'group']) copyFileSync(join(root, `usr/share/base-passwd/${file}.master`), join(root, 'etc', file))
  writeFileSync(join(root, 'etc/hosts'), '127.0.0.1 localhost\n::1 localhost\n')
  const links = {
    'usr/bin/awk': 'mawk', 'usr/bin/sh': 'dash',
    'usr/sbin/iptables': 'iptables-nft', 'usr/sbin/ip6tables': 'ip6tables-nft',
    'usr/sbin/iptables-save': 'iptables-nft-save', 'usr/sbin/ip6tables-save': 'ip6tables-nft-save',
  }
  for (const [link, target] of Object.entries(links)) if (!existsSync(join(root, link))) symlinkSync(target, join(root, link))
  for (const folder of ['proc', 'sys', 'dev', 'run', 'tmp', 'root']) mkdirSync(join(root, folder), { recursive: true })
}

/** A Debian for another processor. Its suite is this machine's: tests meet the same versions of programs. */
async function debian(architecture: Architecture): Promise<string> {
  const suite = machineSuite() ?? 'stable'
  const names = [...base, ...packagesOf(programs)]
  return await cached(`roots/guest-${architecture}-${suite}-${nameOf(...names)}`, async folder => {
    const apt = join(folder, '.apt')
    const packages = await PackageSuite.open(suite, apt, { architecture })
    const all = await packages.missing(names)
    say(`lab: fetching a Debian for ${architecture}, ${all.length} packages of ${suite}`)
    for (const name of ['bin', 'lib', 'sbin']) {
      mkdirSync(join(folder, 'usr', name), { recursive: true })
      symlinkSync(`usr/${name}`, join(folder, name))
    }
    await packages.unpack(all, folder, join(apt, 'packages'))
    rmSync(apt, { recursive: true })
    finish(folder)
  })
}

/** The packages of package-lock.json. */
async function modulesFor(architecture: Architecture): Promise<string> {
  const lock = readFileSync(join(checkout, 'package-lock.json'), 'utf8')
  const folder = await cached(`modules/${architecture}-${nameOf(lock)}`, async folder => {
    say(`lab: fetching the packages of package-lock.json for ${architecture}`)
    mkdirSync(folder, { recursive: true })
    for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(checkout, file), join(folder, file))
    const options = [`--cpu=${architecture}`, '--os=linux', '--libc=glibc', '--ignore-scripts', '--no-audit', '--no-fund']
    await must('npm', ['ci', ...options], { cwd: folder })
  })
  return join(folder, 'node_modules')
}

/** Brings what a guest with another processor needs, with this release of Node. */
export async function foreign(architecture: Architecture, release: string): Promise<Foreign> {
  const [root, modules, node, npm] = [
    await debian(architecture), await modulesFor(architecture), await nodeProgramFor(architecture, release), await fetchedPackage('npm', '11'),
  ]
  await prebuild(architecture)
  const folders = [dirname(node), join(npm, '../.bin'), '/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']
  const environment = { PATH: folders.join(':'), LD_LIBRARY_PATH: undefined, XTABLES_LIBDIR: undefined }
  return { architecture, root, modules, addon: prebuilt(architecture), environment }
}
