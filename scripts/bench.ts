/** `npm run bench`: sets the benchmark up and runs it in the lab. `npm run bench -- --help` lists the options. */
import { fileURLToPath } from 'node:url'
import { parseBenchArguments, usage, type BenchArguments } from './bench/arguments.js'
import { compileReference } from './bench/reference.js'
import { readArguments } from './lab/arguments.js'
import { runInLab } from './lab/lab.js'
import { ensure } from './setup/programs.js'
import { say } from './setup/run.js'

const main = fileURLToPath(new URL('bench/main.js', import.meta.url))
const args = process.argv.slice(2)

function read(): BenchArguments | undefined {
  try {
    return parseBenchArguments(args)
  } catch (error) {
    say(`bench: ${(error as Error).message}\n\n${usage}`)
    return undefined
  }
}

const wanted = read()
if (wanted === undefined) process.exitCode = 2
else if (wanted.help) process.stdout.write(usage)
else {
  await ensure('c++', 'ipvsadm', 'ip', 'unshare')
  compileReference()
  process.exitCode = await runInLab(readArguments([...wanted.lab, '--', process.execPath, main, ...args]))
}
