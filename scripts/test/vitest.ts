import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { checkout } from '../setup/checkout.js'
import { outcome, type Outcome } from './outcome.js'

/** The part of the JSON reporter's output that is used. */
export interface VitestReport {
  numPassedTests: number
  numFailedTests: number
  numPendingTests: number
  numTodoTests: number
  testResults: {
    name: string, status: string, message: string
    assertionResults: { status: string, ancestorTitles: string[], title: string }[]
  }[]
}

/** A run of vitest on some of its projects. */
export interface VitestRun {
  /** The program and its arguments. */
  command: string[]
  /** The outcome, once it has ended with this status. */
  read: (status: number) => Outcome
}

export interface VitestOptions {
  /** The Node program that runs it; this process's own by default. */
  node?: string
  /** More arguments for vitest: parts of file names, `--shard=1/2`. */
  words?: string[]
}

/** Counts tests. A file that cannot be loaded, or an error outside of a test, counts as a failed test. */
export function countTests(report: VitestReport, status: number): Outcome {
  const failures = report.testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = relative(checkout, name)
    const failed = assertionResults.filter(test => test.status === 'failed').map(
      test => [file, ...test.ancestorTitles, test.title].join(' > '),
    )
    return status === 'failed' && failed.length === 0 ? [`${file}: ${message.split('\n')[0]}`] : failed
  })
  if (failures.length === 0 && status !== 0) failures.push(`vitest ended with status ${status}, and names no test`)
  return outcome(report.numPassedTests, failures, report.numPendingTests + report.numTodoTests)
}

/** The folder for the output and results of test runs. */
export const resultsFolder = join(checkout, 'build/tests')

/** Prepares a run whose results are kept in build/tests/NAME.json. */
export function vitest(name: string, projects: string[], { node = process.execPath, words = [] }: VitestOptions = {}): VitestRun {
  mkdirSync(resultsFolder, { recursive: true })
  const file = join(resultsFolder, `${name}.json`)
  rmSync(file, { force: true })
  const command = [
    node, join(checkout, 'node_modules/vitest/vitest.mjs'), 'run', ...projects.map(project => `--project=${project}`),
    '--reporter=verbose', '--reporter=json', `--outputFile.json=${file}`, ...words,
  ]
  const read = (status: number): Outcome => {
    try {
      return countTests(JSON.parse(readFileSync(file, 'utf8')) as VitestReport, status)
    } catch {
      return outcome(0, [`vitest left no results (status ${status})`])
    }
  }
  return { command, read }
}
