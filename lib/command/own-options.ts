import { RulesError } from '../rules/error.js'
import { optionSpellings, type CommandName, type OptionSpelling } from '../rules/language.js'
import { Spellings, type GivenOption } from '../rules/options.js'
import { readCommand, type ReadCommand } from '../rules/read-command.js'
import type { Word } from '../rules/words.js'

/** The options that ipvsadm does not have. */
export interface OwnOptions {
  /** Name or path of a network namespace. */
  netns?: string
  json?: boolean
  full?: boolean
  dryRun?: boolean
  replace?: boolean
}

/** This command's own options, with the commands that take each of them, and what it sets. */
const own: readonly { option: OptionSpelling, with: readonly CommandName[] | 'all', set(options: OwnOptions, value: string): void }[] = [
  { option: { long: 'netns', argument: 'text' }, with: 'all', set: (options, value) => { options.netns = value } },
  { option: { long: 'json', argument: 'none' }, with: ['list'], set: (options) => { options.json = true } },
  { option: { long: 'full', argument: 'none' }, with: ['save'], set: (options) => { options.full = true } },
  { option: { long: 'dry-run', argument: 'none' }, with: ['restore'], set: (options) => { options.dryRun = true } },
  { option: { long: 'replace', argument: 'none' }, with: ['restore'], set: (options) => { options.replace = true } },
]

/** The options of its own that go with a command, with their dashes. */
export const ownOptionsOf = (name: CommandName): string[] =>
  own.filter((entry) => entry.with === 'all' || entry.with.includes(name)).map(({ option }) => `--${option.long}`)

const spellings = new Spellings(optionSpellings, own.map(({ option }) => option))

/** Every long option of the command line, with its dashes. */
export const knownSpellings = (): string[] => [...spellings.long.keys()].map((long) => `--${long}`)

/** The words of a command line, with their columns if single spaces separate them. */
export function wordsOf(args: readonly string[]): Word[] {
  let column = 1
  return args.map((text) => {
    const word = { text, column }
    column += text.length + 1
    return word
  })
}

/**
 * Reads a command line in ipvsadm's language. This command's own options may be anywhere in it.
 *
 * @throws RulesError
 */
export function readCommandLine(args: readonly string[]): { read: ReadCommand, own: OwnOptions } {
  const options: OwnOptions = {}
  const taken: { given: GivenOption, entry: (typeof own)[number] }[] = []
  const read = readCommand(wordsOf(args), 1, {
    spellings,
    beyond: false,
    otherwise: 'list',
    takeOwn(given) {
      const entry = own.find(({ option }) => option === given.option)
      if (!entry) return false
      if (taken.some((other) => other.entry === entry)) throw new RulesError(`a second ${given.spelling} option`, 'one', 1, given.column)
      taken.push({ given, entry })
      entry.set(options, given.argument ?? '')
      return true
    },
  })
  for (const { given, entry } of taken) {
    if (entry.with !== 'all' && !entry.with.includes(read.name)) {
      const commands = entry.with.map((name) => `'${name}'`).join(', ')
      throw new RulesError(`option ${given.spelling} with the '${read.name}' command`, `it with ${commands}`, 1, given.column)
    }
  }
  return { read, own: options }
}
