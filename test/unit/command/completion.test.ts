import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { completionModel } from '../../../lib/command/completion-model.js'
import { SHELLS } from '../../../lib/command/completion-scripts.js'
import { optionsOf, readHelp } from '../../../lib/command/help-reading.js'
import { helpText } from '../../../lib/command/help.js'
import { helpTexts } from '../../../lib/command/help-texts.js'
import { helpOf } from '../../../lib/command/help-word.js'
import { manPage } from '../../../lib/command/man-page.js'
import { knownSpellings } from '../../../lib/command/own-options.js'
import { ensure, find, type Program } from '../../../scripts/setup/programs.js'
import { must, run } from '../../../scripts/setup/run.js'

/** Whether a program is here. Only root can have one installed: unpacked elsewhere, these do not find their parts. */
async function has(program: Program): Promise<boolean> {
  if (process.getuid?.() === 0) await ensure(program).catch(() => undefined)
  return find(program) !== undefined
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ipvs-completion-'))
  const model = await completionModel()
  for (const [shell, script] of Object.entries(SHELLS)) await writeFile(join(folder, shell), script(model))
})
afterAll(() => rm(folder, { recursive: true }))

test('every option of the command line is in the help text, and the other way round', () => {
  const told = optionsOf(readHelp(helpText())).map(({ long }) => long)
  // The opposite of --nosort, and what ipvsadm does anyway.
  expect(new Set(told)).toEqual(new Set(knownSpellings().filter((long) => long !== '--sort')))
})

test('help texts are read with what is typed, its argument and its words', () => {
  const options = optionsOf(readHelp(`Usage: x

Doing things
  -a, --all FILE       everything,
                       and more
      --on left        here
      --on right       there
  * --few              something
  --longer ARGUMENT  words after two spaces, because there is no room for three,
                     and more
  --one A  --two B
                     two in a line
`))
  expect(options).toEqual([
    { short: '-a', long: '--all', argument: 'FILE', words: 'everything, and more' },
    { long: '--on', argument: 'left|right', words: 'here' },
    { long: '--few', words: 'something' },
    { long: '--longer', argument: 'ARGUMENT', words: 'words after two spaces, because there is no room for three, and more' },
    { long: '--one', argument: 'A', words: 'two in a line' },
    { long: '--two', argument: 'B', words: 'two in a line' },
  ])
})

test('every word that ipvs --help names has its own help', async () => {
  const named = [...helpText().matchAll(/\* ipvs ([a-z-]+(?: [a-z-]+)?)/g)].map(([, word]) => word)
  expect(Object.keys(helpTexts)).toEqual(expect.arrayContaining(named))
  for (const [word, help] of Object.entries(helpTexts)) expect((await help()).split('\n')[0]).toMatch(new RegExp(`^Usage: ipvs ${word}\\b`))
})

test('every option of every word has words, and they begin where the help text begins them', async () => {
  for (const [word, help] of Object.entries(helpTexts)) {
    const text = await help()
    for (const { long, words } of optionsOf(readHelp(text))) {
      expect(words, `${word} ${long}`).not.toBe('')
      const [beginning] = words.split(/ {2}| (?=[^ ]*[(])/)
      const between = text.replace(/\s+/g, ' ').split(` ${long} `).map((rest) => rest.indexOf(beginning.slice(0, 20)))
      // Its argument, and at the most another option that shares its words.
      expect(between.some((at) => at >= 0 && at < 40), `${word} ${long}: ${words}`).toBe(true)
    }
  }
})

/** What each shell has to offer for a command line. */
const OFFERS: [line: string, has: string[], hasNot: string[]][] = [
  ['ipvs t', ['top'], ['director', '--list']],
  ['ipvs --add-se', ['--add-service', '--add-server'], ['--scheduler']],
  ['ipvs top --in', ['--interval'], ['--sort']],
  ['ipvs top --sort ', ['conns', 'packets', 'bytes', 'active', 'name'], ['--interval']],
  ['ipvs -A -t 10.0.0.1:80 --sched', ['--scheduler', '--sched-flags'], ['--weight']],
  ['ipvs -A -t 10.0.0.1:80 -s wl', ['wlc'], ['rr']],
  ['ipvs --add-server -t 10.0.0.1:80 --w', ['--weight'], []],
  ['ipvs --add-server -t 10.0.0.1:80 --sch', [], ['--scheduler']],
  ['ipvs --restore --', ['--replace', '--dry-run', '--netns'], ['--full', '--json']],
  ['ipvs doctor --on ', ['director', 'real-server'], []],
  ['ipvs director --log ', ['text', 'json'], ['--log']],
  ['ipvs completion f', ['fish'], ['bash']],
  ['ipvs f', ['fleet'], ['apply']],
  ['ipvs reg', ['register'], []],
  ['ipvs register --de', ['--destination'], []],
  ['ipvs fleet a', ['apply'], []],
  ['ipvs fleet apply --dry', ['--dry-run'], []],
  ['ipvs director hand', ['hand-over'], []],
  ['ipvs director hand-over --', ['--vip', '--track-file'], ['--keepalived']],
  ['ipvs director --config x --', ['--follow'], ['hand-over', '--vip']],
]

describe('bash', () => {
  test.each(OFFERS)('%s', async (line, has, hasNot) => {
    const words = line.split(' ')
    const script = `source '${join(folder, 'bash')}'; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
      [[ $(complete -p ipvs) == 'complete -F _ipvs ipvs' ]] || exit 1; _ipvs; printf '%s\\n' "\${COMPREPLY[@]}"`
    const offered = (await must('bash', ['--norc', '-c', script])).trim().split('\n')
    expect(offered).toEqual(expect.arrayContaining(has))
    expect(offered.filter((word) => hasNot.includes(word))).toEqual([])
  })

  test('an option and its argument with = between them', async () => {
    const script = `source '${join(folder, 'bash')}'; COMP_WORDS=(ipvs top --sort = by); COMP_CWORD=4; _ipvs; echo "\${COMPREPLY[*]}"`
    expect((await must('bash', ['--norc', '-c', script])).trim()).toBe('bytes')
  })
})

describe('fish', async () => {
  test.skipIf(!await has('fish')).each(OFFERS)('%s', async (line, has, hasNot) => {
    const script = `source ${join(folder, 'fish')}; complete -C '${line}'`
    const printed = await must('fish', ['--no-config', '-c', script], { env: { HOME: folder } })
    const offered = printed.trim().split('\n').map((text) => text.split('\t')[0])
    expect(offered).toEqual(expect.arrayContaining(has))
    expect(offered.filter((word) => hasNot.includes(word))).toEqual([])
  })

  test.skipIf(!await has('fish'))('describes a word and an option, and not each value of an option with the same words', async () => {
    const script = `source ${join(folder, 'fish')}; complete -C 'ipvs to'; complete -C 'ipvs top --sor'; complete -C 'ipvs top --sort b'`
    const printed = await must('fish', ['--no-config', '-c', script], { env: { HOME: folder } })
    expect(printed.trim().split('\n').map((line) => line.trimEnd())).toEqual([
      expect.stringMatching(/^top\t\w/), expect.stringMatching(/^--sort\t\w/), 'bytes',
    ])
  })
})

describe('zsh', async () => {
  test.skipIf(!await has('zsh'))('the script is one that zsh understands, and it registers itself', async () => {
    const script = `autoload -U compinit && compinit -D -u; source ${join(folder, 'zsh')}; print -r -- $_comps[ipvs]; functions _ipvs >/dev/null && echo there`
    expect((await must('zsh', ['-f', '-c', script], { env: { HOME: folder } })).trim().split('\n')).toEqual(['_ipvs', 'there'])
  })
})

test.skipIf(!await has('man'))('the manual page is one that man shows without a warning, with every option and every word', async () => {
  const page = join(folder, 'ipvs.8')
  await writeFile(page, await manPage('1.2.3'))
  const { status, stdout, stderr } = await run('man', ['--warnings', '-l', page], { env: { MANWIDTH: '100', LC_ALL: 'C.UTF-8', MAN_KEEP_FORMATTING: '' } })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  // What is bold in a terminal is a letter over itself.
  const shown = stdout.replace(/.[\b]/g, '')
  for (const long of knownSpellings().filter((one) => one !== '--sort')) expect(shown).toContain(long)
  for (const word of Object.keys(helpTexts)) expect(shown).toContain(`ipvs ${word}`)
  expect(shown).toContain('ipvs 1.2.3')
})

test('ipvs help has everything, ipvs help WORD has what the word says of itself, and a mistyped word is told', async () => {
  expect(await helpOf([])).toBe(helpText())
  expect(await helpOf(['director'])).toMatch(/^Usage: ipvs director \(/)
  expect(await helpOf(['fleet', 'apply'])).toMatch(/^Usage: ipvs fleet apply /)
  await expect(helpOf(['direktor'])).rejects.toMatchObject({
    message: expect.stringMatching(/^'direktor' is no word of ipvs; expected one of top, director, /) as string,
    hint: 'Did you mean ipvs help director?',
  })
  await expect(helpOf(['constructor'])).rejects.toThrow('\'constructor\' is no word of ipvs')
})
