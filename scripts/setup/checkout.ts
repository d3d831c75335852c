import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The nearest folder above this file that holds package.json: this file is run as it stands, and compiled into build/. */
function root(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : root(dirname(folder))
}

/** This checkout. */
export const checkout = realpathSync(root(dirname(fileURLToPath(import.meta.url))))
