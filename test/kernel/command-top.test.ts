import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { IpvsSync } from 'ipvs'
import { Namespace } from '../../scripts/network/namespace.js'
import { Screen } from '../support/screen.js'
import { until } from '../support/until.js'

const command = fileURLToPath(new URL('../../dist/bin/ipvs.cjs', import.meta.url))

describe('ipvs top in a terminal', () => {
  let namespace: Namespace
  let screen: Screen | undefined
  let opened = 0
  let folder: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'top-'))
    namespace = await Namespace.create('top')
    const ipvs = IpvsSync.open({ netns: namespace.name })
    for (const host of [19, 1, 100, 20, 3]) ipvs.addService({ protocol: 'tcp', address: `10.5.0.${host}`, port: 80, scheduler: 'rr' })
    const service = { protocol: 'tcp', address: '10.5.0.1', port: 80 } as const
    for (let host = 40; host > 0; host--) ipvs.addDestination(service, { address: `10.6.0.${host}`, port: 80, forward: 'nat' })
    ipvs.close()
  })

  afterEach(() => screen?.close())
  afterAll(async () => {
    await namespace?.[Symbol.asyncDispose]()
    await rm(folder, { recursive: true })
  })

  const open = async (words: readonly string[], rows = 24): Promise<Screen> => {
    screen = await Screen.open(`top-${++opened}`, ['nsenter', `--net=${namespace.path}`, ...words], { columns: 80, rows })
    return screen
  }
  const top = (...args: string[]): string[] => [process.execPath, command, 'top', '--interval', '0.2', ...args]
  const shell = async (): Promise<Screen> => {
    const there = await open(['env', 'PS1=$ ', 'bash', '--norc', '--noprofile'])
    await there.shows(atPrompt)
    return there
  }
  const start = async (on: Screen, ...args: string[]): Promise<void> => {
    await on.press(top(...args).join(' '), 'Enter')
    await on.shows(inTop)
  }

  const inTop = (lines: string[]): boolean => /^ipvs top: 5 services, 40 destinations/.test(lines[0]) && /^q quit/.test(lines.at(-1)!)
  const atPrompt = (lines: string[]): boolean => lines.at(-1) === '$'
  const endpoints = (lines: string[]): string[] => lines.flatMap((line) => /(10\.[0-9.]+):80/.exec(line)?.[1] ?? [])

  test('q restores the screen', async () => {
    const there = await shell()
    await there.press('echo before', 'Enter')
    await there.shows((lines) => lines.at(-2) === 'before')
    await start(there)
    await there.press('q')
    const lines = await there.shows(atPrompt)
    expect(lines).toEqual(['$ echo before', 'before', `$ ${top().join(' ')}`, '$'])
  })

  test('Ctrl-Z and fg, again and again, leave no frame on the shell\'s screen', async () => {
    const there = await shell()
    await start(there)
    for (let time = 0; time < 3; time++) {
      await there.press('C-z')
      await there.shows((lines) => atPrompt(lines) && lines.some((line) => /Stopped/.test(line)))
      // The next measurement is due while it is stopped.
      await there.press('sleep 0.4; echo slept', 'Enter')
      const lines = await there.shows((shown) => atPrompt(shown) && shown.at(-2) === 'slept')
      expect(lines.join('\n')).not.toContain('Conns/s')
      await there.press('fg', 'Enter')
      await there.shows(inTop)
    }
    await there.press('q')
    const lines = await there.shows(atPrompt)
    expect(lines.join('\n')).not.toContain('Conns/s')
    await there.press('echo status $?', 'Enter')
    await there.shows((shown) => shown.at(-2) === 'status 0')
  })

  test('kill -TSTP stops it as Ctrl-Z does, and bg leaves it stopped', async () => {
    const there = await shell()
    const pid = join(folder, 'pid')
    await there.press(`sh -c 'echo $$ >${pid}; exec ${top().join(' ')}'`, 'Enter')
    await there.shows(inTop)
    await there.press('C-z')
    await there.shows(atPrompt)
    await there.press('bg', 'Enter')
    await there.press('jobs; echo jobs are told', 'Enter')
    const lines = await there.shows((shown) => shown.at(-2) === 'jobs are told')
    expect(lines.join('\n')).not.toContain('Conns/s')
    await there.press('fg', 'Enter')
    await there.shows(inTop)
    await namespace.must('sh', ['-c', `kill -TSTP $(cat ${pid})`])
    await there.shows((shown) => atPrompt(shown) && shown.some((line) => /Stopped/.test(line)))
    await there.press('fg', 'Enter')
    await there.shows(inTop)
    await there.press('q')
    await there.shows(atPrompt)
  })

  test('fg notices that the terminal has a new size', async () => {
    const there = await shell()
    await start(there)
    await there.press('C-z')
    await there.shows(atPrompt)
    await there.resize(100, 12)
    await there.press('fg', 'Enter')
    await there.shows((lines) => inTop(lines) && lines.length === 12 && lines[1].length === 100)
  })

  test('Ctrl-Z does not stop it if nothing could continue it', async () => {
    const there = await open(top())
    await there.shows(inTop)
    await there.press('C-z')
    await there.press('n')
    await there.shows((lines) => /by name/.test(lines[0]))
    await there.press('q')
    await expect.poll(() => there.alive()).toBe(false)
  })

  test.each([
    ['Home and End', '\x1b[H', '\x1b[F'],
    ['those of a terminal in application mode', '\x1bOH', '\x1bOF'],
    ['those of a VT220', '\x1b[1~', '\x1b[4~'],
    ['those of rxvt', '\x1b[7~', '\x1b[8~'],
  ])('%s go to the beginning and to the end', async (_, home, end) => {
    const there = await open(top())
    await there.shows(inTop)
    await there.send(end)
    await there.shows((lines) => /-45 of 45/.test(lines[0]))
    await there.send(home)
    await there.shows((lines) => /lines 1-/.test(lines[0]))
    for (const [key, first] of [['Down', 2], ['j', 3], ['k', 2], ['Up', 1], ['PageDown', 21], ['PageUp', 1]] as const) {
      await there.press(key)
      await there.shows((lines) => lines[0].includes(`lines ${first}-`))
    }
  })

  test('services and destinations with names are sorted by address', async () => {
    const there = await open(top('--sort', 'name'), 60)
    const lines = await there.shows(inTop)
    const own = Array.from({ length: 40 }, (_, index) => `10.6.0.${index + 1}`)
    expect(endpoints(lines)).toEqual(['10.5.0.1', ...own, '10.5.0.3', '10.5.0.19', '10.5.0.20', '10.5.0.100'])
  })

  test('a filter is typed after /, and takes services out of the table until Escape', async () => {
    const there = await open(top(), 60)
    await there.shows(inTop)
    await there.press('/')
    await there.press('0.19')
    await there.shows((lines) => lines.at(-1)!.startsWith('/0.19_') && endpoints(lines).join() === '10.5.0.1,10.6.0.19,10.5.0.19')
    await there.press('Enter')
    await there.shows((lines) => /^q quit.*filter: 0\.19/.test(lines.at(-1)!) && /^ipvs top: 2 of 5 services, 1 of 40 destinations/.test(lines[0]))
    await there.press('Escape')
    await there.shows(inTop)
  })

  test('i hides idle entries, ? shows the keys, Space pauses, + makes the interval longer', async () => {
    const there = await open(top(), 60)
    await there.shows(inTop)
    await there.press('i')
    await there.shows((lines) => lines[0].startsWith('ipvs top: 0 of 5 services') && endpoints(lines).length === 0)
    await there.press('?')
    await there.shows((lines) => lines[0] === 'ipvs top: keys')
    await there.press('x')
    await there.shows((lines) => lines[0].startsWith('ipvs top: 0 of 5'))
    await there.press('i')
    await there.shows(inTop)
    await there.press('+')
    await there.shows((lines) => lines[0].includes('every 0.5 s'))
    await there.press('Space')
    await there.shows((lines) => lines[0].includes('PAUSED'))
  })

  test('--json is a line for each look', async () => {
    const printed = await namespace.must(process.execPath, [command, 'top', '--interval', '0.1', '--json', '--count', '2', '--sort', 'name'])
    const looks = printed.trimEnd().split('\n').map((line) => JSON.parse(line) as { services: { address: string, destinations: object[] }[] })
    expect(looks.map(({ services }) => services.map(({ address }) => address))).toEqual(
      new Array(2).fill(['10.5.0.1', '10.5.0.3', '10.5.0.19', '10.5.0.20', '10.5.0.100']),
    )
    expect(looks[0].services[0].destinations).toHaveLength(40)
  })

  test('a terminal without escape sequences gets the table once, as text', async () => {
    for (const term of ['dumb', '']) {
      const stdout = await namespace.must('script', ['-qec', `TERM=${term} ${top().join(' ')}`, '/dev/null'])
      expect(stdout).not.toContain('\x1b')
      expect(endpoints(stdout.split('\n'))).toHaveLength(45)
    }
  })

  test('a terminal that goes away ends it', async () => {
    const ending = join(folder, 'ending')
    const there = await open(['sh', '-c', `trap '' HUP; ${top().join(' ')} 2>${ending}; echo status $? >>${ending}`])
    await there.shows(inTop)
    await there.close()
    const told = await until(async () => (await namespace.run('cat', [ending])).stdout, (text) => text.includes('status'))
    // The status of a process that SIGHUP ended, and no message about the terminal.
    expect(told).toMatch(/^(?:Hangup\n)?status 129\n$/)
  })
})
