import { readFileSync } from 'node:fs'

/** Lines of /etc/passwd and /etc/group, cut at their colons. */
const linesOf = (path: string): string[][] => readFileSync(path, 'utf8').split('\n').map((line) => line.split(':'))

const NUMBER = /^\d+$/

/** Who a program runs as. */
export interface Identity {
  uid?: number
  gid?: number
}

/**
 * The numbers of a user and a group, by their names or by numbers. A user's group is its own, unless another is named.
 *
 * @throws Error where there is no such user or group, or where a user by number has no group
 */
export function identityOf(
  user: string | undefined,
  group: string | undefined,
  { passwd = '/etc/passwd', groups = '/etc/group' } = {},
): Identity {
  const identity: Identity = {}
  if (user !== undefined) {
    const entry = linesOf(passwd).find(([name, , uid]) => name === user || (NUMBER.test(user) && uid === user))
    if (entry === undefined && !NUMBER.test(user)) throw new Error(`there is no user '${user}' in ${passwd}`)
    identity.uid = Number(entry?.[2] ?? user)
    // Without a group the program would keep that of this process, which is usually root's.
    if (entry === undefined && group === undefined) throw new Error(`user ${user} is not in ${passwd}, and so has no group: name one too`)
    identity.gid = entry === undefined ? undefined : Number(entry[3])
  }
  if (group !== undefined) {
    const entry = linesOf(groups).find(([name, , gid]) => name === group || (NUMBER.test(group) && gid === group))
    if (entry === undefined && !NUMBER.test(group)) throw new Error(`there is no group '${group}' in ${groups}`)
    identity.gid = Number(entry?.[2] ?? group)
  }
  return identity
}

/**
 * The user that keepalived runs programs as where nobody is named, if there is one of that name.
 *
 * @example
 * ```js
 * import { keepalivedUser } from 'ipvs/director'
 * import { parseKeepalived } from 'ipvs/keepalived'
 *
 * const { programs } = parseKeepalived('global_defs {\n  enable_script_security\n}\n', { scriptUser: keepalivedUser() })
 * console.log(programs.length)
 * ```
 */
export function keepalivedUser({ passwd = '/etc/passwd' } = {}): string | undefined {
  const name = 'keepalived_script'
  return linesOf(passwd).some(([one]) => one === name) ? name : undefined
}
