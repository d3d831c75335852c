#!/usr/bin/env node
import { complain, OutputClosedError } from './output.js'
import { run } from './run.js'

/** What the shell reports of a program that a closed pipe has ended. */
const BROKEN_PIPE = 128 + 13

run(process.argv.slice(2)).then(
  (status) => {
    process.exitCode = status
  },
  (error: unknown) => {
    process.exitCode = error instanceof OutputClosedError ? BROKEN_PIPE : 1
    if (!(error instanceof OutputClosedError)) complain(`ipvs: ${(error as Error).stack ?? String(error)}`)
  },
)
