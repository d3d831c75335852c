/**
 * `npm run pictures`: makes the pictures of README from what the demo and `ipvs top` print on a kernel. Nothing in them is drawn by hand.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { readArguments } from './lab/arguments.js'
import { runInLab } from './lab/lab.js'
import { terminalPicture } from './pictures/svg.js'
import { checkout } from './setup/checkout.js'
import { ensure } from './setup/programs.js'

await ensure('ip', 'unshare', 'tmux')

/** What a program of ours prints in the lab. */
async function printed(program: string): Promise<string[]> {
  const stdout = new PassThrough()
  const all = text(stdout)
  const status = await runInLab(readArguments(['--', process.execPath, join(checkout, 'build/scripts', program)]), { stdout, stderr: process.stderr })
  stdout.end()
  const lines = (await all).split('\n').map(line => line.trimEnd())
  if (status !== 0) throw new Error(`${program} ended with status ${status}:\n${lines.join('\n')}`)
  return lines
}

const folder = join(checkout, 'docs/pictures')
mkdirSync(folder, { recursive: true })
const draw = (name: string, title: string, lines: readonly string[], inverted?: number): void => {
  writeFileSync(join(folder, `${name}.svg`), terminalPicture({ title, lines, ...inverted !== undefined && { inverted } }))
  process.stdout.write(`docs/pictures/${name}.svg  ${lines.length} lines\n`)
}

const demo = await printed('demo/main.js')
const begin = demo.findIndex(line => line.startsWith('IPVS from Node'))
// The beginning, up to the third chapter: as much as one looks at.
const chapters = demo.flatMap((line, index) => /^\d+\. |^[A-Z].*:$/.test(line) ? [index] : [])
draw('demo', 'npm run demo', demo.slice(begin, Math.min(chapters[3] ?? begin + 40, begin + 40)))
const top = await printed('pictures/top.js')
draw('top', 'ipvs top', top.slice(0, top.findLastIndex(line => line !== '') + 1), 1)
