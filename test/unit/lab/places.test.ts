import { describe, expect, test } from 'vitest'
import { environmentFrom } from '../../../scripts/lab/job.js'
import { candidates } from '../../../scripts/lab/places.js'

describe('the places that are tried', () => {
  test('the quickest first', () => {
    expect(candidates({ withoutIpvs: false })).toEqual(['host', 'uml', 'qemu'])
  })

  test('only the one that was asked for', () => {
    expect(candidates({ on: 'uml', suite: 'trixie', withoutIpvs: false })).toEqual(['uml'])
    expect(candidates({ on: 'host', withoutIpvs: true })).toEqual(['host'])
  })

  test('only guests have a suite, and only guests can be without IPVS', () => {
    expect(candidates({ suite: 'sid', withoutIpvs: false })).toEqual(['uml', 'qemu'])
    expect(candidates({ suite: 'bullseye', withoutIpvs: false })).toEqual(['qemu'])
    expect(candidates({ withoutIpvs: true })).toEqual(['uml', 'qemu'])
  })
})

test('another processor is emulated by QEMU; this machine\'s own is nothing special', () => {
  expect(candidates({ architecture: process.arch === 'arm64' ? 'x64' : 'arm64', withoutIpvs: false })).toEqual(['qemu'])
  expect(candidates({ architecture: process.arch as 'x64', withoutIpvs: false })).toEqual(['host', 'uml', 'qemu'])
})

describe('the environment of a command', () => {
  test('is a few of the caller\'s variables, and what was given', () => {
    const caller = { PATH: '/bin', HOME: '/home/me', LC_ALL: 'C.UTF-8', IPVS_CHECK: '1', SECRET: 'x', npm_config_cache: '/c' }
    expect(environmentFrom(caller, 'uml', { A: 'b', IPVS_CHECK: '2' })).toEqual({
      USER: 'root',
      LOGNAME: 'root',
      SHELL: '/bin/sh',
      PATH: '/bin',
      HOME: '/home/me',
      LC_ALL: 'C.UTF-8',
      IPVS_CHECK: '2',
      IPVS_LAB: 'uml',
      A: 'b',
    })
  })

  test('has a home also where the caller has none', () => {
    expect(environmentFrom({ HOME: '' }, 'qemu', {}).HOME).toBe('/root')
    expect(environmentFrom({}, 'qemu', { HOME: '/x' }).HOME).toBe('/x')
  })
})
