import { grammars, optionSpellings, type CommandName } from '../rules/language.js'
import { helpText } from './help.js'
import { helpTexts } from './help-texts.js'
import { optionsOf, readHelp, type HelpOption } from './help-reading.js'
import { ownOptionsOf } from './own-options.js'

/** What a shell offers for an option's argument: these words, or what it finds itself. */
export type Offer = readonly string[] | 'file' | 'folder' | 'namespace' | 'interface' | 'nothing'

export interface CompletedOption extends HelpOption {
  /** Without it the option takes no argument. */
  offer?: Offer
}

/** Where a shell may stand: after a word of `ipvs`, or two of them, after one of ipvsadm's commands, or at the beginning. */
export interface Context {
  name: string
  /** Words that may come next, and nowhere later: 'apply' after 'fleet'. */
  next: readonly string[]
  /** What leads here; nothing leads to the first one. */
  spellings: readonly string[]
  options: readonly CompletedOption[]
}

export interface CompletionModel {
  /** The words, and what each is for. */
  words: { word: string, about: string }[]
  contexts: Context[]
}

/** Options whose help lists the words that their argument may be. */
const LISTED = new Set(['--scheduler', '--sched-flags', '--tun-type', '--sort', '--protocol'])

function offerOf({ long, argument, words }: HelpOption): Offer | undefined {
  if (argument === undefined) return undefined
  if (LISTED.has(long)) return words.replace(/\([^)]*\)/g, '').split(/[\s,]+/).filter((word) => word !== '' && word !== 'or')
  if (argument.includes('|')) return argument.split('|')
  if (long === '--netns') return 'namespace'
  if (argument.startsWith('INTERFACE') || long === '--mcast-interface') return 'interface'
  if (argument.startsWith('FILE')) return 'file'
  return argument === 'DIRECTORY' ? 'folder' : 'nothing'
}

const completed = (option: HelpOption): CompletedOption => {
  const offer = offerOf(option)
  return offer === undefined ? option : { ...option, offer }
}

/** What shells need to know about the command line, from the help texts and from ipvsadm's language. */
export async function completionModel(): Promise<CompletionModel> {
  const main = readHelp(helpText())
  const told = new Map(optionsOf(main).map((option) => [option.long, option]))
  const about = (long: string): CompletedOption => {
    const option = told.get(long) ?? { long, words: '' }
    const takes = optionSpellings.find((spelling) => `--${spelling.long}` === long)?.argument
    // What the help text has after a command is the rest of the command line.
    if (takes === 'none') return { long, words: option.words, ...option.short !== undefined && { short: option.short } }
    return completed(takes === undefined ? option : { argument: 'VALUE', ...option })
  }
  const names = [...new Set(Object.keys(grammars) as CommandName[])]
  const commands = names.map((name): Context => {
    const { needs = [], takes = [], oneOf = [] } = grammars[name]
    const groups = [...needs, ...takes, ...oneOf]
    const isTaken = ({ long, group }: { long: string, group?: string }): boolean =>
      (group !== undefined && groups.includes(group as never)) || (long === 'ipv6' && groups.includes('service-address'))
    const spelled = optionSpellings.filter(({ command }) => command === name)
    return {
      name,
      next: [],
      spellings: [...new Set(spelled.flatMap(({ long, short }) => [`--${long}`, ...short === undefined ? [] : [`-${short}`]]))],
      options: [...optionSpellings.filter(isTaken).map(({ long }) => `--${long}`), ...ownOptionsOf(name)].map(about),
    }
  })
  const first = [...new Set(optionSpellings.filter(({ command }) => command !== undefined).map(({ long }) => `--${long}`))]
  const allWords = Object.keys(helpTexts)
  const words = await Promise.all(Object.entries(helpTexts).map(async ([word, help]): Promise<Context> => ({
    name: word,
    next: word === 'completion' ? ['bash', 'zsh', 'fish'] : allWords.filter((one) => one.startsWith(`${word} `)).map((one) => one.slice(word.length + 1)),
    spellings: [],
    options: optionsOf(readHelp(await help())).map(completed),
  })))
  const single = words.filter(({ name }) => !name.includes(' '))
  const rows = main.flatMap(({ rows }) => rows)
  return {
    words: single.map(({ name }) => ({ word: name, about: rows.find(({ typed }) => typed === `ipvs ${name}`)?.words.split(';')[0] ?? '' })),
    contexts: [{ name: 'ipvs', next: single.map(({ name }) => name), spellings: [], options: [...first, ...ownOptionsOf('list')].map(about) }, ...words, ...commands],
  }
}
