import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { setTimeout } from 'node:timers/promises'

/**
 * Does `work` while no other process of this machine, and nobody else in this one, does work of the same name. A turn is a socket's name (unix(7), abstract):
 * the kernel frees it when its holder is gone, however that came about.
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
