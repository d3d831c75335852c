import type { CompletedOption, CompletionModel, Context, Offer } from './completion-model.js'

const FIRST = 'made by `ipvs completion'

/** A text in single quotes. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

const spellings = ({ short, long }: CompletedOption): string[] => [...short === undefined ? [] : [short], long]

/** Contexts and options whose argument is completed in the same way, each a pattern of a shell's `case`. */
function patternsByOffer(contexts: readonly Context[]): { offer: Offer, patterns: string[] }[] {
  const found = new Map<string, { offer: Offer, patterns: string[] }>()
  for (const { name, options } of contexts) {
    for (const option of options) {
      if (option.offer === undefined) continue
      const key = JSON.stringify(option.offer)
      const entry = found.get(key) ?? { offer: option.offer, patterns: [] }
      found.set(key, entry)
      entry.patterns.push(...spellings(option).map((spelling) => `"${name} ${spelling}"`))
    }
  }
  return [...found.values()]
}

/** The lines of a `case` that finds where the command line stands. */
const contextCases = ({ contexts }: CompletionModel): string[] =>
  contexts.filter((context) => context.spellings.length > 0).map(({ name, spellings: those }) => `      ${those.join('|')}) context=${name}; break ;;`)

/** The lines of a `case` that completes an option's argument. */
const offerCases = ({ contexts }: CompletionModel, offered: (offer: Offer) => string): string[] =>
  patternsByOffer(contexts).map(({ offer, patterns }) => `    ${patterns.join('|')}) ${offered(offer)}; return ;;`)

const wordNames = ({ words }: CompletionModel): string => words.map(({ word }) => word).join('|')

/** The pattern of a `case` for contexts of two words. */
const pairNames = ({ contexts }: CompletionModel): string =>
  contexts.filter(({ name }) => name.includes(' ')).map(({ name }) => `"${name}"`).join('|')

/** Contexts after which words may come, and these. */
const contextsWithNext = ({ contexts }: CompletionModel): Context[] => contexts.filter(({ name, next }) => name !== 'ipvs' && next.length > 0)

function bash(model: CompletionModel): string {
  const offers: Record<string, string> = {
    file: 'COMPREPLY=($(compgen -f -- "$current")); compopt -o filenames 2>/dev/null',
    folder: 'COMPREPLY=($(compgen -d -- "$current")); compopt -o filenames 2>/dev/null',
    namespace: 'COMPREPLY=($(compgen -W "$(ls /run/netns 2>/dev/null)" -- "$current"))',
    interface: 'COMPREPLY=($(compgen -W "$(ls /sys/class/net 2>/dev/null)" -- "$current"))',
    nothing: ':',
  }
  const offered = (offer: Offer): string =>
    (typeof offer === 'string' ? offers[offer] : `COMPREPLY=($(compgen -W ${quoted(offer.join(' '))} -- "$current"))`)
  return `# bash completion of ipvs, ${FIRST} bash\`
_ipvs() {
  local context=ipvs current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} options= at
  COMPREPLY=()
  # An option and its argument with = between them are three words.
  if [[ $current == = ]]; then current=; elif [[ $previous == = ]]; then previous=\${COMP_WORDS[COMP_CWORD-2]}; fi
  if ((COMP_CWORD > 1)); then
    case \${COMP_WORDS[1]} in
      ${wordNames(model)}) context=\${COMP_WORDS[1]} ;;
    esac
  fi
  if ((COMP_CWORD > 2)); then
    case "$context \${COMP_WORDS[2]}" in
      ${pairNames(model)}) context="$context \${COMP_WORDS[2]}" ;;
    esac
  fi
  if [[ $context == ipvs ]]; then
    for at in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
      case $at in
  ${contextCases(model).join('\n  ')}
      esac
    done
  fi
  case "$context $previous" in
${offerCases(model, offered).join('\n')}
  esac
  case $context in
${model.contexts.map(({ name, options }) => `    "${name}") options=${quoted(options.map(({ long }) => long).join(' '))} ;;`).join('\n')}
  esac
  case "$context $COMP_CWORD" in
    "ipvs 1") options="${model.words.map(({ word }) => word).join(' ')} $options" ;;
${contextsWithNext(model).map(({ name, next }) => `    "${name} 2") options="${next.join(' ')} $options" ;;`).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$options" -- "$current"))
}
complete -F _ipvs ipvs
`
}

function zsh(model: CompletionModel): string {
  const offers: Record<string, string> = {
    file: '_files', folder: '_files -/', namespace: 'compadd -- ${$(ls /run/netns 2>/dev/null)}',
    interface: 'compadd -- ${$(ls /sys/class/net 2>/dev/null)}', nothing: '_message argument',
  }
  const offered = (offer: Offer): string => (typeof offer === 'string' ? offers[offer] : `compadd -- ${offer.join(' ')}`)
  const described = (word: string, about: string): string => quoted(`${word.replaceAll(':', '\\:')}:${about}`)
  return `#compdef ipvs
# zsh completion of ipvs, ${FIRST} zsh\`
_ipvs() {
  local context=ipvs at
  local -a options
  if ((CURRENT > 2)); then
    case $words[2] in
      ${wordNames(model)}) context=$words[2] ;;
    esac
  fi
  if ((CURRENT > 3)); then
    case "$context $words[3]" in
      ${pairNames(model)}) context="$context $words[3]" ;;
    esac
  fi
  if [[ $context == ipvs ]]; then
    for at in $words[2,CURRENT-1]; do
      case $at in
  ${contextCases(model).join('\n  ')}
      esac
    done
  fi
  case "$context $words[CURRENT-1]" in
${offerCases(model, offered).join('\n')}
  esac
  case $context in
${model.contexts.map(({ name, options }) => `    "${name}") options=(${options.map(({ long, words }) => described(long, words)).join(' ')}) ;;`).join('\n')}
  esac
  case "$context $CURRENT" in
${contextsWithNext(model).map(({ name, next }) => `    "${name} 3") compadd -- ${next.join(' ')} ;;`).join('\n')}
  esac
  if ((CURRENT == 2)) && [[ $words[2] != -* ]]; then
    options=(${model.words.map(({ word, about }) => described(word, about)).join(' ')} $options)
  fi
  _describe -V option options
}
if [[ $funcstack[1] == _ipvs ]]; then _ipvs "$@"; else compdef _ipvs ipvs; fi
`
}

function fish(model: CompletionModel): string {
  const offers: Record<string, string> = {
    file: '-r -F', folder: "-x -a '(__fish_complete_directories)'", namespace: "-x -a '(ls /run/netns 2>/dev/null)'",
    interface: "-x -a '(ls /sys/class/net 2>/dev/null)'", nothing: '-x',
  }
  const escaped = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  // What follows the tab describes a value. Without one, fish describes each value with the words of its option.
  const offered = (offer: Offer | undefined): string =>
    (offer === undefined ? '' : ` ${typeof offer === 'string' ? offers[offer] : `-x -a ${escaped(offer.map((value) => `${value}\\t`).join(' '))}`}`)
  const lines = model.contexts.flatMap(({ name, options }) => options.map((option) =>
    `complete -c ipvs -n '__ipvs_is_at ${name}' -l ${option.long.slice(2)}${option.short === undefined ? '' : ` -s ${option.short.slice(1)}`}`
    + `${offered(option.offer)} -d ${escaped(option.words)}`))
  return `# fish completion of ipvs, ${FIRST} fish\`
function __ipvs_is_at
  set -l context ipvs
  set -l given (commandline -opc)
  if set -q given[2]; and contains -- $given[2] ${model.words.map(({ word }) => word).join(' ')}
    set context $given[2]
    if set -q given[3]; and contains -- "$given[2] $given[3]" ${model.contexts.filter(({ name }) => name.includes(' ')).map(({ name }) => `'${name}'`).join(' ')}
      set context "$given[2] $given[3]"
    end
  else
    for at in $given[2..-1]
      switch $at
${model.contexts.filter((one) => one.spellings.length > 0).map(({ name, spellings: those }) => `        case ${those.join(' ')}
          set context ${name}
          break`).join('\n')}
      end
    end
  end
  test "$context" = "$argv"
end
complete -c ipvs -f
${model.words.map(({ word, about }) => `complete -c ipvs -n '__fish_is_nth_token 1' -a ${word} -d ${escaped(about)}`).join('\n')}
${contextsWithNext(model).map(({ name, next }) =>
  `complete -c ipvs -n '__ipvs_is_at ${name}; and __fish_is_nth_token 2' -a ${escaped(next.join(' '))}`).join('\n')}
${lines.join('\n')}
`
}

/** The script for each shell. */
export const SHELLS = { bash, zsh, fish } as const satisfies Record<string, (model: CompletionModel) => string>
