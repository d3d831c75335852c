import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensure, find } from '../setup/programs.js'
import { initialDisk, type GuestKind } from './guest.js'
import type { Job, Outputs } from './job.js'
import { userModeKernel } from './kernels.js'
import type { Suite } from './suites.js'
import { processorForGuest } from './processor.js'
import { superviseGuest } from './supervise.js'

const kind: GuestKind = {
  mountRoot: 'mount -t hostfs -o /,ro root /lower',
  mountCheckout: 'mkdir -p "$1" && mount -t hostfs -o "$checkout" checkout "$1"',
  channels: { stdout: '/dev/ttyS0', stderr: '/dev/ttyS1', control: '/dev/ttyS2' },
}

/** The guest's memory is a file: best where files are memory, if that has room (a container's /dev/shm is small). */
function memoryFolder(mebibytes: number): string {
  try {
    const { bavail, bsize } = statfsSync('/dev/shm')
    if (bavail * bsize > mebibytes * 2 ** 20) return '/dev/shm'
  } catch { /* there is none */ }
  return tmpdir()
}

/** Runs the job in user-mode Linux: a kernel as a program, system calls slow, all else at native speed. */
export async function runInUml(job: Job, outputs: Outputs, suite: Suite): Promise<number> {
  const kernel = await userModeKernel(suite)
  const folder = mkdtempSync(join(tmpdir(), 'ipvs-lab-'))
  const tidy = (): void => { rmSync(folder, { recursive: true, force: true }) }
  writeFileSync(join(folder, 'initrd'), await initialDisk(kind, job, kernel))
  const args = [
    `mem=${job.memory}M`, `initrd=${join(folder, 'initrd')}`, 'rdinit=/init', 'con=null', 'con0=null,fd:1', 'ssl=null', 'ssl0=null,fd:3', 'ssl1=null,fd:4', 'ssl2=null,fd:5',
    `uml_dir=${folder}/`, 'umid=lab', 'seccomp=on', 'quiet',
  ]
  await ensure('taskset')
  const pinned = ['--cpu-list', String(processorForGuest()), kernel.image, ...args]
  return superviseGuest({ name: 'UML', program: find('taskset')!, args: pinned, environment: { PATH: process.env.PATH, HOME: folder, TMPDIR: memoryFolder(job.memory) }, bootLimit: 120, tidy }, job, outputs)
}
