import { describe, expect, test } from 'vitest'
import { descriptionProblems, tarballProblems, type Description } from '../../scripts/release/tarball.js'

const description: Description = {
  name: 'ipvs',
  version: '1.0.0',
  description: 'words',
  keywords: ['ipvs'],
  homepage: 'https://example.org',
  bugs: 'https://example.org/bugs',
  repository: { type: 'git', url: 'git+https://example.org/ipvs.git' },
  author: 'Somebody',
  license: 'MIT',
  engines: { node: '>=20' },
  sideEffects: [],
  exports: { '.': { types: './dist/index.d.ts', default: './dist/package/index.js' }, './package.json': './package.json' },
  bin: { ipvs: './dist/bin/ipvs.cjs' },
  man: ['./dist/man/ipvs.8'],
}

const complete = [
  'prebuilds/linux-x64/ipvs.node',
  'prebuilds/linux-arm64/ipvs.node',
  'native/binding.gyp',
  'native/sources.gypi',
  'native/node/runtime.cc',
  'native/node/exports.map',
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
  'package.json',
  'dist/index.d.ts',
  'dist/package/index.js',
  'dist/bin/ipvs.cjs',
  'dist/man/ipvs.8',
].map((path) => ({ path, size: 10 }))

describe('the release', () => {
  test('has nothing against a tarball with all that is needed', () => {
    expect(tarballProblems(complete, 500_000, description)).toEqual([])
  })

  test.each(complete)('refuses a tarball without $path', ({ path }) => {
    expect(tarballProblems(complete.filter((file) => file.path !== path), 500_000, description)).toEqual([`${path} is missing`])
  })

  test('refuses what makes yarn 1 compile, source maps without sources, and what is for developers', () => {
    const more = ['binding.gyp', 'dist/index.js.map', 'test/unit/a.test.ts', 'native/build/Release/ipvs.node'].map((path) => ({
      path,
      size: 10,
    }))
    expect(tarballProblems([...complete, ...more], 500_000, description)).toEqual([
      'binding.gyp is in it: yarn 1 would compile it at every installation',
      'dist/index.js.map is in it: it points at sources that are not shipped',
      'test/unit/a.test.ts is in it: it is for developers',
      'native/build/Release/ipvs.node is in it: it is for developers',
    ])
  })

  test('refuses a tarball that has grown beyond its bound, and empty files', () => {
    const empty = [...complete.slice(1), { path: complete[0].path, size: 0 }]
    expect(tarballProblems(empty, 900_000, description)).toEqual([`${complete[0].path} is empty`, 'it has 900000 bytes, more than 800000'])
  })

  test('refuses a package.json with the placeholder OWNER, or without a field that the page needs', () => {
    expect(descriptionProblems(description)).toEqual([])
    expect(descriptionProblems({ ...description, author: 'OWNER', bugs: undefined })).toEqual([
      'package.json has no bugs', 'package.json has the placeholder OWNER in author',
    ])
  })
})
