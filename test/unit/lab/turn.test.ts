import { setImmediate } from 'node:timers/promises'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { inTurn } from '../../../scripts/setup/turn.js'

const name = `test ${process.pid}`

test('work of one name is done one after the other', async () => {
  let atWork = 0
  let most = 0
  const results = await Promise.all([1, 2, 3].map(number => inTurn(name, async () => {
    most = Math.max(most, ++atWork)
    await setImmediate()
    atWork -= 1
    return number
  })))
  expect({ results, most }).toEqual({ results: [1, 2, 3], most: 1 })
})

test('work of another name does not wait', async () => {
  expect(await inTurn(name, () => inTurn(`${name}, another`, () => 'both'))).toBe('both')
})

test('work that fails, and a process that dies, leave the turn to others', async () => {
  await expect(inTurn(name, () => { throw new Error('no such program') })).rejects.toThrow('no such program')
  const holder = spawn(process.execPath, ['--input-type=module', '-e', `
    import { createHash } from 'node:crypto'
    import { createServer } from 'node:net'
    createServer().listen('\\0ipvs-lab-' + createHash('sha256').update(${JSON.stringify(name)}).digest('hex'), () => console.log('held'))`], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(holder.stdout, 'data')
  const waiting = inTurn(name, () => 'mine')
  holder.kill('SIGKILL')
  expect(await waiting).toBe('mine')
})
