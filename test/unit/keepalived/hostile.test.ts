import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkConfiguration } from '../../../lib/configuration/index.js'
import { parseKeepalived, type IncludedFile } from 'ipvs/keepalived'
import { randomKeepalived } from '../../kernel/keepalived-random.js'
import { Random } from '../../kernel/rules-random.js'
import { checkerLevels } from '../../../lib/keepalived/checkers.js'
import { globalLevels } from '../../../lib/keepalived/globals.js'
import { serverLevels } from '../../../lib/keepalived/virtual-server.js'
import { keepalivedFiles, readKeepalivedFile } from '../../support/keepalived-files.js'

const files = keepalivedFiles.map((name) => readKeepalivedFile(name).text)

const keywords = [...Object.values(checkerLevels), ...Object.values(globalLevels), ...Object.values(serverLevels)].flatMap((level) => [
  ...level.keywords.keys(),
])
const values = [
  '192.0.2.1',
  '2001:db8::1',
  '10.0.0.0/8',
  '10.0.0.1-3',
  'fwmark',
  'group',
  'g',
  '80',
  '0',
  '-1',
  '1s',
  '99999999999999999999',
  '"',
  "'",
  '"a b"',
  '\\',
  '{',
  '}',
  '#',
  '!',
  '$A',
  '${A}',
  '$A=',
  '$A=$A$A',
  '$A=x\\',
  '@lab',
  '@^lab',
  '@',
  '~SEQ(i, 3)',
  '~SEQ(i, 1, 100000000)',
  '~LST(i, a, b)',
  '~',
  'include',
  'include x',
  'include self',
  'TCP',
  'NAT',
  'TUN',
  'type',
  'gue',
  'port',
  'yes',
  '/bin/x',
  '(',
  '(?i)a+',
  '[[:x:]]',
  '\u00a0',
  '\u{1f600}',
  '__proto__',
  'constructor',
  'toString',
  '\0',
  '${_ENV X}',
  '${_RANDOM 1 5}',
  '${_PWD}',
]

const word = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...keywords) },
  { weight: 4, arbitrary: fc.constantFrom(...values) },
  fc.string({ maxLength: 8 }),
)
const line = fc.array(word, { maxLength: 6 }).map((words) => words.join(' '))
const written = fc.oneof(fc.array(line, { maxLength: 25 }).map((lines) => lines.join('\n')), fc.string({ unit: 'binary' }))

/** A real file with some of its pieces left out, doubled, exchanged or replaced. */
const mutated = fc.tuple(
  fc.oneof(fc.constantFrom(...files), fc.integer({ min: 1, max: 500 }).map((seed) => randomKeepalived(new Random(seed)))),
  fc.array(fc.tuple(fc.nat(), fc.nat(40), word, fc.integer({ min: 0, max: 3 })), { minLength: 1, maxLength: 6 }),
).map(([file, changes]) => changes.reduce((text, [at, length, put, kind]) => {
  const from = at % (text.length + 1)
  const piece = text.slice(from, from + length)
  return text.slice(0, from) + [put, '', piece + piece, `${put}\n`][kind] + text.slice(kind === 3 ? from : from + length)
}, file))

function judge(text: string): void {
  const others: Record<string, string> = { 'other.conf': 'include self\nreal_server 192.0.2.77 80 {\n' }
  const include = (pattern: string): IncludedFile[] =>
    pattern === 'self' ? [{ file: 'k', text }] : pattern === 'x' ? Object.entries(others).map(([file, own]) => ({ file, text: own })) : []
  const { configuration, vrrp, diagnostics } = parseKeepalived(text, { file: 'k', id: 'lab', include })
  const lines: Record<string, string[]> = { 'k': text.split('\n'), 'other.conf': others['other.conf'].split('\n') }
  const outside = diagnostics.filter(({ file, line: number, column, message, advice }) => {
    const text = lines[file]?.[number - 1]
    return text === undefined || column < 1 || column > text.length + 1 || message === '' || advice === ''
  })
  expect(outside).toEqual([])
  expect(configuration === undefined).toBe(diagnostics.some(({ severity }) => severity === 'error'))
  if (configuration === undefined) return
  // What comes out can be used, and is JSON.
  checkConfiguration(configuration)
  expect(JSON.parse(JSON.stringify(configuration))).toEqual(configuration)
  expect(JSON.parse(JSON.stringify(vrrp))).toEqual(vrrp)
}

const runs = Number(process.env.KEEPALIVED_FUZZ ?? 300)

test(`any text is read, or refused, with each diagnostic inside the file`, { timeout: 3_600_000 }, () => {
  fc.assert(fc.property(written, judge), { seed: 1, numRuns: runs })
})

test('so is every mutation of a real file', { timeout: 3_600_000 }, () => {
  fc.assert(fc.property(mutated, judge), { seed: 2, numRuns: runs })
})

test('the same text means the same every time', () => {
  expect(files).not.toEqual([])
  for (const file of files) expect(parseKeepalived(file, { id: 'lab' })).toEqual(parseKeepalived(file, { id: 'lab' }))
})

/** Every check that is written in a file that is taken is in the configuration: none gets lost in silence. */
test('no check is lost, whatever is done to its line', { timeout: 600_000 }, () => {
  const checks = ['TCP_CHECK', 'HTTP_GET', 'MISC_CHECK', 'PING_CHECK']
  const inside: Record<string, string> = { HTTP_GET: 'url { path / }', MISC_CHECK: 'misc_path /bin/x', TCP_CHECK: '', PING_CHECK: '' }
  const spoiled = fc.tuple(
    fc.constantFrom(...checks),
    fc.nat(12),
    fc.constantFrom('', '_', 'x', ' ', '{', '}', '"', '#', '\\', '@', '$', '~', '\n'),
  )
  fc.assert(fc.property(spoiled, ([keyword, at, put]) => {
    const block = `${keyword} { ${inside[keyword]} }`
    const changed = block.slice(0, at % (keyword.length + 1)) + put + block.slice(at % (keyword.length + 1))
    const text = `virtual_server 192.0.2.1 80 {\nlb_algo rr\nlb_kind NAT\nprotocol TCP\nreal_server 192.0.2.11 80 {\n${changed}\n}\n}\n`
    const { configuration, diagnostics } = parseKeepalived(text, { id: 'lab' })
    const kept = configuration?.services[0]?.destinations?.[0]?.checks?.length === 1
    // Not there, then: somebody was told, unless it was made a comment, a condition or a definition by who wrote it.
    if (!kept && configuration !== undefined) expect(diagnostics.length > 0 || /^[#@$~]|^\w*[#]/.test(changed), changed).toBe(true)
  }), { seed: 3, numRuns: 800 })
})
