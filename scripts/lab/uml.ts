import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensure, find } from '../setup/programs.js'
import { initialDisk, type GuestKind } from './guest.js'
import type { Job, Outputs } from './job.js'
import { userModeKernel } from './kernels.js'
import { guestName, onOwnProcessor } from './processor.js'
import type { Suite } from './suites.js'
import { superviseGuest } from './supervise.js'

const kind: GuestKind = {
  mountRoot: 'mount -t hostfs -o /,ro root /lower',
  mountCheckout: 'mkdir -p "$1" && mount -t hostfs -o "$checkout" checkout "$1"',
  channels: { stdout: '/dev/ttyS0', stderr: '/dev/ttyS1', control: '/dev/ttyS2' },
  // A process that has mapped an io_uring crashes the guest when it forks ("Bad page map", panic). Node 22 and later do, because libuv uses
  // io_uring.
  prepare: 'echo 2 > /proc/sys/kernel/io_uring_disabled',
}

/** The guest's memory is a file. It belongs on a file system in memory, if that has room (a container's /dev/shm is small). */
function memoryFolder(mebibytes: number): string {
  try {
    const { bavail, bsize } = statfsSync('/dev/shm')
    if (bavail * bsize > mebibytes * 2 ** 20) return '/dev/shm'
  } catch { /* there is none */ }
  return tmpdir()
}

/** Runs the job in user-mode Linux, a kernel that is a program. System calls are slow, everything else runs at native speed. */
export async function runInUml(job: Job, outputs: Outputs, suite: Suite): Promise<number> {
  const kernel = await userModeKernel(suite)
  const folder = mkdtempSync(join(tmpdir(), 'ipvs-lab-'))
  const tidy = (): void => { rmSync(folder, { recursive: true, force: true }) }
  writeFileSync(join(folder, 'initrd'), await initialDisk(kind, job, kernel))
  const args = (processor: number): string[] => [
    '--cpu-list', String(processor), kernel.image,
    `mem=${job.memory}M`, `initrd=${join(folder, 'initrd')}`, 'rdinit=/init', 'con=null', 'con0=null,fd:1', 'ssl=null', 'ssl0=null,fd:3',
    'ssl1=null,fd:4', 'ssl2=null,fd:5',
    `uml_dir=${folder}/`, guestName(processor), 'seccomp=on', 'quiet',
  ]
  await ensure('taskset')
  const environment = { PATH: process.env.PATH, HOME: folder, TMPDIR: memoryFolder(job.memory) }
  // Wrapped in an object, because awaiting the promise itself would block other guests until this one has ended.
  const { status } = await onOwnProcessor(processor =>
    ({
      status: superviseGuest(
        { name: 'UML', program: find('taskset')!, args: args(processor), environment, bootLimit: 120, tidy }, job, outputs,
      ),
    }))
  return status
}
