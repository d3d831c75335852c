import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')

/** Collects garbage now, so that one measurement does not pay for what reading back the last one left behind. */
export const collectGarbage = runInNewContext('gc') as () => void
