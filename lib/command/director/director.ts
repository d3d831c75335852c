import { newStatus } from '../new-status.js'
import { withOptions } from '../new-options.js'
import { directorHelp, readDirectorCommand } from './options.js'

/** `ipvs director` and `ipvs director hand-over`. Returns the exit status. */
export const director = async (args: readonly string[]): Promise<number> =>
  args[0] === 'hand-over' ? (await import('./hand-over.js')).handOver(args.slice(1)) : direct(args)

const direct = (args: readonly string[]): Promise<number> => withOptions('director', args, directorHelp, async (given) => {
  const command = readDirectorCommand(given)
  if (command.check !== undefined) return (await import('./check.js')).check(command, command.check)
  const { openLog } = await import('./log.js')
  const { log, flush } = openLog(command.log)
  const { Running } = await import('./running.js')
  const running = new Running(command, log)
  try {
    return await running.run()
  } catch (error) {
    log({ level: 'error', event: 'fault', message: (error as Error).stack ?? String(error) })
    return newStatus.no
  } finally {
    await running[Symbol.asyncDispose]()
    await flush()
  }
})
