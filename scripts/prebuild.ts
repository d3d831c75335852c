/** `npm run prebuild`: the addons that the package ships, one for each architecture, for glibc and musl. */
import { prebuildAll } from './prebuild/make.js'

await prebuildAll().catch((error: unknown) => {
  process.stderr.write(`prebuild: ${(error as Error).message}\n`)
  process.exitCode = 1
})
