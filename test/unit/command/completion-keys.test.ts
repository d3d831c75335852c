import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { completionModel } from '../../../lib/command/completion-model.js'
import { SHELLS } from '../../../lib/command/completion-scripts.js'
import { ensure, find, type Program } from '../../../scripts/setup/programs.js'
import { Screen } from '../../support/screen.js'

/** Whether programs are here. Only root can have them installed: unpacked elsewhere, shells do not find their parts. */
async function have(...programs: Program[]): Promise<boolean> {
  if (process.getuid?.() === 0) await ensure(...programs).catch(() => undefined)
  return programs.every((program) => find(program) !== undefined)
}

/** How a shell starts without its user's settings, and what gives it a prompt that is known from everything else, and the script. */
const STARTS: Record<keyof typeof SHELLS, { words: string[], setUp: (script: string) => string, isHere: boolean }> = {
  bash: { words: ['bash', '--norc', '-i'], setUp: (script) => `source ${script}; PS1='ready> '; clear`, isHere: await have('tmux') },
  zsh: {
    words: ['zsh', '-f', '-i'],
    setUp: (script) => `autoload -U compinit && compinit -D -u; source ${script}; PS1='ready> '; clear`,
    isHere: await have('tmux', 'zsh'),
  },
  fish: {
    words: ['fish', '--no-config', '-i'],
    setUp: (script) => `source ${script}; function fish_prompt; echo -n 'ready> '; end; clear`,
    isHere: await have('tmux', 'fish'),
  },
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ipvs-keys-'))
  const model = await completionModel()
  for (const [shell, script] of Object.entries(SHELLS)) await writeFile(join(folder, shell), script(model))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe.each(Object.entries(STARTS))('in %s, the Tab key', (shell, { words, setUp, isHere }) => {
  test.skipIf(!isHere)(`completes a word, and offers what there is to choose from${isHere ? '' : ' (skipped: it needs the shell and tmux)'}`, async () => {
    const screen = await Screen.open(`keys-${shell}`, ['env', `HOME=${folder}`, 'LANG=C.UTF-8', ...words], { columns: 150, rows: 40 })
    onTestFinished(() => screen.close())
    const ends = (text: string) => (lines: string[]): boolean => lines.findLast((line) => line.startsWith('ready> ')) === `ready> ${text}`.trimEnd()
    await screen.shows((lines) => lines.some((line) => /[%$>#]$/.test(line)))
    await screen.send(`${setUp(join(folder, shell))}\r`)
    await screen.shows((lines) => lines[0] === 'ready>')

    await screen.send('ipvs fle')
    await screen.shows(ends('ipvs fle'))
    await screen.press('Tab')
    await screen.shows(ends('ipvs fleet'))
    await screen.send('app')
    await screen.press('Tab')
    await screen.shows(ends('ipvs fleet apply'))

    await screen.press('C-u')
    await screen.send('ipvs -A -t 10.0.0.1:80 -s ')
    await screen.shows(ends('ipvs -A -t 10.0.0.1:80 -s'))
    // Once for what is common to all, which is nothing; once more for the list.
    await screen.press('Tab', 'Tab')
    const lines = await screen.shows((shown) => ['wlc', 'lblcr', 'ovf'].every((scheduler) => shown.some((line) => new RegExp(`(^| )${scheduler}( |$)`).test(line))))
    expect(lines.join('\n')).not.toMatch(/not found|error|invalid|unknown|unexpected/i)
  })
})
