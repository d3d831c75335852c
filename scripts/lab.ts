import { readArguments, usage, UsageError } from './lab/arguments.js'
import { CannotStart, TimedOut } from './lab/job.js'
import { runInLab } from './lab/lab.js'
import { say } from './setup/run.js'

// The reader of the output may stop early (| head). The rest is not needed then.
process.stdout.on('error', () => process.exit(1))

try {
  const wanted = readArguments(process.argv.slice(2))
  if (wanted.help) process.stdout.write(usage)
  else process.exitCode = await runInLab(wanted)
} catch (error) {
  if (error instanceof UsageError) say(`lab: ${error.message}\n\n${usage}`)
  else say(`lab: ${error instanceof CannotStart || error instanceof TimedOut ? error.message : (error as Error).message}`)
  // 124 is timeout(1)'s status; 125 means that the lab failed, not the command.
  process.exitCode = error instanceof TimedOut ? 124 : error instanceof UsageError ? 2 : 125
}
