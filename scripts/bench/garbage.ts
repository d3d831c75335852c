import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')

/** Collects garbage now, so that one measurement does not pay for what another left behind. */
export const gcCollect = runInNewContext('gc') as () => void
