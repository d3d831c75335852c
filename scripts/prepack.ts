/** Runs before `npm pack` and `npm publish`: makes the manual page, and refuses where a prebuilt addon is missing or stale. */
import { architectures } from './prebuild/check.js'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { objections } from './prebuild/make.js'
import { checkout } from './setup/checkout.js'

for (const architecture of architectures) {
  for (const why of await objections(architecture)) {
    process.stderr.write(`pack: the prebuilt addon for linux-${architecture} cannot be shipped: ${why}\n      npm run prebuild makes it\n`)
    process.exitCode = 1
  }
}

// The command's own modules have its help texts, from which the page is made.
const { manPage } = await import(pathToFileURL(join(checkout, 'dist/command/man-page.js')).href) as typeof import('../lib/command/man-page.js')
const { version } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { version: string }
mkdirSync(join(checkout, 'dist/man'), { recursive: true })
writeFileSync(join(checkout, 'dist/man/ipvs.8'), await manPage(version))
