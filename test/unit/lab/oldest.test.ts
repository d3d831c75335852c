import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkout } from '../../../scripts/setup/checkout.js'
import { oldest } from '../../../scripts/test/oldest.js'

const read = (path: string): string => readFileSync(join(checkout, path), 'utf8')
const groups = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map(match => match[1])

const header = read('native/ipvs/fields.h')
const commands = groups(read('native/ipvs/commands.h'), /^ +Command\{"(\w+)"/gm)
const fields = groups(header, /^inline constexpr std::array (\w+)Fields\{$/gm).flatMap(record => {
  const table = header.slice(header.indexOf(`std::array ${record}Fields{`))
  // 'present' says which of the others are there, and is not sent.
  return groups(table.slice(0, table.indexOf('\n};')), /IPVS_FIELD\(\w+, (\w+)\)/g).filter(member => member !== 'present').map(member => `${record}.${member}`)
})

describe('the tests for the oldest kernel', () => {
  test('the headers are read', () => {
    expect(commands).toContain('newService')
    expect(fields).toEqual(expect.arrayContaining(['service.address', 'counter.inBytes', 'info.version']))
  })

  test('hold every command and every attribute, and none that is not there', () => {
    const held = Object.values(oldest).flatMap(words => Object.keys(words))
    expect([...held].sort()).toEqual([...commands, ...fields].sort())
  })

  test.each(Object.entries(oldest))('%s has the words for what it holds', (file, words) => {
    const text = read(file)
    expect(Object.entries(words).filter(([, word]) => !text.includes(word))).toEqual([])
  })
})
