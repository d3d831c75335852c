import { readdirSync, readFileSync } from 'node:fs'
import { inTurn } from '../setup/turn.js'

/** Reads the kernel's list of processors: '0-2,5' has four. */
export function processorsIn(list: string): number[] {
  return list.trim().split(',').filter(part => part !== '').flatMap(part => {
    const [first, last = first] = part.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
}

const allowed = (): number[] => processorsIn(/^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '')

/** A guest's name (umid) on its kernel's command line, which tells other labs the processor that the guest is pinned to. */
export const guestName = (processor: number): string => `umid=lab-${processor}`

/** The processors of guests, from the command lines of processes. A guest consists of several processes with the same command line. */
export function pinnedTo(commandLines: string[]): number[] {
  const found = commandLines.flatMap(line => {
    const [, folder, processor] = /\0uml_dir=([^\0]*)\0umid=lab-(\d+)\0/.exec(line) ?? []
    return folder === undefined ? [] : [[folder, Number(processor)] as const]
  })
  return [...new Map(found).values()]
}

/** The processors that guests of any lab are pinned to at the moment. */
const taken = (): number[] => pinnedTo(readdirSync('/proc').filter(name => /^\d+$/.test(name)).flatMap(process => {
  try { return [readFileSync(`/proc/${process}/cmdline`, 'latin1')] } catch { return [] }
}))

/**
 * The processor for a new guest in user-mode Linux: the one with the fewest guests among those that this process may use. The guest's
 * kernel and its processes take turns. On two processors every switch interrupts the other processor, which makes a system call five times
 * as slow.
 */
export function processorForGuest(processors = allowed(), guests = taken()): number {
  const load = (processor: number): number => guests.filter(guest => guest === processor).length
  return processors.reduce((best, processor) => load(processor) < load(best) ? processor : best)
}

/**
 * Starts a guest on a processor of its own if there are enough. The guest's process must be running when `start` returns: labs that start
 * at the same time take turns, so that each sees the guests before it.
 */
export const onOwnProcessor = <T>(start: (processor: number) => T): Promise<T> => inTurn('processor', () => start(processorForGuest()))
