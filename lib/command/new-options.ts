import { parseArgs } from 'node:util'
import { complain, print } from './output.js'
import { newStatus } from './new-status.js'
import { closestOf } from './suggestions.js'

/** An option of one of the commands that ipvsadm does not have. */
export interface NewOption {
  /** 'text' takes an argument; 'texts' takes several, and can be given again; 'none' takes none. */
  argument: 'none' | 'text' | 'texts'
  /** One letter. */
  short?: string
}

export type NewOptions = Readonly<Record<string, NewOption>>

/** What was given: true, the argument, or all arguments. */
export type Values<Options extends NewOptions> = {
  [Name in keyof Options]?: Options[Name]['argument'] extends 'none' ? true : Options[Name]['argument'] extends 'text' ? string : string[]
}

/** A command line that is not understood. */
export class UsageError extends Error {
  /** @param hint what may have been meant */
  constructor(message: string, readonly hint?: string) {
    super(message)
  }
}

const spellingOf = ([name, { short }]: [string, NewOption]): string[] => [`--${name}`, ...short === undefined ? [] : [`-${short}`]]

const meant = (close: readonly string[]): string | undefined => (close.length > 0 ? `Did you mean ${close.join(' or ')}?` : undefined)

const unknown = (spelling: string, options: NewOptions): UsageError =>
  new UsageError(`there is no option ${spelling}`, meant(closestOf(spelling, Object.entries(options).flatMap(spellingOf))))

/**
 * Reads the options of a command. Each is given once, except those with several arguments; there is nothing else on the line.
 *
 * @param words what may follow the command's own word, which is not read here: a mistyped one is told
 * @throws UsageError
 */
export function readOptions<Options extends NewOptions>(
  args: readonly string[], options: Options, words: readonly string[] = [],
): Values<Options> {
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(Object.entries(options).map(([name, { argument, short }]) =>
      [name, { type: argument === 'none' ? 'boolean' as const : 'string' as const, multiple: true, ...short !== undefined && { short } }])),
  })
  const values: Record<string, true | string | string[]> = {}
  /** The option that takes what follows. */
  let open: string[] | undefined
  for (const token of tokens) {
    if (token.kind === 'positional' && open !== undefined) {
      open.push(token.value)
      continue
    }
    open = undefined
    if (token.kind === 'positional') {
      throw new UsageError(`'${token.value}' is one word too many: everything is said by options`, meant(closestOf(token.value, words)))
    }
    if (token.kind === 'option-terminator') continue
    const { name, rawName, value, inlineValue } = token
    if (!Object.hasOwn(options, name)) throw unknown(rawName, options)
    const { argument } = options[name]
    if (argument === 'none') {
      if (value !== undefined) throw new UsageError(`${rawName} takes no argument: '${value}'`)
      values[name] = true
      continue
    }
    // What looks like an option after one that takes an argument is an option whose argument is missing.
    const isMissing =
      value === undefined ||
      value === '' ||
      (inlineValue !== true && value.startsWith('-') && value !== '-' && Object.entries(options).flatMap(spellingOf).includes(value))
    if (isMissing) throw new UsageError(`${rawName} needs an argument`)
    if (argument === 'texts') {
      open = values[name] as string[] | undefined ?? []
      open.push(value)
      values[name] = open
    } else if (Object.hasOwn(values, name)) throw new UsageError(`${rawName} is there twice`)
    else values[name] = value
  }
  return values as Values<Options>
}

/** Runs a command with its options. What is wrong with the command line is told, with where to find help. */
export async function withOptions(
  word: string,
  args: readonly string[],
  help: string,
  use: (args: readonly string[]) => Promise<number>,
): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    print(help)
    return newStatus.done
  }
  try {
    return await use(args)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    complain(`ipvs ${word}: ${error.message}`)
    if (error.hint !== undefined) complain(error.hint)
    complain(`Try \`ipvs ${word} --help' for more information.`)
    return newStatus.misused
  }
}

/**
 * Seconds of an option.
 *
 * @throws UsageError
 */
export function secondsOf(option: string, text: string, { min, max }: { min: number, max: number }): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN
  if (!(seconds >= min && seconds <= max)) throw new UsageError(`${option} '${text}'; expected seconds from ${min} to ${max}`)
  return seconds
}

/**
 * A port.
 *
 * @throws UsageError
 */
export function portOf(option: string, text: string, least = 1): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN
  if (!(port >= least && port <= 65_535)) throw new UsageError(`${option} '${text}'; expected a port from ${least} to 65535`)
  return port
}
