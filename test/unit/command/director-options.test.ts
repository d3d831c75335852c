import { describe, expect, test } from 'vitest'
import { programsOf } from '../../../lib/configuration/index.js'
import { illness } from '../../../lib/command/director/web.js'
import { readDirectorCommand } from '../../../lib/command/director/options.js'
import { programDiagnostics } from '../../../lib/command/director/programs.js'
import { UsageError } from '../../../lib/command/new-options.js'

const read = (line: string): ReturnType<typeof readDirectorCommand> => readDirectorCommand(line.split(' ').filter((word) => word !== ''))

function refusal(line: string): string {
  try {
    read(line)
  } catch (error) {
    if (error instanceof UsageError) return `${error.message} ${error.hint ?? ''}`
    throw error
  }
  return 'none'
}

describe('the command line of a director', () => {
  test('says what to do', () => {
    expect(read('--keepalived a.conf')).toEqual({
      source: { type: 'keepalived', file: 'a.conf' },
      follow: false,
      prune: false,
      removeOnExit: false,
      log: 'text',
    })
    expect(read('--config a.json --follow --prune --drain 2.5 --remove-on-exit --log json --netns x --scripts /etc/scripts')).toEqual({
      source: { type: 'json', file: 'a.json' },
      follow: true,
      prune: true,
      drain: 2.5,
      removeOnExit: true,
      log: 'json',
      netns: 'x',
      scripts: '/etc/scripts',
    })
    expect(read('--config a.json --check --strict --json').check).toEqual({ strict: true, json: true })
  })

  test.each([
    ['9102', { host: '127.0.0.1', port: 9102 }],
    ['0.0.0.0:80', { host: '0.0.0.0', port: 80 }],
    ['[::1]:9102', { host: '::1', port: 9102 }],
  ])('listens on %s', (text, listen) => {
    expect(read(`--config a --listen ${text}`).listen).toEqual(listen)
  })

  test('names what is its own, in several words or with commas', () => {
    expect(read('--config a --own 10.0.0.0/8 tcp:192.0.2.1:80-90 [2001:db8::/32]:443,fd00::/8 --own fwmark:1-9 fwmark:12').owns).toEqual([
      { address: '10.0.0.0/8' },
      { protocol: 'tcp', address: '192.0.2.1', port: [80, 90] },
      { address: '2001:db8::/32', port: 443 },
      { address: 'fd00::/8' },
      { fwmark: [1, 9] },
      { fwmark: 12 },
    ])
  })

  test.each([
    ['', 'which configuration?'],
    ['--keepalivd x', 'Did you mean --keepalived?'],
    ['handover', 'Did you mean hand-over?'],
    ['--keepalived', '--keepalived needs an argument'],
    ['--keepalived --follow', '--keepalived needs an argument'],
    ['--keepalived x --config y', 'two configurations'],
    ['--config x --config y', 'there twice'],
    ['--config x --follow=no', '--follow takes no argument'],
    ['--config x more', '\'more\' is one word too many'],
    ['--config x --strict', '--strict goes with --check'],
    ['--config x --check --listen 80', '--listen does not go with --check'],
    ['--config x --own 10.0.0.0/33', '--own \'10.0.0.0/33\''],
    ['--config x --own 10.0.0.1:90-80', 'above its end'],
    ['--config x --own 10.0.0.1 --prune', 'give one of them'],
    ['--config x --listen localhost:80', '--listen \'localhost:80\''],
    ['--config x --listen ::1:80', '--listen \'::1:80\''],
    ['--config x --listen 65536', 'a port from 0 to 65535'],
    ['--config x --drain -1', '--drain'],
    ['--config x --drain 1e3', 'expected seconds'],
    ['--config x --log xml', 'expected text or json'],
    ['--config x --scripts here', 'the absolute path'],
  ])('%j is refused: %s', (line, words) => {
    expect(refusal(line)).toContain(words)
  })
})

describe('a director', () => {
  test('is well while its configuration is in force and it sees the table', () => {
    const now = Date.now()
    expect(illness({ inForce: true, looked: now }, 10)).toBeUndefined()
    expect(illness({ inForce: true, looked: now - 29_000 }, 10)).toBeUndefined()
    expect(illness({ inForce: true, looked: now - 31_000 }, 10, { message: 'permission denied', at: now })).toMatch(
      /^the last look at the table was 31\.\d s ago, .*: permission denied$/,
    )
    expect(illness({ inForce: false }, 10)).toBe('no configuration is in force yet')
  })

  test('runs no program outside of the folder that was named, and none that is not there', () => {
    const service = { protocol: 'tcp', address: '10.0.0.1', port: 80 } as const
    const check = { type: 'script' as const, command: ['/usr/bin/true'] }
    const program = { command: ['/nowhere/notify', 'x'] }
    const configuration = {
      services: [{ ...service, onQuorumLost: program, destinations: [{ address: '10.0.0.2', port: 80, checks: [check], onUp: program }] }],
    }
    const named = [...programsOf(configuration)]
    const told = (folder?: string): string[] => programDiagnostics(named, folder, { programs: [], paths: ['a.json'] }).map(({ message }) => message)
    expect(told()).toEqual([expect.stringMatching(/^services\[0\]\.onQuorumLost\.command\[0\] is refused: .*\/nowhere/)])
    expect(told('/usr/bin')).toContainEqual(
      'services[0].onQuorumLost.command[0] is refused: /nowhere/notify is not in /usr/bin, where --scripts says that programs are',
    )
    expect(told('/usr/lib').filter((message) => message.includes('/usr/bin/true is not in'))).toHaveLength(1)
    const programs = [{ ...program, file: 'b.conf', line: 7, column: 3 }]
    expect(programDiagnostics(named, undefined, { programs, paths: ['a.conf'] })).toMatchObject([{ file: 'b.conf', line: 7, column: 3 }])
  })
})
