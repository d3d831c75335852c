import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Ipvs } from 'ipvs'
import { isSince } from '../support/linux.js'
import { program } from '../support/program.js'
import { Scene } from '../support/scene.js'

const ports = Array.from({ length: 40 }, (_, n) => n + 1)
const address = (port: number, n: number): string => `10.30.${port}.${n + 1}`

let scene: Scene
let folder: string
beforeAll(async () => {
  scene = await Scene.create(Ipvs, 'ring')
  folder = await mkdtemp(join(tmpdir(), 'ipvs-ring-'))
  await scene.ipvs.batch(ports.flatMap(port => {
    const service = { protocol: 'tcp', address: '10.10.10.100', port } as const
    // Some without destinations, some with more than one datagram holds.
    const count = port % 10 === 0 ? 100 : port % 4
    return [
      { type: 'addService', service } as const,
      ...Array.from({ length: count }, (_, n) => ({ type: 'addDestination', service, destination: { address: address(port, n), port: 80, forward: 'nat' } } as const)),
    ]
  }))
})
afterAll(async () => {
  await scene[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

// The machine's own sysctl is not ours to change.
const changeable = process.env.IPVS_LAB !== 'host' && isSince('sysctl kernel.io_uring_disabled')

describe.runIf(changeable)('many listings in a row', () => {
  /** What the program listed, and how many rings the addon asked for and was given. */
  async function list(wanted: 'with' | 'without'): Promise<{ listed: unknown, asked: number, given: number }> {
    const output = join(folder, wanted)
    const { status, stdout, stderr } = await program('ring.mjs', [wanted, scene.namespace.name], { wrapper: ['strace', '-f', '-qq', '-e', 'trace=io_uring_setup', '-o', output] })
    expect([status, stderr]).toEqual([0, ''])
    // Rings of 64 and of 256 entries are libuv's.
    const calls = (await readFile(output, 'utf8')).split('\n').filter(line => /io_uring_setup\((?!64,|256,)/.test(line))
    return { listed: JSON.parse(stdout), asked: calls.length, given: calls.filter(line => / = \d/.test(line)).length }
  }

  test('with io_uring, and the same without it', async () => {
    const [withRing, without] = [await list('with'), await list('without')]
    expect(withRing).toMatchObject({ asked: 1, given: 1 })
    expect(without).toMatchObject({ asked: 1, given: 0 })
    expect(withRing.listed).toEqual(without.listed)
    const [snapshot, listed] = without.listed as [[number, string[]][], string[][]]
    expect(snapshot.map(([port]) => port).sort((a, b) => a - b)).toEqual(ports)
    expect(snapshot.map(([, addresses]) => addresses.length)).toEqual(snapshot.map(([port]) => port % 10 === 0 ? 100 : port % 4))
    expect(listed.map(addresses => [...addresses].sort())).toEqual(snapshot.map(([, addresses]) => [...addresses].sort()))
  })
})
