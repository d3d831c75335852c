import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createServer, type Server } from 'node:net'

/**
 * Bytes of a name in the kernel's address, beside the NUL that makes it abstract. Names of different length are different names, and Node
 * before 22 fills each up to this length with NULs.
 */
const LONGEST_NAME = 107

/**
 * Takes a name that one process of a network namespace can have at a time, until the server is closed or the process ends: that of an
 * abstract Unix socket, which belongs to the calling thread's network namespace and which leaves nothing behind. Connections are not
 * answered.
 *
 * Any user of the network namespace can take it first, and thereby keep others from starting. A file that only root can lock would not
 * help: a container with the host's network need not have the host's files, so a name that is taken would still have to count. Who holds it
 * is no way to tell either: to look at processes of others takes CAP_SYS_PTRACE, which a director does without.
 *
 * @throws Error with the code 'EADDRINUSE' where the name is taken; its message says by which process, where that can be seen
 */
export function takeName(name: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy())
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(error.code === 'EADDRINUSE' ? taken(name, error) : error))
    // Otherwise workers of a cluster would share the socket.
    server.listen({ path: `\0${name.padEnd(LONGEST_NAME, '\0')}`, exclusive: true }, () => resolve(server))
  })
}

function taken(name: string, { code, errno }: NodeJS.ErrnoException): Error {
  const holder = holderOf(name)
  const words = holder === undefined ? 'a process that cannot be seen from here' : `process ${holder.pid}${holder.program === '' ? '' : ` (${holder.program})`}`
  return Object.assign(new Error(`${words} has the name @${name} in this network namespace`), { code, errno })
}

/**
 * The process that has an abstract Unix socket of the calling thread's network namespace open. Everything is read by the calling thread
 * itself.
 */
function holderOf(name: string): { pid: number, program: string } | undefined {
  const inode = inodeOf(name)
  if (inode === undefined) return undefined
  const pid = readdirSync('/proc').find((entry) => /^\d+$/.test(entry) && hasOpen(entry, `socket:[${inode}]`))
  return pid === undefined ? undefined : { pid: Number(pid), program: programOf(pid) }
}

function inodeOf(name: string): string | undefined {
  const lines = readFileSync('/proc/thread-self/net/unix', 'latin1').split('\n')
  // The kernel shows each NUL of the name as '@'. Names are filled up with them.
  const found = lines.map((line) => line.trim().split(/\s+/)).find(([, , , , , , , path]) => path?.replace(/@+$/, '') === `@${name}`)
  return found?.[6]
}

function hasOpen(pid: string, target: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((descriptor) => linkOf(`/proc/${pid}/fd/${descriptor}`) === target)
  } catch {
    // The process has ended, or may not be inspected.
    return false
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}

/** The command line of a process, cut where it is long. */
function programOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0+$/, '').replaceAll('\0', ' ').slice(0, 200)
  } catch {
    return ''
  }
}
