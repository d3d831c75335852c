import { expect, test } from 'vitest'
import { program } from '../../support/program.js'

test('worker threads can be terminated at any moment while they import the package or open handles, where there is no IPVS too', async () => {
  expect(await program('terminations.mjs', ['40'])).toEqual({ status: 0, stdout: '40\n', stderr: '' })
}, 120_000)
