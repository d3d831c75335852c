/** `npm run bench`: sets the benchmark up and runs it in the lab. `npm run bench -- --help` lists the options. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { argumentsFor, parseBenchArguments, usage, type BenchArguments } from './bench/arguments.js'
import { compileReference } from './bench/reference.js'
import { suites } from './bench/suites.js'
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
  await ensure('c++', 'ipvsadm', 'ip', 'unshare', ...wanted.only.flatMap((name) => suites[name].needs ?? []))
  compileReference()
  const placed = wanted.lab.includes('--on') || wanted.lab.includes('--suite')
  const here = placed ? [] : wanted.only.filter(name => suites[name].anywhere)
  const there = wanted.only.filter(name => !here.includes(name))
  // Each writes its own figures.
  const json = there.length > 0 ? wanted.json.replace(/(\.json)?$/, '.native.json') : wanted.json
  if (here.length > 0) {
    const { status } = spawnSync(process.execPath, [main, ...argumentsFor(wanted, here, json)], { stdio: 'inherit' })
    process.exitCode = status ?? 1
  }
  if (there.length > 0) {
    const job = readArguments([...wanted.lab, '--', process.execPath, main, ...argumentsFor(wanted, there)])
    process.exitCode = await runInLab(job) || process.exitCode
  }
}
