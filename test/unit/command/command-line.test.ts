import { describe, expect, test } from 'vitest'
import { helpTexts } from '../../../lib/command/help-texts.js'
import { readCommandLine } from '../../../lib/command/own-options.js'
import { refusal } from '../../../lib/command/refusals.js'
import { closestCommandLines, closestOptions } from '../../../lib/command/suggestions.js'
import { packOperation } from '../../../lib/client/operations.js'
import { Requests } from '../../../lib/wire/pack/requests.js'
import { parseCommands } from 'ipvs/rules'
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
    ['--json nonsense', /'nonsense' is no command/],
    ['--json -n', /-n comes before the command/],
    ['--full', /--full with the 'list' command/],
  ])('%s is refused', (line, message) => {
    expect(() => readCommandLine(line.split(' '))).toThrow(message)
  })
})

test.each([[''], ['--json'], ['--netns blue'], ['--json --netns=blue']])("without a command, '%s' lists", (line) => {
  expect(readCommandLine(line.split(' ').filter((word) => word !== '')).read.name).toBe('list')
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

test.each([
  ['tpo', ['ipvs top']],
  ['direktor', ['ipvs director']],
  ['list', ['ipvs --list']],
  ['rstore', ['ipvs --restore']],
  ['save', ['ipvs --save']],
  ['add', ['ipvs --add-service', 'ipvs --add-server']],
  ['stats', ['ipvs --list --stats']],
  ['connections', ['ipvs --list --connection']],
  ['something', []],
])('what is close to ipvs %s', (first, close) => {
  expect(closestCommandLines(first, Object.keys(helpTexts))).toEqual(close)
})

test("refusals begin with ipvsadm's sentence where it has one", () => {
  const error = (code: string, type: string): Error => Object.assign(new Error('in words'), { code, operation: { type } })
  expect(refusal(error('EEXIST', 'addService'))).toBe('Service already exists: in words')
  expect(refusal(error('EPERM', 'open'))).toBe('Permission denied (you must be root): in words')
  expect(refusal(error('ERANGE', 'addDestination'))).toBe('in words')
})

test.each([
  ['-a -t 10.0.0.1:80 -r 10.0.0.2 -y 5', '-y must be at most -x, which is 0. Received 5'],
  ['-A -t 10.0.0.1:80 -s r\u00e9', "-s must be a name of visible ASCII characters, without spaces. Received 'r\u00e9'"],
  ['-A -t 10.0.0.1:80 --pe a\x1bb', "--pe must be a name of visible ASCII characters, without spaces. Received 'a\x1bb'"],
  [
    '#ipvs: -a -t 10.0.0.1:80 -r 10.0.0.2:81 -g',
    "the port of -r must be the service's port 80 with -g, which leaves ports as they are. Received 81",
  ],
  [
    '--start-daemon backup --mcast-interface a/b',
    "--mcast-interface must be the name of a network interface, at most 15 bytes. Received 'a/b'",
  ],
])('%s: what the package refuses is told with the options of the command line', (line, words) => {
  const [operation] = parseCommands(line, { names: 'refuse' })
  const pack = (): void => packOperation(new Requests(1024), operation)
  expect(pack).toThrow()
  try {
    pack()
  } catch (error) {
    expect(refusal(error)).toBe(words)
  }
})

test('a daemon of a kernel before 4.3 has an interface and an identifier only', () => {
  expect(formatDaemons([{ role: 'backup', interface: 'eth0', syncId: 7, maxLength: 0, group: '', port: 0, ttl: 0 }])).toBe(
    'backup sync daemon (mcast=eth0, syncid=7)\n',
  )
})
