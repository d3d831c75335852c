import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cacheFolder } from '../setup/cache.js'
import { ensure, find } from '../setup/programs.js'
import { archive, type ArchiveEntry } from './cpio.js'
import type { Foreign } from './foreign.js'
import { quoted, type Job } from './job.js'
import type { Kernel } from './kernels.js'
import { diskModules, ipvsModules, loadOrder, networkModules, readDependencies } from './modules.js'

/** The differences between kinds of guests. */
export interface GuestKind {
  /** Mounts the host's root read-only at /lower. */
  mountRoot: string
  /** Mounts the checkout, writable, at the path $1. */
  mountCheckout: string
  /** Mounts the cache read-only at /cache, for guests with another processor. */
  mountCache?: string
  /** The devices for the command's stdout, its stderr and the control channel, as shell patterns with one match each. */
  channels: { stdout: string, stderr: string, control: string }
  /** Shell commands that this kind needs before the command starts. */
  prepare?: string
}

/** What a guest reports on its control channel. */
export const started = 'started'

/**
 * The first program of a guest. It builds the disk: the host's root, with a file system in memory over it that takes all writes. The guest
 * can therefore change anything without changing the host. Only the checkout is the real one.
 */
const first = (kind: GuestKind, job: Job): string => `#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /lower /upper /root
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null
fail() { echo "lab: $*"; sleep 1; poweroff -f; }
while read -r module; do
  # Without its usual first device, so that the name dummy0 is free.
  case $module in *-dummy.ko) options=numdummies=0 ;; *) options= ;; esac
  insmod "/modules/$module" $options || echo "lab: module $module was refused"
done < /modules/order
${kind.mountRoot} || fail "the disk cannot be mounted"
mount -t tmpfs -o mode=755 upper /upper
mkdir /upper/changes /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/changes,workdir=/upper/work root /root || fail "the disk cannot be protected"
checkout=${quoted(job.checkout)}
set -- "/root$checkout"
# The command may start programs as any user, and folders above the checkout, and above the cache with its Node, may be closed (a home folder is).
# Here they are opened; on the host they stay as they are.
for folder in "$checkout" ${quoted(cacheFolder())}; do
  while [ "$folder" != / ]; do
    folder=$(dirname "$folder")
    mkdir -p "/root$folder"
    chmod a+x "/root$folder"
  done
done
${kind.mountCheckout} || fail "the checkout cannot be mounted"
${job.foreign === undefined ? '' : mountForeign(kind, job.foreign)}
mount --move /proc /root/proc
mount --move /sys /root/sys
mount -t tmpfs -o mode=755 run /root/run
mount --move /dev /root/dev
mkdir -p /root/dev/pts /root/dev/shm /root/run/lab
mount -t devpts -o mode=620,ptmxmode=666 devpts /root/dev/pts
mount -t tmpfs -o mode=1777 shm /root/dev/shm
for link in fd:/proc/self/fd stdin:/proc/self/fd/0 stdout:/proc/self/fd/1 stderr:/proc/self/fd/2; do
  [ -e "/root/dev/\${link%%:*}" ] || ln -s "\${link#*:}" "/root/dev/\${link%%:*}"
done
cp /bin/busybox /job/* /root/run/lab/
exec switch_root /root /run/lab/busybox sh /run/lab/second
`

/**
 * Mounts what a guest with another processor has of its own: the cache at its own path, as protected as the disk, and over the checkout's
 * packages and its compiled addon those for its processor.
 */
const mountForeign = (kind: GuestKind, { modules, addon }: Foreign): string => `
cache=${quoted(cacheFolder())}
mkdir -p /cache /upper/cache /upper/cache-work "/root$cache"
${kind.mountCache} || fail "the cache cannot be mounted"
mount -t overlay -o lowerdir=/cache,upperdir=/upper/cache,workdir=/upper/cache-work cache "/root$cache" || fail "the cache cannot be protected"
mount --bind /root${quoted(modules)} "$1/node_modules" || fail "the packages cannot be put over the checkout's"
mkdir -p "$1/build/Release"
[ -e "$1/build/Release/ipvs.node" ] || touch "$1/build/Release/ipvs.node"
mount --bind /root${quoted(addon)} "$1/build/Release/ipvs.node" || fail "the addon cannot be put over the checkout's"
`

/** The program that takes over on the real disk. It runs the command, reports how it ended, and shuts the guest down. */
const second = (kind: GuestKind, job: Job, kernel: Kernel): string => `
b=/run/lab/busybox
export PATH=${quoted(job.environment.PATH)}
$b hostname lab
$b ifconfig lo up
echo /run/lab/modprobe > /proc/sys/kernel/modprobe
${kind.prepare ?? ''}
${job.withoutIpvs ? '' : `$b mkdir -p /lib/modules
[ -e /lib/modules/${kernel.release} ] || $b ln -s ${quoted(kernel.modules)} /lib/modules/${kernel.release}`}
ulimit -n 65536
stdout=$(echo ${kind.channels.stdout}) stderr=$(echo ${kind.channels.stderr}) control=$(echo ${kind.channels.control})
exec 7>$control
for channel in $stdout $stderr $control; do
  case $channel in */tty*) $b stty -F $channel raw -echo ;; esac
done
$b mkfifo /run/lab/out /run/lab/err
$b cat < /run/lab/out > $stdout &
out=$!
$b cat < /run/lab/err > $stderr &
err=$!
echo ${started} >&7
# Not busybox's shell, which prefers its own programs to those on PATH.
$b setsid /bin/sh /run/lab/command < /dev/null > /run/lab/out 2> /run/lab/err 7>&-
status=$?
# What the command left running holds its output open.
for process in /proc/[0-9]*; do
  process=\${process#/proc/}
  case $process in 1|$out|$err) continue ;; esac
  kill -9 $process 2>/dev/null
done
wait $out $err
$b sync
echo "exit $status" >&7
exec 7>&-
$b sync
$b umount ${quoted(job.checkout)} 2>/dev/null
$b sync
$b poweroff -f
`

const commandScript = (job: Job): string => [
  ...Object.entries(job.environment).map(([name, value]) => `export ${name}=${quoted(value)}`),
  `cd ${quoted(job.directory)} || exit 1`,
  `exec ${job.command.map(quoted).join(' ')}`,
  '',
].join('\n')

/** The kernel loads modules through this script. It runs modprobe with the path of its libraries. */
const modprobe = (job: Job): string => job.withoutIpvs
  ? '#!/bin/sh\nexit 1\n'
  : `#!/bin/sh\nexport PATH=${quoted(job.environment.PATH)} LD_LIBRARY_PATH=${quoted(job.environment.LD_LIBRARY_PATH ?? '')}\nexec modprobe "$@"\n`

/** The initial RAM disk of a guest: a shell, the modules in their order, the job. */
export async function initialDisk(kind: GuestKind, job: Job, kernel: Kernel): Promise<Buffer> {
  await ensure('busybox', 'kmod')
  const busybox = job.foreign === undefined ? find('busybox')! : join(job.foreign.root, 'bin/busybox')
  const dependencies = readDependencies(readFileSync(join(kernel.modules, 'modules.dep'), 'utf8'))
  const files = loadOrder([...diskModules, ...networkModules, ...job.withoutIpvs ? [] : ipvsModules], dependencies)
  const names = files.map((file, index) => `${String(index).padStart(3, '0')}-${file.slice(file.lastIndexOf('/') + 1)}`)
  const script = (path: string, text: string): ArchiveEntry => ({ path, mode: 0o755, content: Buffer.from(text) })
  return archive([
    ...['bin/', 'dev/', 'job/', 'modules/'].map(path => ({ path, mode: 0o755 })),
    { path: 'bin/busybox', mode: 0o755, content: readFileSync(busybox) },
    script('init', first(kind, job)),
    script('job/second', second(kind, job, kernel)),
    script('job/command', commandScript(job)),
    script('job/modprobe', modprobe(job)),
    { path: 'modules/order', mode: 0o644, content: Buffer.from(names.map(name => `${name}\n`).join('')) },
    ...files.map((file, index) => ({ path: `modules/${names[index]}`, mode: 0o644, content: readFileSync(join(kernel.modules, file)) })),
  ])
}
