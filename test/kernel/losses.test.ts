import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Ipvs } from 'ipvs'
import { program } from '../support/program.js'
import { Scene } from '../support/scene.js'

/** The third send of a batch, counted in its thread: opening a handle takes two, on a thread of its own with the promise API. */
const THIRD: Record<string, number> = { array: 3, iterable: 3, sync: 5 }

/** Consecutive operations of a batch that ended alike. */
interface Run { outcome: string, count: number, code?: string, message?: string }

let scene: Scene
beforeAll(async () => {
  scene = await Scene.create(Ipvs, 'losses')
})
beforeEach(() => scene.ipvs.flush())
afterAll(() => scene[Symbol.asyncDispose]())

/** Adds services while a system call fails as strace is told. */
async function batch(form: string, count: number, fault: string): Promise<Run[]> {
  const { status, stdout, stderr } = await program('losses.mjs', [form, scene.namespace.name, String(count)], {
    wrapper: ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `trace=${fault.split(':')[0]}`, '-e', `inject=${fault}`],
  })
  expect([status, stderr]).toEqual([0, ''])
  return JSON.parse(stdout) as Run[]
}

const sum = (runs: Run[]): number => runs.reduce((total, { count }) => total + count, 0)

describe.each(['array', 'iterable', 'sync'])('a batch of 10,000, %s, some pieces long', form => {
  test('of which an answer is lost: what was sent is unknown, and nothing is sent after it', async () => {
    const runs = await batch(form, 10_000, 'recvmmsg:error=ENOBUFS:when=1')
    expect(runs.map(({ outcome }) => outcome)).toEqual(['unknown', 'not-sent'])
    expect(sum(runs)).toBe(10_000)
    expect(runs).toMatchObject([{ code: 'ENOBUFS', message: expect.stringMatching(/lost.*overflowed/) as unknown }, { code: 'ENOBUFS', message: expect.stringMatching(/not sent.*overflowed/) as unknown }])
    // The kernel has carried out what it was sent. One more came afterwards.
    expect(await scene.ipvs.services()).toHaveLength(runs[0].count + 1)
  })

  test('on a socket that takes no more: what was sent is done, the rest is not sent, and why', async () => {
    const runs = await batch(form, 10_000, `sendto:error=EPERM:when=${THIRD[form]}`)
    expect(runs.map(({ outcome }) => outcome)).toEqual(['done', 'not-sent'])
    expect(sum(runs)).toBe(10_000)
    expect(runs[1]).toMatchObject({ code: 'EPERM', message: expect.stringMatching(/not sent.*\(EPERM\)/) as unknown })
    expect(await scene.ipvs.services()).toHaveLength(runs[0].count + 1)
  })
})

test('a message that the kernel has no room for is sent in halves', async () => {
  expect(await batch('array', 10_000, `sendto:error=ENOBUFS:when=${THIRD.array}`)).toEqual([{ outcome: 'done', count: 10_000 }])
  expect(await scene.ipvs.services()).toHaveLength(10_001)
})
