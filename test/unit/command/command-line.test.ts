import { describe, expect, test } from 'vitest'
import { readCommandLine } from '../../../lib/command/own-options.js'
import { refusal } from '../../../lib/command/refusals.js'
import { closestOptions } from '../../../lib/command/suggestions.js'
import { formatDaemons } from '../../../lib/command/listing.js'

describe("the command's own options", () => {
  test.each([
    ['-L --json -n', { json: true }],
    ['--netns blue -L', { netns: 'blue' }],
    ['-A -t 10.0.0.1:80 --netns=/run/netns/blue', { netns: '/run/netns/blue' }],
    ['-S --full -n', { full: true }],
    ['-R --replace --dry-run', { replace: true, dryRun: true }],
  ])('%s', (line, own) => {
    expect(readCommandLine(line.split(' ')).own).toEqual(own)
  })

  test.each([
    ['-S --json', /--json with the 'save' command/],
    ['-L --full', /--full with the 'list' command/],
    ['-C --dry-run', /--dry-run with the 'flush' command/],
    ['-L --netns a --netns b', /a second --netns/],
    ['--netns', /--netns is the last word/],
    ['--json', /nothing to do/],
  ])('%s is refused', (line, message) => {
    expect(() => readCommandLine(line.split(' '))).toThrow(message)
  })
})

test.each([
  ['--wieght', ['--weight']],
  ['--schedular', ['--scheduler']],
  ['--tcp', ['--tcp-service']],
  ['--mcast', ['--mcast-interface', '--mcast-group', '--mcast-port', '--mcast-ttl']],
  ['--jsn', ['--json']],
  ['--quite-another-thing', []],
])('what is close to %s', (spelling, close) => {
  expect(closestOptions(spelling)).toEqual(close)
})

test("refusals begin with ipvsadm's sentence where it has one", () => {
  const error = (code: string, type: string): Error => Object.assign(new Error('in words'), { code, operation: { type } })
  expect(refusal(error('EEXIST', 'addService'))).toBe('Service already exists: in words')
  expect(refusal(error('EPERM', 'open'))).toBe('Permission denied (you must be root): in words')
  expect(refusal(error('ERANGE', 'addDestination'))).toBe('in words')
})

test('a daemon of a kernel before 4.3 has an interface and an identifier only', () => {
  expect(formatDaemons([{ role: 'backup', interface: 'eth0', syncId: 7, maxLength: 0, group: '', port: 0, ttl: 0 }])).toBe('backup sync daemon (mcast=eth0, syncid=7)\n')
})
