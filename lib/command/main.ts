#!/usr/bin/env node
import { complain, OutputClosedError, OutputError, print } from './output.js'

/** The exit status that a shell reports for a program ended by SIGPIPE. */
const BROKEN_PIPE = 128 + 13

/** Each command loads only what it needs, so that it starts quickly. Help and the version do not even need the addon. */
async function main(args: readonly string[]): Promise<number> {
  switch (args[0]) {
    case 'top':
      return (await import('./top.js')).top(args.slice(1))
    case 'director':
      return (await import('./director/director.js')).director(args.slice(1))
    case 'fleet':
      return (await import('./fleet.js')).fleet(args.slice(1))
    case 'register':
      return (await import('./register.js')).register(args.slice(1))
    case 'digest':
      return (await import('./digest.js')).digest(args.slice(1))
    case 'doctor':
      return (await import('./doctor.js')).doctor(args.slice(1))
    case 'completion':
      return (await import('./completion.js')).completion(args.slice(1))
    case 'help':
      return (await import('./help-word.js')).help(args.slice(1))
    case '-h':
    case '--help':
      print((await import('./help.js')).helpText())
      return 0
    case '-v':
    case '--version':
      print((await import('./help.js')).versionText())
      return 0
    default:
      // All output is written by now. Without this, Node would first collect the garbage of a long listing, a tenth of the whole time.
      process.exit(await (await import('./run.js')).run(args))
  }
}

function wordsOf(error: unknown): string {
  const { code, stack, message } = error as Error & { code?: string }
  if (code === 'ERR_IPVS_ADDON') return message
  return `ipvs: ${error instanceof OutputError ? message : stack ?? String(error)}`
}

main(process.argv.slice(2)).then(
  (status) => {
    process.exitCode = status
  },
  (error: unknown) => {
    process.exitCode = error instanceof OutputClosedError ? BROKEN_PIPE : 1
    if (!(error instanceof OutputClosedError)) complain(wordsOf(error))
  },
)
