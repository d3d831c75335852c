import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

const root = new URL('../../', import.meta.url)

interface Description { exports: Record<string, string | { types: string, default: string }>, sideEffects: string[] }
const { exports, sideEffects } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as Description

/** The modules of the package by their exports, as programs import them. */
const bundled = (path: string): Promise<Record<string, unknown>> => import(new URL(path, root).href) as Promise<Record<string, unknown>>

// Unit tests need nothing compiled; where it is, it is tried.
describe.skipIf(!existsSync(new URL('dist/package/index.js', root)))('the bundled package', () => {
  test('has every file that package.json names', () => {
    const files = Object.values(exports).flatMap((entry) => typeof entry === 'string' ? [entry] : [entry.types, entry.default])
    expect([...files, ...sideEffects].filter((file) => !existsSync(new URL(file, root)))).toEqual([])
  })

  test.each(Object.entries(exports).filter(([, entry]) => typeof entry !== 'string' && entry.default.endsWith('.js')))(
    '%s exports what its sources export', async (_, entry) => {
      const { types, default: bundle } = entry as { types: string, default: string }
      const source = await bundled(types.replace('./dist/', 'lib/').replace('.d.ts', '.ts'))
      expect(Object.keys(await bundled(bundle)).sort()).toEqual(Object.keys(source).sort())
    },
  )

  test('throws an IpvsError of the export that programs compare with, from the other exports too', async () => {
    const { Ipvs, IpvsError } = await bundled('dist/package/index.js') as unknown as typeof import('ipvs')
    const error = await Ipvs.open({ netns: '/nowhere' }).then(() => undefined, (reason: unknown) => reason)
    expect(error).toBeInstanceOf(IpvsError)
    const file = (name: string): string => readFileSync(new URL(`dist/package/${name}`, root), 'utf8')
    const shared = file('index.js') + file('director.js')
    expect(shared).not.toMatch(/class IpvsError\b/)
  })
})
