import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** This checkout: the folder that holds package.json. Compiled, this file lies in build/scripts/setup. */
export const checkout = realpathSync(fileURLToPath(new URL('../../..', import.meta.url)))
