import { hasApt } from '../setup/apt.js'
import type { LabArguments, PlaceName } from './arguments.js'
import { probeHost, runOnHost } from './host.js'
import { CannotStart, type Job, type Outputs } from './job.js'
import { runInQemu } from './qemu.js'
import type { Suite } from './suites.js'
import { runInUml } from './uml.js'

/** A place to run a command on a kernel with IPVS. */
export interface Place {
  name: PlaceName
  describe: (suite: Suite) => string
  suite: Suite
  /** @throws CannotStart if the command was not started, so that another place can be tried. */
  run: (job: Job, outputs: Outputs, suite: Suite) => Promise<number>
  /** @throws CannotStart with the reason if it is clear beforehand that this place cannot be used. */
  probe: () => Promise<void>
}

async function probeGuests(): Promise<void> {
  if (!await hasApt()) {
    throw new CannotStart(
      'guests are there for Debian and its derivatives on x86-64; elsewhere the host serves: its kernel needs IPVS, and the lab root',
    )
  }
}

export const places: Record<PlaceName, Place> = {
  host: {
    name: 'host', describe: () => 'this machine\'s kernel, in a network namespace of its own', suite: 'sid', run: runOnHost,
    probe: probeHost,
  },
  uml: { name: 'uml', describe: suite => `user-mode Linux of ${suite}`, suite: 'sid', run: runInUml, probe: probeGuests },
  qemu: { name: 'qemu', describe: suite => `QEMU with the kernel of ${suite}`, suite: 'bookworm', run: runInQemu, probe: probeGuests },
}

/**
 * The places to try, in order. A suite is asked for: guests only, and UML only for sid, whose kernel starts on every processor known so far
 * (those of the stable suites do not on ones with AMX). Only QEMU emulates another processor.
 */
export function candidates(
  { on, suite, withoutIpvs, architecture }: Pick<LabArguments, 'on' | 'suite' | 'withoutIpvs' | 'architecture'>,
): PlaceName[] {
  if (on !== undefined) return [on]
  if (architecture !== undefined && architecture !== process.arch) return ['qemu']
  if (suite !== undefined) return suite === 'sid' ? ['uml', 'qemu'] : ['qemu']
  return withoutIpvs ? ['uml', 'qemu'] : ['host', 'uml', 'qemu']
}
