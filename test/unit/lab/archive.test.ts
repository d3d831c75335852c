import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { archive } from '../../../scripts/lab/cpio.js'
import { quoted } from '../../../scripts/lab/job.js'

const field = (bytes: Buffer, at: number, index: number): number =>
  parseInt(bytes.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16)

/** Reads an archive as the kernel does: headers of thirteen hexadecimal numbers, names and contents filled up to four bytes. */
function entries(bytes: Buffer): { name: string, mode: number, content: string }[] {
  const found = []
  for (let at = 0; ;) {
    expect(bytes.toString('latin1', at, at + 6)).toBe('070701')
    const [mode, size, nameSize] = [field(bytes, at, 1), field(bytes, at, 6), field(bytes, at, 11)]
    const name = bytes.toString('utf8', at + 110, at + 110 + nameSize - 1)
    const body = (at + 110 + nameSize + 3) & ~3
    if (name === 'TRAILER!!!') return found
    found.push({ name, mode, content: bytes.toString('latin1', body, body + size) })
    at = (body + size + 3) & ~3
  }
}

test('folders and files of every length come out as they went in', () => {
  const contents = ['', 'a', 'ab', 'abc', 'abcd', 'abcde']
  const bytes = archive([{ path: 'job/', mode: 0o755 }, ...contents.map((content, index) => ({ path: `job/${'n'.repeat(index + 1)}`, mode: 0o644, content: Buffer.from(content) }))])
  expect(entries(bytes)).toEqual([
    { name: 'job', mode: 0o040755, content: '' },
    ...contents.map((content, index) => ({ name: `job/${'n'.repeat(index + 1)}`, mode: 0o100644, content })),
  ])
  expect(bytes.length % 4).toBe(0)
})

test('a job\'s words are one word each to a shell', () => {
  const words = ['', 'two words', 'it\'s', '"$HOME" `id` \\', 'two\nlines\n', '*', '-n', 'ünï']
  expect(execFileSync('sh', ['-c', `printf '%s\\0' ${words.map(quoted).join(' ')}`], { encoding: 'utf8' }).split('\0').slice(0, -1)).toEqual(words)
})
