import { describe, expect, test } from 'vitest'
import { formatCommands, formatRules, parseCommands, parseRules, resolveNames } from 'ipvs/rules'
import { parseServices } from '../../../lib/rules/services-database.js'

describe('rules make a table, and a table makes rules', () => {
  const saved = [
    '-A -t 10.0.0.1:80 -s rr',
    '-a -t 10.0.0.1:80 -r 10.0.0.2:80 -g -w 1',
    '-a -t 10.0.0.1:80 -r 10.0.0.3:8080 -m -w 0',
    '-a -t 10.0.0.1:80 -r 10.0.0.4:80 -i -w 3 --tun-type gue --tun-port 6080 --tun-csum',
    '-A -t 10.0.0.1:443 -s mh -p 90 -M 255.255.255.0 --pe sip -b mh-fallback,mh-port',
    '-A --sctp-service 10.0.0.1:80 -s wlc',
    '-A -u [2001:db8::1]:53 -s wlc -p 360 -M 64 -o',
    '-A -f 1 -s wlc',
    '-A -f 1 -6 -s wlc',
    '-a -f 1 -6 -r [::1.2.3.4]:0 -i -w 1 --tun-type gre --tun-nocsum',
    '',
  ].join('\n')

  test('what ipvsadm -S writes comes back unchanged', () => {
    expect(formatRules(parseRules(saved, { names: 'refuse' }))).toBe(saved)
  })

  test('the order is ipvsadm\'s, whose comparison overflows: 192.168.0.1 comes before 10.0.0.1', () => {
    const text = '-A -t 10.0.0.1:80 -s wlc\n-A -t 192.168.0.1:80 -s wlc\n'
    expect(formatRules(parseRules(text, { names: 'refuse' }))).toBe('-A -t 192.168.0.1:80 -s wlc\n-A -t 10.0.0.1:80 -s wlc\n')
  })

  const rich = [
    '-A -t 10.0.0.1:80 -s rr',
    '-a -t 10.0.0.1:80 -r 10.0.0.2:80 -g -w 1 -x 100 -y 50',
    '#ipvs: -a -t 10.0.0.1:80 -r 10.0.0.3:80 --local -w 1',
    '#ipvs: -a -t 10.0.0.1:80 -r 10.0.0.4:80 --bypass -w 1',
    '#ipvs: -a -t 10.0.0.1:80 -r 10.0.0.5:80 -m -w 70000',
    '#ipvs: -A -u 10.0.0.1:0 -s rr',
    '#ipvs: -a -u 10.0.0.1:0 -r 10.0.0.2:0 -m -w 1',
    '--set 900 120 300',
    '--start-daemon master --mcast-interface eth0 --syncid 3 --sync-maxlen 1472 --mcast-group 224.0.0.81 --mcast-port 8848 --mcast-ttl 1',
    '',
  ].join('\n')

  test('a full save keeps thresholds, timeouts, daemons and what ipvsadm\'s language lacks', () => {
    expect(formatRules(parseRules(rich, { names: 'refuse' }), { full: true })).toBe(rich)
  })

  test('a plain save of the same table is what ipvsadm writes, but for destinations that bypass IPVS', () => {
    expect(formatRules(parseRules(rich, { names: 'refuse' })).split('\n')).toEqual([
      '-A -t 10.0.0.1:80 -s rr',
      '-a -t 10.0.0.1:80 -r 10.0.0.2:80 -g -w 1',
      '-a -t 10.0.0.1:80 -r 10.0.0.3:80 -g -w 1',
      '#ipvs: -a -t 10.0.0.1:80 -r 10.0.0.4:80 --bypass -w 1',
      '-a -t 10.0.0.1:80 -r 10.0.0.5:80 -m -w 70000',
      '-A -u 10.0.0.1:0 -s rr',
      '-a -u 10.0.0.1:0 -r 10.0.0.2:0 -m -w 1',
      '',
    ])
  })

  test('names can stand for addresses and ports', () => {
    const names = {
      host: (address: string) => (address === '10.0.0.1' ? 'web' : undefined),
      service: (port: number) => (port === 80 ? 'http' : undefined),
    }
    expect(formatRules(parseRules('-A -t 10.0.0.1:80\n-a -t 10.0.0.1:80 -r 10.0.0.2:8080 -m', { names: 'refuse' }), { names }))
      .toBe('-A -t web:http -s wlc\n-a -t web:http -r 10.0.0.2:8080 -m -w 1\n')
  })

  test('edits, removals, timeouts and daemons happen in their order', () => {
    const table = parseRules(`
-A -t 10.0.0.1:80
-a -t 10.0.0.1:80 -r 10.0.0.2 -w 5 -x 10
-a -t 10.0.0.1:80 -r 10.0.0.3
-E -t 10.0.0.1:80 -s rr
-e -t 10.0.0.1:80 -r 10.0.0.2
-d -t 10.0.0.1:80 -r 10.0.0.3
-A -t 10.0.0.1:81
-D -t 10.0.0.1:81
--set 100 0 0
--start-daemon master
--start-daemon backup --mcast-group ff02::1
--stop-daemon master
`)
    expect(table.services).toMatchObject([
      { port: 80, scheduler: 'rr', destinations: [{ address: '10.0.0.2', weight: 1, upperThreshold: 0 }] },
    ])
    expect(table.timeouts).toEqual({ tcp: 100, tcpFin: 120, udp: 300 })
    expect(table.daemons).toEqual([{ role: 'backup', interface: 'eth0', syncId: 0, maxLength: 1452, group: 'ff02::1', port: 8848, ttl: 1 }])
  })

  test('an empty text is an empty table, which is an empty text', () => {
    expect(parseRules('\n# nothing\n')).toEqual({ services: [] })
    expect(formatRules({ services: [] })).toBe('')
  })

  test.each([
    ['-A -t 1.1.1.1:1\n-A -t 1.1.1.1:1', /line 2.*a second time.*line 1/],
    ['-a -t 1.1.1.1:1 -r 2.2.2.2', /line 1.*no service tcp 1\.1\.1\.1:1/],
    ['-A -t 1.1.1.1:1\n-a -t 1.1.1.1:1 -r 2.2.2.2\n-a -t 1.1.1.1:1 -r 2.2.2.2', /line 3.*destination 2\.2\.2\.2:1 a second time/],
    ['-A -t 1.1.1.1:1\n-e -t 1.1.1.1:1 -r 2.2.2.2', /line 2.*no destination 2\.2\.2\.2:1/],
    ['-A -t 1.1.1.1:1\n-a -t 1.1.1.1:1 -r 2.2.2.2 -y 5', /line 2.*lower threshold 5/],
    ['-D -f 1', /no service fwmark 1 \(IPv4\)/],
    ['--stop-daemon master', /no master daemon/],
    ['--start-daemon master\n--start-daemon master', /line 2.*second master/],
  ])('what the kernel would refuse is refused: %j', (text, message) => {
    expect(() => parseRules(text)).toThrow(message)
  })
})

test('an undefined firewall mark counts as none everywhere', () => {
  const service = { protocol: 'tcp', address: '10.0.0.1', port: 80, fwmark: undefined } as const
  const destination = { address: '10.0.0.2', port: 8080, forward: 'dr' } as const
  expect(
    formatCommands([
      { type: 'addService', service },
      { type: 'addDestination', service, destination },
      { type: 'removeService', service },
    ]),
  ).toBe(['-A -t 10.0.0.1:80 -s wlc', '#ipvs: -a -t 10.0.0.1:80 -r 10.0.0.2:8080 -g -w 1', '-D -t 10.0.0.1:80', ''].join('\n'))
  const persistent = {
    ...service,
    scheduler: 'rr',
    schedulerFlags: [],
    onePacket: false,
    persistence: { timeout: 300, prefixLength: 24 },
    persistenceEngine: null,
  }
  expect(
    formatRules({
      services: [
        {
          ...persistent,
          persistence: null,
          protocol: undefined,
          address: undefined,
          port: undefined,
          fwmark: 7,
          family: 4,
          destinations: [],
        },
        { ...persistent, destinations: [] },
      ],
    }),
  ).toBe('-A -t 10.0.0.1:80 -s rr -p 300 -M 255.255.255.0\n-A -f 7 -s rr\n')
})

test('values unknown to this library are written as numbers, not guessed', () => {
  const service = {
    protocol: 47 as unknown as 'tcp',
    address: '10.0.0.1',
    port: 80,
    scheduler: 'rr',
    schedulerFlags: [],
    onePacket: false,
    persistence: null,
    persistenceEngine: null,
  }
  const destination = { address: '10.0.0.2', port: 80, weight: 1, upperThreshold: 0, lowerThreshold: 0 }
  const unknown = [
    { ...destination, forward: 6 as unknown as 'nat', tunnel: null },
    {
      ...destination,
      address: '10.0.0.3',
      forward: 'tun' as const,
      tunnel: { type: 7 as unknown as 'gue', checksum: 3 as unknown as 'csum' },
    },
  ]
  expect(formatRules({ services: [{ ...service, destinations: unknown }] })).toBe([
    '-A --xxx-service 10.0.0.1:80 -s rr',
    '# -a --xxx-service 10.0.0.1:80 -r 10.0.0.2:80: forwarding method 6 has no name',
    '-a --xxx-service 10.0.0.1:80 -r 10.0.0.3:80 -i -w 1',
    '',
  ].join('\n'))
})

test('operations are written as the commands that make them', () => {
  const text = [
    '-A -t 10.0.0.1:80 -s sh -p 60 -M 255.255.255.0 -b sh-port',
    '-E -f 5 -6 -s rr',
    '-D -u [2001:db8::1]:53',
    '-a -t 10.0.0.1:80 -r 10.0.0.2:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum -x 5 -y 2',
    '#ipvs: -e -t 10.0.0.1:80 -r 10.0.0.3:80 --local -w 1',
    '-d -t 10.0.0.1:80 -r 10.0.0.2:80',
    '-Z',
    '-Z -f 5',
    '-C',
    '--set 1 0 3',
    '--start-daemon backup --mcast-interface eth1 --syncid 9 --mcast-group ff02::1 --mcast-port 9 --mcast-ttl 2',
    '--stop-daemon backup --syncid 9',
    '',
  ].join('\n')
  expect(formatCommands(parseCommands(text, { names: 'refuse' }))).toBe(text)
  expect(formatCommands([
    { type: 'addService', service: { fwmark: 1, family: 4 } },
    { type: 'addDestination', service: { fwmark: 1, family: 4 }, destination: { address: '10.0.0.2', port: 0 } },
  ])).toBe('-A -f 1 -s wlc\n-a -f 1 -r 10.0.0.2:0 -g -w 1\n')
})

describe('names become numbers', () => {
  test('in a text, before it is parsed', async () => {
    await expect(resolveNames('# localhost:http stays\n  -a -t localhost:http -r localhost:8080 -m\n')).resolves.toBe(
      '# localhost:http stays\n  -a -t 127.0.0.1:80 -r 127.0.0.1:8080 -m\n',
    )
  })

  test('in operations, after', async () => {
    await expect(resolveNames(parseCommands('-a -u localhost:domain -r 10.0.0.2:domain -m'))).resolves.toMatchObject([
      { service: { address: '127.0.0.1', port: 53 }, destination: { port: 53 }, line: 1, column: 1 },
    ])
  })

  test('in a table', async () => {
    await expect(resolveNames(parseRules('-A -t localhost:https\n-a -t localhost:https -r localhost'))).resolves.toMatchObject({
      services: [{ address: '127.0.0.1', port: 443, destinations: [{ address: '127.0.0.1', port: 443 }] }],
    })
  })

  test('unknown names are reported with their place', async () => {
    const text = '-D -t 10.0.0.1:nosuchservice'
    const message = /line 1, column 16: service 'nosuchservice' is not known/
    await expect(resolveNames(text)).rejects.toThrow(message)
    await expect(resolveNames(parseCommands(text))).rejects.toThrow(/line 1, column 1: service 'nosuchservice' is not known/)
  })

  test('the services database is searched by protocol', () => {
    const database = parseServices('# comment\nhttp 80/tcp www # web\nsyslog\t514/udp\nshell 514/tcp cmd\nbroken\nx 99999999/tcp\n')
    expect(database.port('www', 'tcp')).toBe(80)
    expect(database.port('http', 'udp')).toBeUndefined()
    expect(database.name(514, 'udp')).toBe('syslog')
    expect(database.name(514, 'tcp')).toBe('shell')
  })
})
