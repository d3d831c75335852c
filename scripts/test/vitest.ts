import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { checkout } from '../setup/checkout.js'
import { outcome, type Outcome } from './outcome.js'

/** What is read of the file that vitest's JSON reporter writes. */
export interface VitestReport {
  numPassedTests: number
  numFailedTests: number
  numPendingTests: number
  numTodoTests: number
  testResults: { name: string, status: string, message: string, assertionResults: object[] }[]
}

/** A run of vitest on some of its projects. */
export interface VitestRun {
  /** The program and its arguments. */
  command: string[]
  /** How it went, once it has ended with this status. */
  read: (status: number) => Outcome
}

/** Counts tests; a file that could not even be loaded, and an error outside of any test, count as failed ones. */
export function countTests(report: VitestReport, status: number): Outcome {
  const unloaded = report.testResults.filter(file => file.status === 'failed' && file.assertionResults.length === 0)
  const failed = report.numFailedTests + unloaded.length
  const notes = unloaded.map(({ name, message }) => `${name}: ${message}`)
  if (failed === 0 && status !== 0) return outcome(report.numPassedTests, 1, report.numPendingTests + report.numTodoTests, `vitest ended with status ${status}`)
  return outcome(report.numPassedTests, failed, report.numPendingTests + report.numTodoTests, notes.length > 0 ? notes.join('\n') : undefined)
}

/** Prepares a run whose results are kept in build/tests-NAME.json. */
export function vitest(name: string, projects: string[], reporter: 'default' | 'verbose', filters: string[] = []): VitestRun {
  const file = join(checkout, `build/tests-${name}.json`)
  rmSync(file, { force: true })
  const command = [
    process.execPath, join(checkout, 'node_modules/vitest/vitest.mjs'), 'run', ...projects.map(project => `--project=${project}`),
    `--reporter=${reporter}`, '--reporter=json', `--outputFile.json=${file}`, ...filters,
  ]
  const read = (status: number): Outcome => {
    try {
      return countTests(JSON.parse(readFileSync(file, 'utf8')) as VitestReport, status)
    } catch {
      return outcome(0, 1, 0, `vitest left no results (status ${status})`)
    }
  }
  return { command, read }
}
