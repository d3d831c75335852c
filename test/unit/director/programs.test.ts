import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { check, type CheckAnswer } from 'ipvs/director'
import { Programs } from '../../../lib/director/programs.js'

const NOWHERE = { address: '0.0.0.0', port: 0 }

let folder: string
let programs: Programs
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ipvs-programs-'))
  programs = new Programs((program) => check(NOWHERE, program))
})
afterEach(async () => {
  await programs.ended()
  rmSync(folder, { recursive: true })
})

const shell = (line: string, timeout = 60) => ({ command: ['/bin/sh', '-c', line], timeout })

test('programs about one subject run in order, whatever each of them takes', async () => {
  const file = join(folder, 'order')
  for (const [word, seconds] of [['first', 0.2], ['second', 0.1], ['third', 0]] as const) programs.run('a', shell(`sleep ${seconds}; echo ${word} >> ${file}`), () => {})
  await programs.ended()
  expect(readFileSync(file, 'latin1')).toBe('first\nsecond\nthird\n')
})

test('programs about different subjects do not wait for one another', async () => {
  // The first program runs until the second one has made a file.
  const outcomes: string[] = []
  programs.run('a', shell(`until test -e ${folder}/b; do sleep 0.01; done`), ({ outcome }) => outcomes.push(`a ${outcome}`))
  programs.run('b', shell(`: > ${folder}/b`), ({ outcome }) => outcomes.push(`b ${outcome}`))
  await programs.ended()
  expect(outcomes.sort()).toEqual(['a good', 'b good'])
})

test('it is told how each ended, and what it printed', async () => {
  const answers: CheckAnswer[] = []
  const ended = (answer: CheckAnswer): void => void answers.push(answer)
  programs.run('a', shell('echo hello; exit 3'), ended)
  programs.run('a', shell('echo late; sleep 100 & wait', 0.1), ended)
  programs.run('a', { command: ['/no/such/program'], timeout: 1 }, ended)
  programs.run('a', { command: ['/bin/echo', '$HOME; `id`'], timeout: 1 }, ended)
  await programs.ended()
  expect(answers.map(({ outcome, words }) => `${outcome}: ${words}`)).toEqual([
    'bad: the program ended with status 3: hello',
    'bad: the program did not end within 0.1 s: late',
    'bad: /no/such/program could not be started: no such file or directory (ENOENT)',
    'good: the program ended with status 0: $HOME; `id`',
  ])
})

test('so many run at once, and the others wait for their turn', async () => {
  let running = 0
  let most = 0
  const ends: string[] = []
  const counting = new Programs(async (program) => {
    most = Math.max(most, ++running)
    const answer = await check(NOWHERE, program)
    running--
    return answer
  }, 2)
  for (let n = 0; n < 6; n++) counting.run(`subject ${n}`, { command: ['/bin/echo', String(n)], timeout: 60 }, ({ words }) => ends.push(words.at(-1)!))
  await counting.ended()
  expect({ most, running, ends: ends.sort() }).toEqual({ most: 2, running: 0, ends: ['0', '1', '2', '3', '4', '5'] })
})

test('one that could not be run to its end is told, and the next one runs', async () => {
  let isFirst = true
  const breaking = new Programs((program) => {
    if (!isFirst) return check(NOWHERE, program)
    isFirst = false
    return Promise.reject(new Error('the thread ended'))
  })
  const answers: CheckAnswer[] = []
  for (let n = 0; n < 2; n++) breaking.run('a', { command: ['/bin/echo', 'hello'], timeout: 60 }, (answer) => answers.push(answer))
  await breaking.ended()
  expect(answers).toMatchObject([
    { outcome: 'untried', words: '/bin/echo could not be run to its end: the thread ended' },
    { outcome: 'good' },
  ])
})
