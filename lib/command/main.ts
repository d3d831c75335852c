#!/usr/bin/env node
import { complain, OutputClosedError, print } from './output.js'

/** What the shell reports of a program that a closed pipe has ended. */
const BROKEN_PIPE = 128 + 13

/** A command is judged by its start: each loads what it needs. Help and the version need no addon, either. */
async function main(args: readonly string[]): Promise<number> {
  switch (args[0]) {
    case 'top':
      return (await import('./top.js')).top(args.slice(1))
    case '-h':
    case '--help':
      print((await import('./help.js')).helpText())
      return 0
    case '-v':
    case '--version':
      print((await import('./help.js')).versionText())
      return 0
    default:
      return (await import('./run.js')).run(args)
  }
}

main(process.argv.slice(2)).then(
  (status) => {
    process.exitCode = status
  },
  (error: unknown) => {
    const { code, stack, message } = error as Error & { code?: string }
    process.exitCode = error instanceof OutputClosedError ? BROKEN_PIPE : 1
    if (!(error instanceof OutputClosedError)) complain(code === 'ERR_IPVS_ADDON' ? message : `ipvs: ${stack ?? String(error)}`)
  },
)
