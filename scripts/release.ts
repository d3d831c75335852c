/**
 * `npm run release`: everything that comes before publishing. It publishes nothing itself. `--quick` leaves out most of
 * `npm run test:install`.
 * npm calls it before `npm publish` (`prepublishOnly`).
 */
import { release } from './release/main.js'

process.exitCode = await release(process.argv.includes('--quick'), line => { process.stdout.write(`${line}\n`) }) ? 0 : 1
