import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { alternatives, glob } from '../../../lib/sources/glob.js'
import { run } from '../../../scripts/setup/run.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'glob-'))
  for (const name of ['conf.d', 'conf.d/deep', 'other.d']) mkdirSync(join(folder, name))
  for (const name of [
    'conf.d/b.conf',
    'conf.d/a.conf',
    'conf.d/.hidden.conf',
    'conf.d/a.conf~',
    'conf.d/deep/c.conf',
    'other.d/a.conf',
    'x[1].conf',
    'x1.conf',
    'x-.conf',
    'a+b.conf',
    '{}.conf',
  ]) {
    writeFileSync(join(folder, name), '')
  }
})
afterAll(() => rmSync(folder, { recursive: true }))

/** What Python's glob makes of it, which follows glob(3) but for braces. */
async function python(pattern: string): Promise<string[]> {
  const { stdout } = await run('python3', ['-c', 'import glob, json, sys; print(json.dumps(sorted(glob.glob(sys.argv[1]))))', pattern])
  return JSON.parse(stdout) as string[]
}

describe('the pattern of an include', () => {
  test.each([
    'conf.d/*.conf',
    '*/a.conf',
    'conf.d/?.conf',
    'conf.d/[ab].conf',
    'conf.d/[!a].conf',
    'x[[]1].conf',
    'conf.d/.*.conf',
    '*.d/*/c.conf',
    'nothing/*.conf',
    'conf.d/b.conf',
    'a+b.conf',
    'x[-1].conf',
    '**.conf',
  ])('%s finds what glob finds', async (pattern) => {
    expect(glob(join(folder, pattern))).toEqual(await python(join(folder, pattern)))
  })

  test('with braces stands for others, one after the other', () => {
    expect(alternatives('{b,a{1,2}}/x{,.conf}')).toEqual(['b/x', 'b/x.conf', 'a1/x', 'a1/x.conf', 'a2/x', 'a2/x.conf'])
    expect(alternatives('{}.conf')).toEqual(['{}.conf'])
    expect(alternatives('{a,b')).toEqual(['{a,b'])
    expect(glob(`${folder}/{other,conf}.d/a.conf`)).toEqual([`${folder}/other.d/a.conf`, `${folder}/conf.d/a.conf`])
    expect(() => alternatives('{a,b}'.repeat(20))).toThrow(RangeError)
  })

  test('tells which folders and files the result depends on', () => {
    const looked: string[] = []
    glob(`${folder}/*.d/a.conf`, (path) => looked.push(path))
    expect(looked).toEqual(expect.arrayContaining([`${folder}/`, `${folder}/conf.d/a.conf`, `${folder}/other.d/a.conf`]))
  })
})
