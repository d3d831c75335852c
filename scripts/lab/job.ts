/** A command to run in the lab, and all it depends on. */
export interface Job {
  /** The program and its arguments. */
  command: string[]
  directory: string
  environment: Record<string, string>
  /** The one folder of the disk that the command may change. */
  checkout: string
  /** Seconds until the place is ended. */
  timeout: number
  /** The kernel shall have no IPVS, and no way to load it. */
  withoutIpvs: boolean
  /** Mebibytes of a guest's memory. */
  memory: number
  /** Processors of a QEMU guest (UML has one). */
  processors: number
}

/** Where a command's output goes. */
export interface Outputs { stdout: NodeJS.WritableStream, stderr: NodeJS.WritableStream }

/** The place could not be used at all: the command was not started there. */
export class CannotStart extends Error {}

/** The command was ended because it took longer than its time limit. */
export class TimedOut extends Error {}

const passed = /^(PATH|HOME|XDG_CACHE_HOME|LANG|LC_.*|TZ|TERM|CI|NO_COLOR|FORCE_COLOR|NODE_OPTIONS|LD_LIBRARY_PATH|XTABLES_LIBDIR|ASAN_OPTIONS|UBSAN_OPTIONS|IPVS_.*)$/

/** The variables that a command in the lab gets: a few of the caller's, those that start with IPVS_, and root's own. */
export function environmentFrom(caller: NodeJS.ProcessEnv, place: string, given: Record<string, string>): Record<string, string> {
  const kept = Object.entries(caller).filter((entry): entry is [string, string] => passed.test(entry[0]) && entry[1] !== undefined)
  const environment = { USER: 'root', LOGNAME: 'root', SHELL: '/bin/sh', ...Object.fromEntries(kept), IPVS_LAB: place, ...given }
  return { ...environment, HOME: given.HOME || caller.HOME || '/root' }
}

/** Text as one word of a shell. */
export const quoted = (text: string): string => `'${text.replaceAll('\'', '\'\\\'\'')}'`
