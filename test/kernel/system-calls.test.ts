import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { Ipvs } from 'ipvs'
import { program } from '../support/program.js'
import { Scene } from '../support/scene.js'

let scene: Scene
let folder: string
beforeAll(async () => {
  scene = await Scene.create(Ipvs, 'calls')
  folder = await mkdtemp(join(tmpdir(), 'ipvs-calls-'))
})
beforeEach(() => scene.ipvs.flush())
afterAll(async () => {
  await scene[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

/** How many system calls on netlink sockets a program makes in its whole life: those that send, and those that receive. */
async function calls(form: string, count: number): Promise<{ sent: number, received: number }> {
  await scene.ipvs.flush()
  const output = join(folder, `${form}-${count}`)
  const { status, stderr } = await program('operations.mjs', [form, scene.namespace.name, String(count)], {
    wrapper: ['strace', '-f', '-qq', '-yy', '-e', 'trace=sendto,sendmsg,sendmmsg,recvfrom,recvmsg,recvmmsg,write,read', '-o', output],
  })
  expect([status, stderr]).toEqual([0, ''])
  expect(await scene.ipvs.services()).toHaveLength(count)
  const lines = (await readFile(output, 'utf8')).split('\n').filter(line => /\(\d+<NETLINK:/.test(line))
  const matching = (pattern: RegExp): number => lines.filter(line => pattern.test(line)).length
  return { sent: matching(/ (send|write)/), received: matching(/ (recv|read)/) }
}

test.each(['Ipvs', 'IpvsSync'])('an operation of %s is one send and one receive', async form => {
  const [few, more] = [await calls(form, 1), await calls(form, 11)]
  expect({ sent: more.sent - few.sent, received: more.received - few.received }).toEqual({ sent: 10, received: 10 })
})

test('ten thousand operations in one turn take a handful of system calls', async () => {
  const [few, many] = [await calls('together', 1), await calls('together', 10_000)]
  expect(many.sent - few.sent).toBeLessThan(12)
  expect(many.received - few.received).toBeLessThan(12)
})
