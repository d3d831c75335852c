import { afterAll, beforeAll, expect, test } from 'vitest'
import { Ipvs } from 'ipvs'
import { program } from '../support/program.js'
import { Scene } from '../support/scene.js'

let scene: Scene
beforeAll(async () => {
  scene = await Scene.create(Ipvs, 'terminations')
})
afterAll(() => scene[Symbol.asyncDispose]())

test.each([
  ['in the namespace of the process', () => []],
  ['in another one', () => [scene.namespace.name]],
])('worker threads can be terminated at any moment while they import the package or open handles %s', async (_, netns) => {
  expect(await program('terminations.mjs', ['24', ...netns()])).toEqual({ status: 0, stdout: '24\n', stderr: '' })
})

test('a worker thread reads /proc without a warning from Node', async () => {
  expect(await program('worker-proc.mjs', [])).toEqual({ status: 0, stdout: '2 0\n', stderr: '' })
})
