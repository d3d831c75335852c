import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkout } from '../../../scripts/setup/checkout.js'
import { sanitizedFiles } from '../../../scripts/test/sanitized.js'

test('the kernel tests that run under sanitizers are there', () => {
  expect(sanitizedFiles.filter(file => !existsSync(join(checkout, `test/kernel/${file}.test.ts`)))).toEqual([])
})
