import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { takeName } from '../../../lib/checks/only-one.js'
import { refusal } from '../../support/errors.js'

const name = `ipvs-test-${process.pid}`

test('a name is taken once, and free again when it was given back', async () => {
  const server = await takeName(name)
  expect(await refusal(() => takeName(name))).toMatchObject({
    code: 'EADDRINUSE',
    message: expect.stringMatching(new RegExp(`^process ${process.pid} \\(.*\\) has the name @${name} in this network namespace$`)) as string,
  })
  await new Promise((resolve) => server.close(resolve))
  const again = await takeName(name)
  await new Promise((resolve) => again.close(resolve))
})

test('a name is as long in every release of Node, so that they are the same to each other', async () => {
  const server = await takeName(name)
  const found = readFileSync('/proc/thread-self/net/unix', 'latin1').split('\n').find((line) => line.includes(`@${name}`))
  expect(found?.trim().split(/\s+/).at(-1)).toHaveLength(108)
  await new Promise((resolve) => server.close(resolve))
})
