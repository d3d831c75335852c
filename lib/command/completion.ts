import { completionHelp } from './completion-help.js'
import { completionModel } from './completion-model.js'
import { SHELLS } from './completion-scripts.js'
import { newStatus } from './new-status.js'
import { UsageError, withOptions } from './new-options.js'
import { print } from './output.js'
import { closestOf } from './suggestions.js'

/** `ipvs completion`. Returns the exit status. */
export const completion = (args: readonly string[]): Promise<number> => withOptions('completion', args, completionHelp, async ([shell, ...rest]) => {
  if (shell === undefined) throw new UsageError('for which shell? Give bash, zsh or fish')
  if (!Object.hasOwn(SHELLS, shell)) {
    const [close] = closestOf(shell, Object.keys(SHELLS))
    throw new UsageError(`'${shell}' is no shell that is known here: bash, zsh or fish`, close === undefined ? undefined : `Did you mean ${close}?`)
  }
  if (rest.length > 0) throw new UsageError(`'${rest[0]}' is one word too many`)
  print(SHELLS[shell as keyof typeof SHELLS](await completionModel()))
  return newStatus.done
})
