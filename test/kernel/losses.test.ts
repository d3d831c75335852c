import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Ipvs } from 'ipvs'
import { program } from '../support/program.js'
import { Scene } from '../support/scene.js'

/** The third send of a batch, counted in its thread: opening a handle takes two, on a thread of its own with the promise API. */
const THIRD: Record<string, number> = { array: 3, iterable: 3, sync: 5 }

interface Told { code: string, message: string }
/** A batch's result, with lengths in place of lists. */
interface Result {
  total: number
  done: number
  refused: number
  unknown: number
  places: number[]
  notSent: number
  lost?: Told
  cause?: Told
}

let scene: Scene
beforeAll(async () => {
  scene = await Scene.create(Ipvs, 'losses')
})
beforeEach(() => scene.ipvs.flush())
afterAll(() => scene[Symbol.asyncDispose]())

/** Adds services while strace makes a system call fail. */
async function batch(form: string, count: number, fault: string): Promise<Result> {
  const { status, stdout, stderr } = await program('losses.mjs', [form, scene.namespace.name, String(count)], {
    wrapper: ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `trace=${fault.split(':')[0]}`, '-e', `inject=${fault}`],
  })
  expect([status, stderr]).toEqual([0, ''])
  return JSON.parse(stdout) as Result
}

describe.each(['array', 'iterable', 'sync'])('a batch of 10,000, %s, some pieces long', form => {
  test('that loses an answer reports what was sent as unknown, and sends nothing more', async () => {
    const result = await batch(form, 10_000, 'recvmmsg:error=ENOBUFS:when=1')
    const { total, unknown, notSent } = result
    expect(result).toMatchObject({
      done: 0, refused: 0, places: [0, unknown - 1],
      lost: { code: 'ERR_IPVS_ANSWER_LOST', message: expect.stringMatching(/lost.*overflowed/) as unknown },
      cause: { code: 'ENOBUFS', message: expect.stringMatching(/not sent.*overflowed/) as unknown },
    })
    expect(notSent).toBeGreaterThan(0)
    expect(total).toBe(unknown + notSent)
    expect(total).toBe(10_000)
    // The kernel carried out all that was sent. One more service was added afterwards.
    expect(await scene.ipvs.services()).toHaveLength(unknown + 1)
  })

  test('on a full socket reports what was done, what was not sent, and why', async () => {
    const result = await batch(form, 10_000, `sendto:error=EPERM:when=${THIRD[form]}`)
    expect(result).toMatchObject({
      refused: 0,
      unknown: 0,
      cause: { code: 'EPERM', message: expect.stringMatching(/not sent.*\(EPERM\)/) as unknown },
    })
    expect(result.notSent).toBeGreaterThan(0)
    expect(result.done + result.notSent).toBe(result.total)
    expect(await scene.ipvs.services()).toHaveLength(result.done + 1)
  })
})

test('whose message is too large for the kernel is sent in halves', async () => {
  expect(await batch('array', 10_000, `sendto:error=ENOBUFS:when=${THIRD.array}`)).toMatchObject({ total: 10_000, done: 10_000 })
  expect(await scene.ipvs.services()).toHaveLength(10_001)
})
