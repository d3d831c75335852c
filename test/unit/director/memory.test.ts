import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ServiceKey } from 'ipvs'
import { Memory } from '../../../lib/director/memory.js'
import { refusal } from '../../support/errors.js'

let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ipvs-memory-'))
  file = join(folder, 'deeper', 'named.json')
})
afterEach(() => rmSync(folder, { recursive: true }))

const keys: ServiceKey[] = [
  { protocol: 'tcp', address: '10.0.0.1', port: 80 },
  { protocol: 'udp', address: '2001:db8::1', port: 53 },
  { fwmark: 7, family: 6 },
]

test('what was written is read, by another of the same namespace', async () => {
  expect(await new Memory(file, '4:1').read()).toEqual([])
  await new Memory(file, '4:1').write(keys)
  expect(await new Memory(file, '4:1').read()).toEqual(keys)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  await new Memory(file, '4:1').write([])
  expect(await new Memory(file, '4:1').read()).toEqual([])
})

test('what was written about another namespace, or before the machine was started, says nothing', async () => {
  await new Memory(file, '4:1').write(keys)
  expect(await new Memory(file, '4:2').read()).toEqual([])
  writeFileSync(file, readFileSync(file, 'utf8').replace(/"boot":"[^"]*"/, '"boot":"00000000-0000-0000-0000-000000000000"'))
  expect(await new Memory(file, '4:1').read()).toEqual([])
})

test.each<[string, (text: string) => string, string]>([
  ['cut off', (text) => text.slice(0, -10), "it is not JSON: it was cut off, or is another program's"],
  ['empty', () => '', "it is not JSON: it was cut off, or is another program's"],
  ["another program's", () => '{"services":[]}', "it is another program's: its format is not 'ipvs-director-services'"],
  ['null', () => 'null', "it is another program's: its format is not 'ipvs-director-services'"],
  ['of a later release', (text) => text.replace('"version":1', '"version":2'), 'it has version 2, which this release does not know'],
  ['without services', (text) => text.replace('"services"', '"servants"'), 'it lacks something that a director writes'],
  [
    'about no service',
    (text) => text.replace('"port":80', '"port":"80"'),
    "services[0] is no service: service.port must be an integer from 0 to 65535. Received '80'",
  ],
  ['about nothing', (text) => text.replace(/"services":.*/, '"services":[null]}'), 'services[0] is no service: '],
])('a file that is %s is told, and says nothing', async (_, spoil, words) => {
  await new Memory(file, '4:1').write(keys)
  writeFileSync(file, spoil(readFileSync(file, 'utf8')))
  expect(((await refusal(() => new Memory(file, '4:1').read())) as Error).message).toMatch(words)
})

test('a file that others can change is not trusted, wherever it lies', async () => {
  await new Memory(file, '4:1').write(keys)
  chmodSync(file, 0o666)
  const words = `it is not trusted: ${file} can be changed by others than root (mode 666)`
  expect((await refusal(() => new Memory(file, '4:1').read()) as Error).message).toBe(words)
  symlinkSync(file, join(folder, 'link'))
  expect((await refusal(() => new Memory(join(folder, 'link'), '4:1').read()) as Error).message).toBe(words)
  chmodSync(file, 0o600)
  chmodSync(join(folder, 'deeper'), 0o777)
  expect((await refusal(() => new Memory(file, '4:1').read()) as Error).message).toMatch(/deeper can be changed by others/)
})

test('whoever reads while it is written has the old or the new one, and nothing else is left', async () => {
  const memory = new Memory(file, '4:1')
  await memory.write(keys)
  let isOver = false
  const writing = (async () => {
    for (let n = 0; n < 200; n++)
      await memory.write(Array.from({ length: (n % 2) * 500 + 1 }, (_, port) => ({ protocol: 'tcp', address: '10.0.0.1', port })))
    isOver = true
  })()
  const lengths = new Set<number>()
  while (!isOver) lengths.add((await new Memory(file, '4:1').read()).length)
  await writing
  expect([...lengths].filter((length) => ![1, keys.length, 501].includes(length))).toEqual([])
  expect(readdirSync(join(folder, 'deeper'))).toEqual(['named.json'])
})

test('a service that is added is a line more, and what was there stays as it was', async () => {
  const memory = new Memory(file, '4:1')
  await memory.write(keys.slice(0, 1))
  const [before, { ino }] = [readFileSync(file, 'utf8'), statSync(file)]
  await memory.add(keys.slice(1), keys)
  expect(readFileSync(file, 'utf8')).toBe(before + keys.slice(1).map((key) => `${JSON.stringify(key)}\n`).join(''))
  expect(statSync(file).ino).toBe(ino)
  expect(await new Memory(file, '4:1').read()).toEqual(keys)
})

test('a line that was cut off while it was added says nothing, and the rest is read', async () => {
  const memory = new Memory(file, '4:1')
  await memory.write(keys.slice(0, 1))
  await memory.add(keys.slice(1), keys)
  writeFileSync(file, readFileSync(file, 'utf8').slice(0, -5))
  expect(await new Memory(file, '4:1').read()).toEqual(keys.slice(0, 2))
})

test.each<[string, () => void]>([
  ['has gone', () => rmSync(file)],
  ['is another one', () => void (rmSync(file), writeFileSync(file, 'no JSON'))],
  ['was written by somebody else as well', () => appendFileSync(file, '{}\n')],
  ['was never written', () => {}],
])('where the file %s, all services are written', async (how, spoil) => {
  const memory = new Memory(file, '4:1')
  if (how !== 'was never written') await memory.write(keys.slice(0, 2))
  spoil()
  await memory.add(keys.slice(2), keys)
  expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(2)
  expect(await new Memory(file, '4:1').read()).toEqual(keys)
})

test('what cannot be written is told, and leaves nothing behind', async () => {
  mkdirSync(file, { recursive: true })
  expect(await refusal(() => new Memory(file, '4:1').write(keys))).toMatchObject({ code: 'EISDIR' })
  expect(readdirSync(join(folder, 'deeper'))).toEqual(['named.json'])
  writeFileSync(join(folder, 'plain'), '')
  expect(await refusal(() => new Memory(join(folder, 'plain', 'named.json'), '4:1').write(keys))).toMatchObject({ code: 'EEXIST' })
  expect(await new Memory(join(folder, 'plain', 'named.json'), '4:1').read()).toEqual([])
})
