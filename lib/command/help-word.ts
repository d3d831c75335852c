import { helpText } from './help.js'
import { helpTexts } from './help-texts.js'
import { UsageError, withOptions } from './new-options.js'
import { newStatus } from './new-status.js'
import { print } from './output.js'
import { closestOf } from './suggestions.js'

/**
 * What `ipvs help WORD` prints, which is what `ipvs WORD --help` does; without a word, the help of everything.
 * @throws UsageError
 */
export async function helpOf(words: readonly string[]): Promise<string> {
  const name = words.join(' ')
  if (name === '') return helpText()
  if (Object.hasOwn(helpTexts, name)) return await helpTexts[name]()
  const close = closestOf(name, Object.keys(helpTexts))
  throw new UsageError(
    `'${name}' is no word of ipvs; expected one of ${Object.keys(helpTexts).join(', ')}`,
    close.length === 0 ? undefined : `Did you mean ipvs help ${close.join(' or ')}?`,
  )
}

/** `ipvs help`. Returns the exit status. */
export const help = (args: readonly string[]): Promise<number> => withOptions('help', args, helpText(), async (words) => {
  print(await helpOf(words))
  return newStatus.done
})
