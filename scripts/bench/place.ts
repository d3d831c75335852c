import { readFileSync } from 'node:fs'
import { arch, availableParallelism, release } from 'node:os'

/**
 * What a figure was measured on: user-mode Linux (system calls are dear), QEMU's software emulation (instructions are), or a kernel that
 * runs on the processor itself.
 */
export type Place = 'uml' | 'tcg' | 'native'

/** Tells where this process runs, from what the processor calls itself. */
export function place(cpuinfo = readFileSync('/proc/cpuinfo', 'latin1')): Place {
  if (/^vendor_id\s*:\s*User Mode Linux/m.test(cpuinfo)) return 'uml'
  return /QEMU TCG/.test(cpuinfo) ? 'tcg' : 'native'
}

export const describePlace = (): string => {
  const names = { uml: 'user-mode Linux', tcg: 'QEMU, software emulation', native: 'native' } as const
  const processors = availableParallelism()
  return `Linux ${release()} (${names[place()]}), ${arch()}, ${processors} ${processors === 1 ? 'processor' : 'processors'}, Node ${process.version}`
}
