import type { Diagnostics } from './diagnostics.js'
import type { FileDraft, Script } from './drafts.js'

/** A program and the account that runs it. */
export interface Account {
  command: string[]
  user?: string
  group?: string
}

/**
 * A program with the account that runs it. The account is the first one that is named: behind the program, by the line `user` of its
 * checker, by `script_user`, or by `ParseOptions.scriptUser`. The program is also listed with its place in the file, so that a caller can
 * check whether it exists.
 */
export function programOf(
  { value: { command, ...own }, place }: Script,
  file: FileDraft,
  diagnostics: Diagnostics,
  ofChecker: Omit<Account, 'command'> = {},
): Account {
  const account = [own, ofChecker, file.scriptUser, { user: file.defaultUser }].find((one) => one?.user !== undefined)
  if (account === undefined) {
    diagnostics.warning(
      place,
      `${command[0]} runs as the director does, which is root as a rule: neither the line nor script_user names a user, and there is no keepalived_script`,
      'Write script_user USER into global_defs, or add a user keepalived_script',
    )
  }
  const program: Account = {
    command,
    ...(account?.user !== undefined && { user: account.user }),
    ...(account?.group !== undefined && { group: account.group }),
  }
  const { file: name, line, column } = place
  // A sequence (~SEQ, ~LST) has several in the same place.
  file.programs.set([name, line, column, ...command].join('\0'), { ...program, file: name, line, column })
  return program
}
