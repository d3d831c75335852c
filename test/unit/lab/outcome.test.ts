import { describe, expect, test } from 'vitest'
import { good, inWords, outcome, total } from '../../../scripts/test/outcome.js'
import { countTests, type VitestReport } from '../../../scripts/test/vitest.js'

const report = (numbers: Partial<VitestReport>): VitestReport => ({ numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [], ...numbers })

describe('the total', () => {
  test('sums all stages', () => {
    expect(inWords(total([outcome(2, 1, 3), outcome(4, 0, 1)]))).toBe('6 passed, 1 failed, 4 skipped')
  })

  test('is good when something passed and nothing failed', () => {
    expect(good(outcome(1, 0, 5))).toBe(true)
    expect(good(outcome(1, 1))).toBe(false)
    expect(good(outcome(0, 0, 5))).toBe(false)
  })
})

describe('what vitest reports', () => {
  test('is counted', () => {
    expect(countTests(report({ numPassedTests: 3, numFailedTests: 1, numPendingTests: 2, numTodoTests: 1 }), 1)).toEqual({ passed: 3, failed: 1, skipped: 3 })
  })

  test('a file that does not load is a failure, though it has no test', () => {
    const broken = { name: 'a.test.ts', status: 'failed', message: 'no such module', assertionResults: [] }
    expect(countTests(report({ numPassedTests: 3, testResults: [broken] }), 1)).toEqual({ passed: 3, failed: 1, skipped: 0, note: 'a.test.ts: no such module' })
  })

  test('an error outside of any test is a failure', () => {
    expect(countTests(report({ numPassedTests: 3 }), 1)).toMatchObject({ passed: 3, failed: 1, note: 'vitest ended with status 1' })
  })
})
