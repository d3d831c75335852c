import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Architecture } from '../prebuild/check.js'
import { cacheFolder } from '../setup/cache.js'
import { ensure, find, type Program } from '../setup/programs.js'
import { initialDisk, type GuestKind } from './guest.js'
import type { Job, Outputs } from './job.js'
import { distributionKernel } from './kernels.js'
import type { Suite } from './suites.js'
import { superviseGuest } from './supervise.js'

const kind: GuestKind = {
  mountRoot: 'mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose,noxattr root /lower',
  mountCache: 'mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose,noxattr cache /cache',
  mountCheckout: 'mkdir -p "$1" && mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose checkout "$1"',
  // Ports are named after the number of their virtio device, which differs between kernels.
  channels: { stdout: '/dev/vport*p1', stderr: '/dev/vport*p2', control: '/dev/vport*p3' },
}

/** The processors that QEMU emulates here, and the machines around them. */
const machines: Record<Architecture, {
  program: Program, debian: 'amd64' | 'arm64', machine: string[], processor: string, console: string, parameters: string
}> = {
  x64: {
    program: 'qemu-system-x86_64', debian: 'amd64', machine: [], processor: 'max', console: 'ttyS0',
    parameters: 'tsc=reliable clocksource=tsc mitigations=off',
  },
  // Not 'max', whose pointer authentication takes longer than the code that it protects.
  arm64: {
    program: 'qemu-system-aarch64', debian: 'arm64', machine: ['-machine', 'virt,gic-version=3'], processor: 'cortex-a72', console: 'ttyAMA0',
    parameters: 'mitigations=off',
  },
}

/** Whether KVM works: /dev/kvm may exist, and even open, on a processor without virtualisation. */
function hasKvm(): boolean {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK)
    return /^flags\b.*\b(vmx|svm)\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'))
  } catch {
    return false
  }
}

/** Runs the job in QEMU, with any distribution's kernel and several processors. All code is emulated unless there is KVM. */
export async function runInQemu(job: Job, outputs: Outputs, suite: Suite): Promise<number> {
  const { program, debian, machine, processor, console, parameters } = machines[job.foreign?.architecture ?? 'x64']
  await ensure(program)
  const kernel = await distributionKernel(suite, debian)
  const qemu = find(program)!
  const folder = mkdtempSync(join(tmpdir(), 'ipvs-lab-'))
  const tidy = (): void => { rmSync(folder, { recursive: true, force: true }) }
  writeFileSync(join(folder, 'initrd'), await initialDisk(kind, job, kernel))
  const share = (tag: string, path: string, options: string): string[] =>
    ['-virtfs', `local,path=${path.replaceAll(',', ',,')},mount_tag=${tag},security_model=none,multidevs=remap${options}`]
  const channel = (descriptor: number): string[] =>
    [
      '-chardev', `socket,id=channel${descriptor},fd=${descriptor}`, '-device',
      `virtserialport,chardev=channel${descriptor},nr=${descriptor - 2}`,
    ]
  const kvm = job.foreign === undefined && hasKvm()
  const args = [
    ...machine, ...kvm ? ['-accel', 'kvm', '-cpu', 'host'] : ['-accel', 'tcg,thread=multi', '-cpu', processor],
    '-smp', String(job.processors), '-m', `${job.memory}M`, '-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none', '-serial',
    'stdio',
    '-kernel', kernel.image, '-initrd', join(folder, 'initrd'),
    '-append', `console=${console} quiet panic=-1 ${kvm ? '' : `${parameters} `}random.trust_cpu=on`,
    ...share('root', job.foreign?.root ?? '/', ',readonly=on'), ...share('checkout', job.checkout, ''),
    ...job.foreign === undefined ? [] : share('cache', cacheFolder(), ',readonly=on'),
    '-device', 'virtio-rng-pci', '-device', 'virtio-serial-pci', ...[3, 4, 5].flatMap(channel),
  ]
  return superviseGuest({ name: 'QEMU', program: qemu, args, environment: process.env, bootLimit: 300, tidy }, job, outputs)
}
