import type { Operation, ServiceKey } from '../model/types.js'
import { checkOptions } from './check-options.js'
import { applyOption, initialSettings } from './command-settings.js'
import { RulesError } from './error.js'
import {
  beyondSpellings, defaults, grammars, kernelLimits, limits, optionGroups, optionSpellings, type CommandName, type OptionGroup,
} from './language.js'
import { makeOperation, serviceKey } from './make-operation.js'
import { readInteger } from './option-values.js'
import { OptionReader, Spellings, valueError, type GivenOption } from './options.js'
import { readSchedulerFlags } from './scheduler-flags.js'
import type { Named, NameReference } from './types.js'
import type { Word } from './words.js'

/** What a command line says. */
export interface ReadCommand {
  name: CommandName
  /** The operation, for commands that change something. */
  operation?: Named<Operation>
  /** For `list`: the one service to be listed. */
  service?: Named<ServiceKey>
  /** Which options were given. */
  options: GivenOptions
  /** The names on the command line, if there are any. */
  names?: NameReference[]
}

/** Says whether an option was given. */
export type GivenOptions = Pick<ReadonlySet<OptionGroup>, 'has'>

/** How a command line is read. */
export interface CommandDialect {
  spellings: Spellings
  /** Whether the kernel's limits hold in place of ipvsadm's, for rules that ipvsadm's language cannot say. */
  beyond: boolean
  /** The command to assume if the line has neither a command nor anything else of ipvsadm's. By default such a line is a mistake. */
  otherwise?: CommandName
  /** Takes options that are not ipvsadm's. They may stand anywhere, even before the command. Returns whether it has taken the option. */
  takeOwn?: (given: GivenOption) => boolean
}

/** ipvsadm's own language. */
export const plainDialect: CommandDialect = { spellings: new Spellings(optionSpellings), beyond: false }
/** The language of the lines that ipvsadm skips. */
export const beyondDialect: CommandDialect = { spellings: new Spellings(optionSpellings, beyondSpellings), beyond: true }

/**
 * Reads one command line. Checks in ipvsadm's order, so that of several mistakes it reports the same one.
 *
 * @throws RulesError at the first mistake.
 */
export function readCommand(words: readonly Word[], line: number, dialect: CommandDialect = plainDialect): ReadCommand {
  const { beyond, otherwise, takeOwn } = dialect
  const reader = new OptionReader(words, line, dialect.spellings)
  const next = (): GivenOption | undefined => {
    let option = reader.next()
    while (option && takeOwn?.(option)) option = reader.next()
    return option
  }
  const given = new Map<OptionGroup, GivenOption>()
  const first = next()
  if (!first && otherwise && reader.leftOver.length === 0) return { name: otherwise, options: given }
  const command = requireCommand(first, reader.leftOver, line)
  const name = command.option.command!
  if (name === 'help' || name === 'version') return { name, options: given }

  const settings = initialSettings()
  settings.daemon.role = roleOf(command)
  const limitsHere = beyond ? kernelLimits : limits
  for (let option = next(); option; option = next()) {
    noteGiven(given, option)
    applyOption(settings, option, limitsHere)
  }
  if (name === 'set') settings.timeouts = takeTimeouts(command, reader.leftOver, limitsHere.timeout)
  const [surplus] = reader.leftOver
  if (surplus) throw new RulesError(`unexpected word '${surplus.text}'`, 'an option before it (-t, -u, -f, -r, …), or the end of the line', line, surplus.column)
  const flags = settings.schedulerFlags ? readSchedulerFlags(settings.schedulerFlags, settings.scheduler || defaults.scheduler) : 0
  checkOptions(given, grammars[name], optionGroups, `'${name}' command`, command)

  const operation = makeOperation(name, { command, settings, given, flags, beyond })
  const result: ReadCommand = { name, options: given, names: settings.names }
  if (operation) result.operation = operation
  else if (given.has('service-address')) result.service = serviceKey(settings)
  return result
}

const commandFirst =
  'a command (-A, -E, -D, -C, -a, -e, -d, -L, -Z, -R, -S, --set, --start-daemon, --stop-daemon, -h, -v) as the first option'

/** The command, which has to be the first option. */
function requireCommand(first: GivenOption | undefined, leftOver: readonly Word[], line: number): GivenOption {
  if (!first) {
    const word = leftOver.at(0)
    throw new RulesError(word ? `'${word.text}' is no command` : 'nothing to do', commandFirst, line, word?.column ?? 1, 255)
  }
  if (first.option.command) return first
  throw new RulesError(`${first.spelling} comes before the command`, commandFirst, line, first.column, 255)
}

/** The role that a command about sync daemons names. */
function roleOf(command: GivenOption): 'master' | 'backup' {
  const { option, argument } = command
  if (option.argument === 'none' || argument === 'master') return 'master'
  if (argument === 'backup') return 'backup'
  throw valueError(command, 'master or backup')
}

/** Notes that an option was given, and refuses it if one of its group was given before. */
function noteGiven(given: Map<OptionGroup, GivenOption>, option: GivenOption): void {
  const { spelling, line, column } = option
  const { command, group } = option.option
  if (command) throw new RulesError(`a second command, ${spelling}`, 'one command a line', line, column)
  if (!group) return
  if (given.has(group)) throw new RulesError(`a second '${group}' option, ${spelling}`, `one '${group}' option`, line, column)
  given.set(group, option)
}

/** Takes the three words after `--set` out of those left over. */
function takeTimeouts(command: GivenOption, leftOver: Word[], limit: number): { tcp: number, tcpFin: number, udp: number } {
  if (leftOver.length < 3) {
    throw new RulesError(`${leftOver.length} timeouts`, 'three, in seconds: --set TCP TCPFIN UDP', command.line, command.column)
  }
  const [tcp, tcpFin, udp] = leftOver.splice(0, 3).map(({ text, column }) =>
    readInteger({ ...command, spelling: '--set', argument: text, argumentColumn: column }, 0, limit, 'seconds'))
  return { tcp, tcpFin, udp }
}
