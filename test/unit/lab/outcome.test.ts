import { describe, expect, test } from 'vitest'
import { countNativeTests } from '../../../scripts/test/native.js'
import { good, inWords, outcome, summary, total } from '../../../scripts/test/outcome.js'
import { readSummary } from '../../../scripts/test/private.js'
import { countTests, type VitestReport } from '../../../scripts/test/vitest.js'

const report = (numbers: Partial<VitestReport>): VitestReport => ({
  numPassedTests: 0,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  testResults: [],
  ...numbers,
})

describe('the total', () => {
  test('sums all stages', () => {
    expect(inWords(total([outcome(2, ['a'], 3), outcome(4, [], 1)]))).toBe('6 passed, 1 failed, 4 skipped')
  })

  test('is good when something passed and nothing failed', () => {
    expect(good(outcome(1, [], 5))).toBe(true)
    expect(good(outcome(1, ['a']))).toBe(false)
    expect(good(outcome(0, [], 5))).toBe(false)
  })
})

describe('the end of a run', () => {
  const parts = [
    { name: 'unit', outcome: outcome(3, []), seconds: 1.4 },
    { name: 'kernel', outcome: outcome(2, ['a.test.ts > adds > a service', 'b.test.ts: no such module'], 1, 'why'), seconds: 90 },
    { name: 'lab', outcome: outcome(0, [], 1, 'skipped: no kernel'), seconds: 0 },
  ]

  test('names what failed, and has the sum alone on its last line', () => {
    expect(summary(parts)).toBe(`unit   3 passed, 0 failed, 0 skipped (1 s)
kernel 2 passed, 2 failed, 1 skipped (90 s)
lab    0 passed, 0 failed, 1 skipped (0 s) skipped: no kernel

failed:
  kernel: a.test.ts > adds > a service
  kernel: b.test.ts: no such module

5 passed, 2 failed, 2 skipped`)
  })

  test('of a run within a run is read', () => {
    expect(readSummary(`noise\n${summary(parts)}\n`, 1)).toEqual(outcome(5, ['kernel: a.test.ts > adds > a service', 'kernel: b.test.ts: no such module'], 2))
    expect(readSummary(`${summary(parts.slice(0, 1))}\n`, 0)).toEqual(outcome(3, []))
  })

  test('that is missing, or that the status contradicts, is a failure', () => {
    expect(readSummary('npm ci failed\n', 1)).toEqual(outcome(0, ['npm test ended with status 1: npm ci failed']))
    expect(readSummary(`${summary(parts.slice(0, 1))}\n`, 1).failed).toBe(1)
  })
})

describe('what vitest reports', () => {
  test('is counted, and failures are named', () => {
    const failing = { name: 'test/a.test.ts', status: 'failed', message: '', assertionResults: [
      { status: 'passed', ancestorTitles: [], title: 'good' },
      { status: 'failed', ancestorTitles: ['services', 'one'], title: 'is added' },
    ] }
    const results = countTests(
      report({ numPassedTests: 3, numFailedTests: 1, numPendingTests: 2, numTodoTests: 1, testResults: [failing] }),
      1,
    )
    expect(results).toMatchObject({ passed: 3, failed: 1, skipped: 3 })
    expect(results.failures[0]).toMatch(/test\/a\.test\.ts > services > one > is added$/)
  })

  test('a file that does not load is a failure, though it has no test', () => {
    const broken = { name: 'a.test.ts', status: 'failed', message: 'no such module\n  at …', assertionResults: [] }
    expect(countTests(report({ numPassedTests: 3, testResults: [broken] }), 1)).toMatchObject({
      passed: 3,
      failed: 1,
      skipped: 0,
      failures: [expect.stringMatching(/a\.test\.ts: no such module$/)],
    })
  })

  test('so is a file whose set-up fails: its tests are skipped', () => {
    const broken = {
      name: 'a.test.ts',
      status: 'failed',
      message: 'no namespace',
      assertionResults: [{ status: 'skipped', ancestorTitles: [], title: 'one' }],
    }
    expect(countTests(report({ numPendingTests: 1, testResults: [broken] }), 1)).toMatchObject({
      passed: 0,
      failed: 1,
      skipped: 1,
      failures: [expect.stringMatching(/no namespace$/)],
    })
  })

  test('an error outside of any test is a failure', () => {
    expect(countTests(report({ numPassedTests: 3 }), 1)).toMatchObject({
      passed: 3,
      failed: 1,
      failures: ['vitest ended with status 1, and names no test'],
    })
  })
})

describe('what the native tests print', () => {
  test('is counted, and failures are named', () => {
    expect(countNativeTests({ status: 0, stdout: '12 native tests, 0 failed, 0 skipped\n', stderr: '' })).toEqual(outcome(12, []))
    const printed = '    native/test/a_test.cc:3: no\nnot ok  a record is read\n12 native tests, 1 failed, 0 skipped\n'
    expect(countNativeTests({ status: 1, stdout: printed, stderr: '' })).toEqual(outcome(11, ['a record is read'], 0, printed))
  })

  test('tests that cannot be carried out are counted as skipped, with the reason', () => {
    const stdout = 'skipped dumps: there is no io_uring here\n12 native tests, 0 failed, 1 skipped\n'
    expect(countNativeTests({ status: 0, stdout, stderr: '' })).toEqual(outcome(11, [], 1, 'skipped: dumps: there is no io_uring here'))
  })

  test('a sanitizer that ends them is a failure, at the place in the test', () => {
    const stderr =
      '==7==ERROR: AddressSanitizer: heap-buffer-overflow\n #0 in decode native/ipvs/decode.cc:9\n #1 in body native/test/decode_test.cc:40:3\n'
    expect(countNativeTests({ status: 1, stdout: '', stderr }).failures).toEqual([
      'native_tests ended with status 1 at native/test/decode_test.cc:40',
    ])
  })
})
