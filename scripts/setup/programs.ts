import { accessSync, constants, existsSync, lstatSync, readdirSync, readlinkSync, statSync, symlinkSync, unlinkSync } from 'node:fs'
import { delimiter, dirname, join, relative } from 'node:path'
import { hasApt, machineSuite, PackageSuite } from './apt.js'
import { cached } from './cache.js'
import { run, say } from './run.js'
import { inTurn } from './turn.js'

/** The programs that the lab, the build and the tests start, and the Debian packages that contain them. */
const packages = {
  'aarch64-linux-gnu-g++': ['g++-aarch64-linux-gnu'],
  'bird': ['bird2'],
  'birdc': ['bird2'],
  'busybox': ['busybox-static'],
  'c++': ['g++'],
  // The run-time libraries of sanitizers and libFuzzer are in a separate package.
  'clang++': ['clang', 'libclang-rt-dev'],
  'cmake': ['cmake'],
  'conntrack': ['conntrack'],
  'curl': ['curl'],
  'etcd': ['etcd-server'],
  'etcdctl': ['etcd-client'],
  'fish': ['fish'],
  'ip': ['iproute2'],
  'iptables': ['iptables'],
  'keepalived': ['keepalived'],
  'ipvsadm': ['ipvsadm'],
  'kmod': ['kmod'],
  'make': ['make'],
  'man': ['man-db'],
  'nft': ['nftables'],
  'openssl': ['openssl'],
  'patchelf': ['patchelf'],
  'python3': ['python3'],
  'qemu-aarch64-static': ['qemu-user-static'],
  'qemu-system-aarch64': ['qemu-system-arm'],
  'qemu-system-x86_64': ['qemu-system-x86'],
  'strace': ['strace'],
  'taskset': ['util-linux'],
  'tcpdump': ['tcpdump'],
  'tmux': ['tmux'],
  'unshare': ['util-linux'],
  'x86_64-linux-gnu-g++': ['g++-x86-64-linux-gnu'],
  'xz': ['xz-utils'],
  'zsh': ['zsh'],
  'zstd': ['zstd'],
} as const satisfies Record<string, string[]>

export type Program = keyof typeof packages

/** The Debian packages that contain programs. */
export const packagesOf = (programs: readonly Program[]): string[] => [...new Set(programs.flatMap(program => [...packages[program]]))]

/** Programs that Debian links at installation (update-alternatives). Unpacking a package does not do that. */
const alternatives: Record<string, string> = {
  'usr/sbin/iptables': 'iptables-nft',
  'usr/sbin/ip6tables': 'ip6tables-nft',
  'usr/sbin/iptables-save': 'iptables-nft-save',
  'usr/sbin/ip6tables-save': 'ip6tables-nft-save',
}

const systemFolders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** Finds a program on PATH or in the system's folders for root. */
export function find(program: string): string | undefined {
  const folders = new Set([...(process.env.PATH ?? '').split(delimiter), ...systemFolders])
  for (const folder of folders) {
    const path = join(folder, program)
    try {
      accessSync(path, constants.X_OK)
      if (statSync(path).isFile()) return path
    } catch { /* the next one */ }
  }
  return undefined
}

/**
 * Makes programs available to this process and its children. As root it installs their packages; otherwise it unpacks them into the cache
 * and extends PATH and LD_LIBRARY_PATH.
 * @throws Error with the command to run if neither works
 */
export async function ensure(...programs: Program[]): Promise<void> {
  const paths = (process.env.PATH ?? '').split(delimiter)
  process.env.PATH = [...paths, ...systemFolders.filter(folder => !paths.includes(folder))].join(delimiter)
  if (programs.every(program => find(program) !== undefined)) return
  await inTurn('programs', () => bring(programs))
}

async function bring(programs: Program[]): Promise<void> {
  const missing = programs.filter(program => find(program) === undefined)
  if (missing.length === 0) return
  const wanted = missing.flatMap(program => [...packages[program]])
  const line = `apt-get install -y --no-install-recommends ${wanted.join(' ')}`
  try {
    if (!await hasApt()) throw new Error('packages are known for Debian and its derivatives on x86-64 only')
    if (process.getuid?.() === 0) await install(wanted)
    else for (const program of missing) await unpack(program)
  } catch (error) {
    throw new Error(
      `${missing.join(', ')}: not found, and could not be installed (${(error as Error).message}).\nRun this as root, or install the programs in your system's own way: ${line}`, { cause: error },
    )
  }
  const still = missing.filter(program => find(program) === undefined)
  if (still.length > 0) throw new Error(`${still.join(', ')}: still not found after installing ${wanted.join(', ')}. Run as root: ${line}`)
}

async function install(wanted: string[]): Promise<void> {
  say(`setup: installing ${wanted.join(' ')}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  // Waits for apt's lock, because another installation may be in progress.
  const install = (names: string[]) =>
    run('apt-get', ['-o', 'DPkg::Lock::Timeout=300', 'install', '-y', '--no-install-recommends', ...names], { env })
  if ((await install(wanted)).status === 0) return
  await run('apt-get', ['-q', 'update'], { env })
  const { status, stderr } = await install(wanted)
  if (status !== 0) throw new Error(stderr.trim().split('\n').at(-1))
}

async function unpack(program: Program): Promise<void> {
  const root = await cached(`programs/${program}`, async folder => {
    const suite = machineSuite()
    if (suite === undefined) throw new Error('/etc/os-release names no suite')
    say(`setup: unpacking ${packages[program].join(' ')} into the cache`)
    const open = await PackageSuite.open(suite, join(folder, '.apt'), { installed: true })
    await open.unpack(await open.missing([...packages[program]]), folder, join(folder, '.apt/packages'))
    await run('rm', ['-rf', join(folder, '.apt')])
    relink(folder, folder)
    for (const [link, target] of Object.entries(alternatives)) {
      if (existsSync(join(folder, dirname(link), target)) && !existsSync(join(folder, link))) symlinkSync(target, join(folder, link))
    }
  })
  const libraries = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu', 'usr/lib', 'lib']
  extend('PATH', ['usr/sbin', 'usr/bin', 'sbin', 'bin'].map(folder => join(root, folder)))
  extend('LD_LIBRARY_PATH', libraries.map(folder => join(root, folder)))
  const xtables = join(root, 'usr/lib/x86_64-linux-gnu/xtables')
  if (existsSync(xtables)) process.env.XTABLES_LIBDIR = xtables
}

const extend = (variable: string, folders: string[]): void => {
  process.env[variable] = [
    ...folders.filter(folder => existsSync(folder)), ...(process.env[variable] ?? '').split(delimiter),
  ].filter(part => part !== '').join(delimiter)
}

/** Redirects a package's absolute links to the folder it was unpacked to. */
function relink(folder: string, root: string): void {
  for (const entry of readdirSync(folder)) {
    const path = join(folder, entry)
    const kind = lstatSync(path)
    if (kind.isDirectory()) relink(path, root)
    if (!kind.isSymbolicLink()) continue
    const target = readlinkSync(path)
    if (!target.startsWith('/') || !existsSync(join(root, target))) continue
    unlinkSync(path)
    symlinkSync(relative(folder, join(root, target)), path)
  }
}
