import { readdirSync, readFileSync } from 'node:fs'

/** The word of a user-mode kernel's command line by which guests of the lab are known. */
const mark = 'umid=lab'

/** The numbers in a kernel's list of processors: '0-2,5' has four. */
export function processorsIn(list: string): number[] {
  return list.trim().split(',').filter(part => part !== '').flatMap(part => {
    const [first, last = first] = part.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
}

const allowed = (process: string): number[] => processorsIn(/^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync(`/proc/${process}/status`, 'utf8'))?.[1] ?? '')

/** The processors that guests of the lab are pinned to now, whoever started them; one entry for each of their processes. */
function taken(): number[] {
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).flatMap(process => {
    try {
      if (!readFileSync(`/proc/${process}/cmdline`, 'latin1').split('\0').includes(mark)) return []
      const processors = allowed(process)
      return processors.length === 1 ? processors : []
    } catch {
      return []
    }
  })
}

/**
 * The processor for a new guest in user-mode Linux: of those this process may use, one with the fewest guests. The guest's kernel and its processes
 * take turns; on two processors each turn is an interrupt from one to the other, and a system call takes five times as long.
 */
export function processorForGuest(processors = allowed('self'), guests = taken()): number {
  const load = (processor: number): number => guests.filter(guest => guest === processor).length
  return processors.reduce((best, processor) => load(processor) < load(best) ? processor : best)
}
