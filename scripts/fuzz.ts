/**
 * `npm run fuzz`: runs every decoder under libFuzzer for 60 seconds from its committed corpus. `npm run fuzz -- --seconds 10 service info`
 * chooses.
 */
import { parseArgs } from 'node:util'
import { fuzz } from './test/fuzz.js'
import { good } from './test/outcome.js'

const { values, positionals } = parseArgs({ allowPositionals: true, options: { seconds: { type: 'string', default: '60' } } })
if (!/^[1-9]\d*$/.test(values.seconds)) throw new Error(`--seconds ${values.seconds}: must be a whole number, 1 or more`)

const print = (line: string): void => { process.stdout.write(`${line}\n`) }
const result = await fuzz({ seconds: Number(values.seconds), names: positionals }, print)
if (result.note !== undefined) print(result.note)
process.exitCode = good(result) ? 0 : 1
