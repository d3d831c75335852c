import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { setTimeout } from 'node:timers/promises'

/**
 * Does `work` while no one else in this process or on this machine does work of the same name. The lock is an abstract socket name
 * (unix(7)), which the kernel frees when its holder ends, for whatever reason.
 */
export async function inTurn<T>(name: string, work: () => Promise<T> | T): Promise<T> {
  const holder = await taken(`\0ipvs-lab-${createHash('sha256').update(name).digest('hex')}`)
  try {
    return await work()
  } finally {
    holder.close()
  }
}

async function taken(address: string): Promise<Server> {
  for (;;) {
    const server = createServer().listen(address)
    try {
      await once(server, 'listening')
      return server
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    }
    await setTimeout(20)
  }
}
