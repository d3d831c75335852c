/** Runs before `npm pack` and `npm publish`: refuses where a prebuilt addon is missing or stale. Everything else is built by now. */
import { architectures } from './prebuild/check.js'
import { objections } from './prebuild/make.js'

for (const architecture of architectures) {
  for (const why of await objections(architecture)) {
    process.stderr.write(`pack: the prebuilt addon for linux-${architecture} cannot be shipped: ${why}\n      npm run prebuild makes it\n`)
    process.exitCode = 1
  }
}
