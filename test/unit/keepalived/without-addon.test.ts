import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

const root = new URL('../../../', import.meta.url)

/** Every file of lib/ that is loaded with these. Types are not. */
function loaded(files: readonly string[]): string[] {
  const seen = new Set<string>()
  const waiting = files.map((file) => new URL(file, root).href)
  for (let href = waiting.pop(); href !== undefined; href = waiting.pop()) {
    if (seen.has(href)) continue
    seen.add(href)
    const text = readFileSync(new URL(href), 'utf8')
    for (const [, clause, from] of text.matchAll(/^(?:import|export) ([^']*?)from '(\.[^']*)\.js'$/gm)) {
      if (!clause.startsWith('type ')) waiting.push(new URL(`${from}.ts`, href).href)
    }
  }
  return [...seen].map((href) => href.slice(new URL('lib/', root).href.length))
}

test.each(['configuration', 'keepalived'])('lib/%s loads nothing of the native part', (room) => {
  const folders = new Set(loaded([`lib/${room}/index.ts`]).map((file) => file.split('/')[0]))
  expect([...folders].sort()).toEqual([...new Set(['arguments', 'configuration', 'model', room])].sort())
})

test('the compiled ones work where addons are forbidden', ({ skip }) => {
  const compiled = new URL('dist/keepalived/index.js', root)
  // Unit tests need nothing compiled; where it is, it is tried.
  if (!existsSync(compiled) || readdirSync(new URL('dist/', root)).length === 0) skip()
  const program = `import { parseKeepalived } from ${JSON.stringify(compiled.href)}; console.log(parseKeepalived('global_defs { }').configuration.services.length)`
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--no-addons', '--input-type=module', '-e', program], {
    encoding: 'utf8',
  })
  expect({ stdout, stderr, status }).toEqual({ stdout: '0\n', stderr: '', status: 0 })
})
