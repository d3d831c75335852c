import { closeSync, constants, mkdtempSync, openSync, renameSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeFifo, readVrrpLine, VrrpFifo } from '../../../lib/director/vrrp-fifo.js'
import { until } from '../../support/until.js'

describe('a line of keepalived\'s FIFO', () => {
  test.each([
    ['INSTANCE "front" MASTER 150', { type: 'instance', name: 'front', state: 'MASTER', priority: 150 }],
    ['GROUP "lvs" FAULT 0', { type: 'group', name: 'lvs', state: 'FAULT', priority: 0 }],
    ['\0INSTANCE "a b" STOP 1', { type: 'instance', name: 'a b', state: 'STOP', priority: 1 }],
  ])('%j is a state', (line, state) => expect(readVrrpLine(line)).toEqual(state))

  test.each(['', '\0', 'VS [10.0.0.1]:tcp:80 UP', 'INSTANCE "front" MASTER_RX_LOWER_PRI 150', 'INSTANCE front MASTER 150', 'nonsense'])(
    '%j says nothing', (line) => expect(readVrrpLine(line)).toBeUndefined(),
  )
})

describe('the FIFO', () => {
  let folder: string
  let path: string
  let fifo: VrrpFifo | undefined
  let heard: string[]
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fifo-'))
    path = join(folder, 'vrrp')
    heard = []
  })
  afterEach(() => {
    fifo?.close()
    rmSync(folder, { recursive: true })
  })

  const read = (): void => {
    fifo = new VrrpFifo(path, {
      state: ({ name, state }) => heard.push(`${name} ${state}`),
      gone: () => heard.push('gone'),
      trouble: ({ message }) => heard.push(message),
    })
  }
  const becomes = (...expected: string[]): Promise<unknown> =>
    until(() => Promise.resolve(heard.join()), (now) => now === expected.join(), 60)
  /** As keepalived opens it. */
  const open = (): number => openSync(path, constants.O_RDWR | constants.O_NONBLOCK)

  /** How many pipes this process waits for. */
  const pipes = (): number => process.getActiveResourcesInfo().filter((name) => name === 'PipeWrap').length

  test('is made where it is missing, and read again after the writer went', async () => {
    read()
    expect(statSync(path).isFIFO()).toBe(true)
    let writer = open()
    writeSync(writer, 'GROUP "lvs" MASTER 0\n\0nonsense\nGROUP "lvs" BA')
    writeSync(writer, 'CKUP 0\n\0')
    await becomes('lvs MASTER', 'lvs BACKUP')
    closeSync(writer)
    await becomes('lvs MASTER', 'lvs BACKUP', 'gone')
    writer = open()
    writeSync(writer, 'INSTANCE "front" FAULT 150\n')
    await becomes('lvs MASTER', 'lvs BACKUP', 'gone', 'front FAULT')
    closeSync(writer)
  })

  test('is read on where whoever wrote opens it again at once, as keepalived does that reads its configuration again', async () => {
    read()
    const first = open()
    writeSync(first, 'GROUP "lvs" MASTER 0\n')
    await becomes('lvs MASTER')
    const reading = pipes()
    closeSync(first)
    await until(() => Promise.resolve(pipes()), (count) => count === reading - 1)
    const second = open()
    writeSync(second, 'GROUP "lvs" BACKUP 0\n')
    await becomes('lvs MASTER', 'lvs BACKUP')
    closeSync(second)
    await becomes('lvs MASTER', 'lvs BACKUP', 'gone')
  })

  test('that was there before is read, and one that takes its place too', async () => {
    makeFifo(path)
    makeFifo(path)
    read()
    makeFifo(`${path}.new`)
    renameSync(`${path}.new`, path)
    const { ino } = statSync(path)
    const writer = open()
    writeSync(writer, 'GROUP "lvs" MASTER 0\n')
    await becomes('lvs MASTER')
    expect(statSync(path).ino).toBe(ino)
    closeSync(writer)
  })

  test('is refused where something else has its name, and where it cannot be made', () => {
    writeFileSync(path, '')
    expect(() => makeFifo(path)).toThrow(/something else has that name/)
    expect(() => makeFifo(join(folder, 'nowhere/vrrp'))).toThrow(/there is no folder .*\/nowhere\. Make it, or give another path/)
  })
})
