import type { Diagnostics } from './diagnostics.js'
import type { FileDraft, Script } from './drafts.js'

/** Who runs a program, and what it is. */
export interface Account {
  command: string[]
  user?: string
  group?: string
}

/**
 * A program with the account that runs it: its own, or else that of the line `user` of its checker, of `script_user`, or the one that
 * keepalived takes by itself. It is noted where the program stands, for whoever looks whether it is there.
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
  if (!file.programs.some((one) => one.file === name && one.line === line && one.column === column))
    file.programs.push({ ...program, file: name, line, column })
  return program
}
