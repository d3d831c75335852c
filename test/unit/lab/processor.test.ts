import { describe, expect, test } from 'vitest'
import { guestName, pinnedTo, processorForGuest, processorsIn } from '../../../scripts/lab/processor.js'

test.each([
  ['0', [0]],
  ['0-3', [0, 1, 2, 3]],
  ['0-1,4,6-7\n', [0, 1, 4, 6, 7]],
  ['', []],
])('the kernel\'s list %j of processors is read', (list, numbers) => {
  expect(processorsIn(list)).toEqual(numbers)
})

describe('guests in user-mode Linux', () => {
  test('have a processor each, as long as there are enough', () => {
    expect(processorForGuest([0, 1], [])).toBe(0)
    expect(processorForGuest([0, 1], [0])).toBe(1)
    expect(processorForGuest([0, 1], [0, 1])).toBe(0)
    expect(processorForGuest([0, 1], [0, 1, 0])).toBe(1)
  })

  test('go to processors that this process may use, whoever else is on others', () => {
    expect(processorForGuest([2, 5], [0, 2, 1])).toBe(5)
  })

  test('are known by their command lines, each once, however many processes it is', () => {
    const guest = (folder: string, processor: number): string => ['/cache/kernel', 'mem=2048M', `uml_dir=${folder}/`, guestName(processor), 'seccomp=on', ''].join('\0')
    const starting = ['taskset', '--cpu-list', '1', guest('/tmp/c', 1)].join('\0')
    expect(pinnedTo([guest('/tmp/a', 1), guest('/tmp/a', 1), 'vi\0umid=lab-0\0', guest('/tmp/b', 0), starting]).sort()).toEqual([0, 1, 1])
  })
})
