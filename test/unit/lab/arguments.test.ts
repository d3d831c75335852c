import { describe, expect, test } from 'vitest'
import { readArguments, UsageError } from '../../../scripts/lab/arguments.js'
import { readTestArguments } from '../../../scripts/test/arguments.js'

describe('the lab\'s command line', () => {
  test('a command alone: the lab chooses the place, the rest has its defaults', () => {
    expect(readArguments(['--', 'ipvsadm', '-Ln'])).toEqual({
      on: undefined,
      architecture: undefined,
      suite: undefined,
      timeout: 1800,
      memory: 2048,
      processors: 2,
      node: undefined,
      env: {},
      withoutIpvs: false,
      help: false,
      command: ['ipvsadm', '-Ln'],
    })
  })

  test('every option', () => {
    const args = [
      '--on',
      'qemu',
      '--suite=trixie',
      '--arch',
      'arm64',
      '--timeout',
      '5',
      '--memory',
      '512',
      '--processors',
      '1',
      '--node',
      '22',
      '--env',
      'A=1',
      '--env=B=x=y\nz',
      '--without-ipvs',
      '--',
      'true',
    ]
    expect(readArguments(args)).toEqual({
      on: 'qemu',
      architecture: 'arm64',
      suite: 'trixie',
      timeout: 5,
      memory: 512,
      processors: 1,
      node: '22',
      env: { A: '1', B: 'x=y\nz' },
      withoutIpvs: true,
      help: false,
      command: ['true'],
    })
  })

  test('what follows the command is the command\'s, whether it looks like an option or not', () => {
    expect(readArguments(['--on', 'uml', 'sh', '-c', 'a b', '--', '--on']).command).toEqual(['sh', '-c', 'a b', '--', '--on'])
    expect(readArguments(['--', '--', 'x']).command).toEqual(['--', 'x'])
    expect(readArguments(['--', 'echo', '', '--help'])).toMatchObject({ command: ['echo', '', '--help'], help: false })
  })

  test('help needs no command', () => {
    expect(readArguments(['--help'])).toMatchObject({ help: true, command: [] })
  })

  test.each([
    [[], 'no command was given'],
    [['--on', 'uml'], 'no command was given'],
    [['--on', 'vm', '--', 'x'], '--on vm: must be one of host, uml, qemu'],
    [['--suite', 'buster', '--', 'x'], '--suite buster: must be one of bullseye, bookworm, trixie, sid'],
    [['--arch', 'riscv64', '--', 'x'], '--arch riscv64: must be one of x64, arm64'],
    [['--timeout', '0', '--', 'x'], '--timeout 0: must be a whole number, 1 or more'],
    [['--timeout', '1.5', '--', 'x'], '--timeout 1.5: must be a whole number, 1 or more'],
    [['--timeout', '9999999999', '--', 'x'], '--timeout 9999999999: must be a whole number, 1 or more'],
    [['--memory', 'much', '--', 'x'], '--memory much: must be a whole number, 256 or more'],
    [['--env', 'A', '--', 'x'], '--env A: must have the form NAME=VALUE'],
    [['--env', '1A=2', '--', 'x'], '--env 1A=2: must have the form NAME=VALUE'],
    [['--node', 'lts', '--', 'x'], '--node lts: must be newest, a release (22) or a version (22.12.0)'],
    [['--bogus', '--', 'x'], 'Unknown option \'--bogus\''],
    [['--on'], 'Option \'--on <value>\' argument missing'],
  ])('%j is refused', (args, message) => {
    expect(() => readArguments(args)).toThrow(new UsageError(message))
  })
})

test('another processor is for QEMU alone', () => {
  const other = process.arch === 'arm64' ? 'x64' : 'arm64'
  const message = `--arch ${other} --on uml: only QEMU emulates another processor (--on qemu)`
  expect(() => readArguments(['--on', 'uml', '--arch', other, '--', 'x'])).toThrow(new UsageError(message))
  expect(readArguments(['--on', 'uml', '--arch', process.arch, '--', 'x'])).toMatchObject({ on: 'uml', architecture: process.arch })
})

describe('the tests\' command line', () => {
  const stages = ['check', 'unit', 'kernel']

  test('no name chooses none', () => {
    expect(readTestArguments(['--on', 'uml'], stages).names).toBeUndefined()
  })

  test('stages and the lab\'s options, in any order', () => {
    expect(readTestArguments(['--on', 'qemu', 'unit', '--suite', 'sid', 'kernel'], stages)).toMatchObject({
      names: ['unit', 'kernel'],
      lab: { on: 'qemu', suite: 'sid' },
    })
  })

  test('a name that is none is refused, rather than nothing run', () => {
    expect(() => readTestArguments(['units'], stages)).toThrow(new UsageError('units: is none of check, unit, kernel'))
    expect(() => readTestArguments(['--suite', 'etch'], stages)).toThrow(UsageError)
  })
})
