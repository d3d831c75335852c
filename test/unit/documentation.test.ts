import { describe, expect, test } from 'vitest'
import { programsOf, textOf } from '../support/document-programs.js'
import { blocksOf, documents, readDocument, type Block } from '../support/markdown.js'
import { publicCalls } from '../support/public-api.js'

const document = (...lines: string[]): Block[] => blocksOf(readDocument('a.md', lines.join('\n')))

describe('blocks of code in documents', () => {
  test('have their place, their language and their text', () => {
    expect(document('# A', '', '```js', 'one()', '', 'two()', '```', '1. then', '   ```sh', '   ls', '   ```')).toEqual([
      { file: 'a.md', line: 3, language: 'js', text: 'one()\n\ntwo()', note: {} },
      { file: 'a.md', line: 9, language: 'sh', text: 'ls', note: {} },
    ])
  })

  test.each([
    ['not run: it needs a network', { notRun: 'it needs a network' }],
    ['runs until it is told to end', { endless: true }],
    ['runs until it is told to end; says: running', { endless: true, says: 'running' }],
  ])('have a comment above: %s', (comment, note) => {
    expect(document(`<!-- ${comment} -->`, '```sh', 'ls', '```')[0].note).toEqual(note)
  })

  test('are files, if the text says so', () => {
    expect(document('In `/etc/a`:', '<!-- file: /etc/a -->', '```text', 'a', '```')[0].note).toEqual({ path: '/etc/a' })
    expect(() => document('So:', '<!-- file: /etc/a -->', '```text', 'a', '```')).toThrow('a.md:3: the text above does not say that this is /etc/a')
  })

  test.each([
    [['```', 'ls', '```'], "a.md:1: '' says not what is to be done with the block"],
    [['```bash', 'ls', '```'], "a.md:1: 'bash' says not what is to be done with the block"],
    [['```sh', 'ls'], 'a.md:1: the block has no end'],
    [['<!-- skipped -->', '```sh', 'ls', '```'], "a.md:2: the comment 'skipped' is none of"],
  ])('are refused otherwise: %j', (lines, message) => {
    expect(() => document(...lines)).toThrow(message)
  })
})

describe('programs of a document', () => {
  const js = (line: number, text: string): Block => ({ file: 'a.md', line, language: 'js', text, note: {} })

  test('are the blocks below each other, until one declares a name again', () => {
    const blocks = [
      js(1, "import { a, b as c } from 'd'\nconst { e, f: [g] } = a"), js(5, 'c(e, g)'), js(9, 'function c() {}'), js(12, "import * as c from 'd'"),
    ]
    expect(programsOf(blocks).map((program) => program.blocks.map(({ line }) => line))).toEqual([[1, 5], [9], [12]])
  })

  test('have the lines of the document', () => {
    const lines = textOf({ blocks: [js(2, 'one()'), js(6, 'two()')] }).split('\n')
    expect([lines.indexOf('one()') + 1, lines.indexOf('two()') + 1]).toEqual([3, 7])
  })

  test('in TypeScript lose their types', () => {
    expect(textOf({ blocks: [{ ...js(1, 'const a: number = 1'), language: 'ts' }] })).not.toContain('number')
  })
})

test.each(documents().flatMap(blocksOf).filter(({ note }) => note.notRun !== undefined).map(({ file, line, note }) => ({ place: `${file}:${line}`, why: note.notRun! })))(
  '$place is not run: $why', ({ why }) => expect(why.split(' ').length).toBeGreaterThan(2),
)

/** Interfaces that programs implement, and do not call. */
const GIVEN = /^(Names|MetricsRegistry|MeasuredDirector)\./

test('every public function and method has an example that calls it, on its own page or on that of its class', { timeout: 120_000 }, () => {
  const calls = publicCalls().filter(({ name }) => !GIVEN.test(name))
  expect(calls.map(({ name }) => name)).toEqual(expect.arrayContaining(['Ipvs.addService', 'IpvsSync.batch', 'Director.close', 'parseRules', 'followEtcd']))
  expect(calls.filter(({ spelled, examples }) => !examples.includes(spelled)).map(({ name }) => name)).toEqual([])
})
