import { readdirSync, readFileSync } from 'node:fs'
import { inTurn } from '../setup/turn.js'

/** The numbers in a kernel's list of processors: '0-2,5' has four. */
export function processorsIn(list: string): number[] {
  return list.trim().split(',').filter(part => part !== '').flatMap(part => {
    const [first, last = first] = part.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
}

const allowed = (): number[] => processorsIn(/^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '')

/** A guest's name (umid) on its kernel's command line: it says to everyone which processor the guest is pinned to. */
export const guestName = (processor: number): string => `umid=lab-${processor}`

/** The processors of guests, from the command lines of processes. A guest is several processes with the same words. */
export function pinnedTo(commandLines: string[]): number[] {
  const found = commandLines.flatMap(line => {
    const [, folder, processor] = /\0uml_dir=([^\0]*)\0umid=lab-(\d+)\0/.exec(line) ?? []
    return folder === undefined ? [] : [[folder, Number(processor)] as const]
  })
  return [...new Map(found).values()]
}

/** The processors that guests of the lab are pinned to now, whoever started them. */
const taken = (): number[] => pinnedTo(readdirSync('/proc').filter(name => /^\d+$/.test(name)).flatMap(process => {
  try { return [readFileSync(`/proc/${process}/cmdline`, 'latin1')] } catch { return [] }
}))

/**
 * The processor for a new guest in user-mode Linux: of those this process may use, one with the fewest guests. The guest's kernel and its processes
 * take turns; on two processors each turn is an interrupt from one to the other, and a system call takes five times as long.
 */
export function processorForGuest(processors = allowed(), guests = taken()): number {
  const load = (processor: number): number => guests.filter(guest => guest === processor).length
  return processors.reduce((best, processor) => load(processor) < load(best) ? processor : best)
}

/**
 * Starts a guest on a processor of its own, as far as there are enough. `start` must have the guest's process running when it returns: labs that start at once
 * take turns, so that each sees those before it.
 */
export const onOwnProcessor = <T>(start: (processor: number) => T): Promise<T> => inTurn('processor', () => start(processorForGuest()))
