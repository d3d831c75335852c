import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Ipvs, IpvsSync } from 'ipvs'
import { refusal } from '../support/errors.js'
import { program } from '../support/program.js'
import { apis, Scene } from '../support/scene.js'

const web = { protocol: 'tcp', address: '10.10.10.100', port: 80 } as const

let scene: Scene
beforeAll(async () => {
  scene = await Scene.create(Ipvs, 'handles')
})
beforeEach(() => scene.ipvs.flush())
afterAll(() => scene[Symbol.asyncDispose]())

describe.each(apis)('a handle of %s', (_, Api) => {
  test('that is closed refuses everything with ERR_IPVS_CLOSED', async () => {
    const ipvs = await Api.open({ netns: scene.namespace.name })
    await ipvs.close()
    await ipvs.close()
    for (const act of [
      () => ipvs.services(),
      () => ipvs.addService(web),
      () => ipvs.flush(),
      () => ipvs.info(),
      () => ipvs.zero(),
      () => ipvs.destinations(web),
      () => ipvs.snapshot(),
      () => ipvs.batch([{ type: 'flush' }]),
    ]) {
      expect(await refusal(act)).toMatchObject({ code: 'ERR_IPVS_CLOSED' })
    }
    expect(await scene.ipvsadm.save()).toEqual([])
  })

  test('leaves no descriptor behind, however often one is opened and closed', async () => {
    const cycle = async (times: number): Promise<number> => {
      for (let n = 0; n < times; ++n) {
        const ipvs = await Api.open({ netns: scene.namespace.name })
        await ipvs.services()
        await ipvs.close()
      }
      return readdirSync('/proc/self/fd').length
    }
    const before = await cycle(1)
    expect(await cycle(50)).toBe(before)
  })

  test('that could not be opened leaves no descriptor behind', async () => {
    const fail = async (times: number): Promise<number> => {
      for (let n = 0; n < times; ++n) {
        await refusal(() => Api.open({ netns: 'ipvs-no-such-name' }))
        await refusal(() => Api.open({ netns: '/proc/self/status' }))
      }
      return readdirSync('/proc/self/fd').length
    }
    const before = await fail(1)
    expect(await fail(20)).toBe(before)
  })

  test('works with the smallest buffers that the kernel allows', async () => {
    const ipvs = await Api.open({ netns: scene.namespace.name, receiveBuffer: 1, sendBuffer: 1 })
    await ipvs.addService(web)
    for (let n = 0; n < 300; ++n) await ipvs.addDestination(web, { address: `10.10.11.${n & 255}`, port: n < 256 ? 80 : 81, forward: 'nat' })
    expect(await ipvs.destinations(web)).toHaveLength(300)
    expect(await refusal(() => ipvs.addService(web))).toMatchObject({ code: 'EEXIST' })
    await ipvs.close()
  })
})

test('close waits for the operations that were called before it', async () => {
  const ipvs = await Ipvs.open({ netns: scene.namespace.name })
  const added = Array.from({ length: 100 }, (_, n) => ipvs.addService({ ...web, port: 1000 + n }))
  await ipvs.close()
  await Promise.all(added)
  expect(await scene.ipvsadm.save()).toHaveLength(100)
})

test('a handle disposes of itself at the end of a block', async () => {
  let kept: Ipvs
  {
    await using ipvs = await Ipvs.open({ netns: scene.namespace.name })
    await ipvs.addService(web)
    kept = ipvs
  }
  expect(await refusal(() => kept.services())).toMatchObject({ code: 'ERR_IPVS_CLOSED' })
  let keptSync: IpvsSync
  {
    using ipvs = IpvsSync.open({ netns: scene.namespace.name })
    ipvs.removeService(web)
    keptSync = ipvs
  }
  expect(await refusal(() => keptSync.services())).toMatchObject({ code: 'ERR_IPVS_CLOSED' })
  expect(await scene.ipvsadm.save()).toEqual([])
})

describe.each(apis)('a process that has few descriptors left, with %s', (label) => {
  const open = async (left: number): Promise<unknown> => {
    const { status, stdout, stderr } = await program('descriptors.mjs', [label, String(left)], { wrapper: ['prlimit', '--nofile=64:64'] })
    expect([status, stderr]).toEqual([0, ''])
    return JSON.parse(stdout)
  }

  test.each([0, 1, 2])('with %i left, opening fails with EMFILE and says what to do', async (left) => {
    expect(await open(left)).toEqual({
      opened: false,
      name: 'IpvsError',
      code: 'EMFILE',
      operation: { type: 'open' },
      message: expect.stringContaining('ulimit -n') as unknown,
    })
  })

  test('with three left, opening succeeds', async () => {
    expect(await open(3)).toEqual({ opened: true })
  })
})

describe('a process of its own', () => {
  test('ends with a handle open, if no operation is pending', async () => {
    expect(await program('idle.mjs', [scene.namespace.name])).toEqual({ status: 0, stdout: 'done\n', stderr: '' })
  })

  test('does not end before pending operations are answered', async () => {
    expect(await program('pending.mjs', [scene.namespace.name])).toEqual({ status: 0, stdout: 'done\n', stderr: '' })
    expect(await scene.ipvsadm.save()).toEqual(['-A -t 10.10.10.100:80 -s wlc'])
  })

  test('gets the package by require()', async () => {
    await scene.ipvs.addService(web)
    const { status, stdout } = await program('required.cjs', [scene.namespace.name])
    expect([status, JSON.parse(stdout)]).toEqual([0, [{ address: '10.10.10.100', port: 80 }]])
  })

  test('that drops its handles gets descriptors and threads back at the next garbage collection', async () => {
    const { status, stdout, stderr } = await program('abandoned.mjs', [scene.namespace.name], { flags: ['--expose-gc'] })
    expect([status, stderr]).toEqual([0, ''])
    const { before, opened, after } = JSON.parse(stdout) as Record<'before' | 'opened' | 'after', { descriptors: number, threads: number }>
    expect(opened.descriptors).toBeGreaterThan(before.descriptors)
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors)
    expect(after.threads).toBeLessThanOrEqual(before.threads)
  })

  test('has handles in worker threads, and survives the end of one in the middle of its work', async () => {
    const { status, stdout, stderr } = await program('workers.mjs', [scene.namespace.name])
    expect([status, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout)).toEqual([1, 2, 3, 4].flatMap(number => [1, 2, 3].map(n => number * 1000 + n)))
  })
})
