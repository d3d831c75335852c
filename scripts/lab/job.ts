import type { Foreign } from './foreign.js'

/** A command to run in the lab, with everything it depends on. */
export interface Job {
  /** The program and its arguments. */
  command: string[]
  directory: string
  environment: Record<string, string>
  /** The only folder of the disk that the command can change. */
  checkout: string
  /** Seconds after which the command is ended. */
  timeout: number
  /** Whether the kernel has no IPVS and cannot load it. */
  withoutIpvs: boolean
  /** Mebibytes of a guest's memory. */
  memory: number
  /** Processors of a QEMU guest (UML has one). */
  processors: number
  /** What a guest with another processor has in place of what this machine has. */
  foreign?: Foreign
}

/** Where a command's output goes. */
export interface Outputs { stdout: NodeJS.WritableStream, stderr: NodeJS.WritableStream }

/** Thrown if a place could not be used. The command was not started there. */
export class CannotStart extends Error {}

/** Thrown if the command was ended because it exceeded its time limit. */
export class TimedOut extends Error {}

const passed =
  /^(PATH|HOME|XDG_CACHE_HOME|LANG|LC_.*|TZ|TERM|CI|NO_COLOR|FORCE_COLOR|NODE_OPTIONS|LD_LIBRARY_PATH|XTABLES_LIBDIR|ASAN_OPTIONS|UBSAN_OPTIONS|IPVS_.*)$/

/** The environment of a command in the lab: a few of the caller's variables, those that start with IPVS_, and root's own. */
export function environmentFrom(caller: NodeJS.ProcessEnv, place: string, given: Record<string, string>): Record<string, string> {
  const kept = Object.entries(caller).filter((entry): entry is [string, string] => passed.test(entry[0]) && entry[1] !== undefined)
  const environment = { USER: 'root', LOGNAME: 'root', SHELL: '/bin/sh', ...Object.fromEntries(kept), IPVS_LAB: place, ...given }
  return { ...environment, HOME: given.HOME || caller.HOME || '/root' }
}

/** Quotes text as one word of a shell. */
export const quoted = (text: string): string => `'${text.replaceAll('\'', '\'\\\'\'')}'`
