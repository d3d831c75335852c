import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const lib = fileURLToPath(new URL('../../lib/', import.meta.url))

/** The files of lib/, each with the files that it imports, types included. */
const imports = new Map(readdirSync(lib, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts')).map((file) => {
  const specifiers = readFileSync(join(lib, file), 'utf8').matchAll(/(?:\bfrom|\bimport\(?)\s*'(\.[^']*)\.js'/g)
  return [file, [...specifiers].map(([, specifier]) => join(dirname(file), `${specifier}.ts`))]
}))

/** The circle that leads from a file back to one of the files on the way to it. */
function circleFrom(file: string, way: readonly string[], cleared: Set<string>): string[] | undefined {
  if (way.includes(file)) return [...way.slice(way.indexOf(file)), file]
  if (cleared.has(file)) return undefined
  for (const imported of imports.get(file)!) {
    const circle = circleFrom(imported, [...way, file], cleared)
    if (circle !== undefined) return circle
  }
  cleared.add(file)
  return undefined
}

test('no file of lib/ imports itself by way of others, so each can be read before those that import it', () => {
  expect(imports.get('index.ts')).toContain('ipvs.ts')
  const cleared = new Set<string>()
  expect([...imports.keys()].map((file) => circleFrom(file, [], cleared)).filter((circle) => circle !== undefined)).toEqual([])
})

test('nothing lies at the top of lib/ but the three doors', () => {
  expect(readdirSync(lib).filter((name) => name.includes('.')).sort()).toEqual(['index.ts', 'ipvs-sync.ts', 'ipvs.ts', 'tsconfig.json'])
})
