import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The nearest folder above this file with a package.json. This file runs both from the sources and compiled in build/. */
function root(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : root(dirname(folder))
}

/** This checkout. */
export const checkout = realpathSync(root(dirname(fileURLToPath(import.meta.url))))
