import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensure, find } from '../setup/programs.js'
import { initialDisk, type GuestKind } from './guest.js'
import type { Job, Outputs } from './job.js'
import { distributionKernel } from './kernels.js'
import type { Suite } from './suites.js'
import { superviseGuest } from './supervise.js'

const kind: GuestKind = {
  mountRoot: 'mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose,noxattr root /lower',
  mountCheckout: 'mkdir -p "$1" && mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose checkout "$1"',
  // Ports are named after the number of their virtio device, which differs between kernels.
  channels: { stdout: '/dev/vport*p1', stderr: '/dev/vport*p2', control: '/dev/vport*p3' },
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
  await ensure('qemu-system-x86_64')
  const kernel = await distributionKernel(suite)
  const qemu = find('qemu-system-x86_64')!
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
  const kvm = hasKvm()
  const args = [
    ...kvm ? ['-accel', 'kvm', '-cpu', 'host'] : ['-accel', 'tcg,thread=multi', '-cpu', 'max'],
    '-smp', String(job.processors), '-m', `${job.memory}M`, '-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none', '-serial',
    'stdio',
    '-kernel', kernel.image, '-initrd', join(folder, 'initrd'),
    '-append', `console=ttyS0 quiet panic=-1 ${kvm ? '' : 'tsc=reliable clocksource=tsc mitigations=off '}random.trust_cpu=on`,
    ...share('root', '/', ',readonly=on'), ...share('checkout', job.checkout, ''),
    '-device', 'virtio-rng-pci', '-device', 'virtio-serial-pci', ...[3, 4, 5].flatMap(channel),
  ]
  return superviseGuest({ name: 'QEMU', program: qemu, args, environment: process.env, bootLimit: 300, tidy }, job, outputs)
}
