import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  ConfigurationError,
  checkConfiguration,
  completeConfiguration,
  configurationMistakes,
  type Check,
  type DirectedService,
} from '../../../lib/configuration/index.js'
import { ADDRESS } from '../../../lib/configuration/patterns.js'
import { addressFamily } from '../../../lib/model/address.js'

const web = { protocol: 'tcp', address: '192.0.2.1', port: 80 } as const
const server = { address: '192.0.2.11', port: 80 }
const http = { type: 'http', urls: [{ path: '/' }] } as const

/** The mistakes of a service, without the words that stand before each: 'services[0]'. */
const ofService = (service: object): [string, string][] =>
  configurationMistakes({ services: [{ ...web, ...service }] }).map(({ field, message }) => [
    field.replace(/^services\[0\]\.?/, ''),
    message,
  ])

const ofCheck = (check: object): [string, string][] =>
  ofService({ destinations: [{ ...server, checks: [check] }] }).map(([field, message]) => [
    field.replace('destinations[0].checks[0].', ''),
    message,
  ])

describe('each mistake is told with its place', () => {
  const cases: readonly [name: string, given: [string, string][], field: string, words: RegExp][] = [
    ['a port that is none', ofService({ port: 65536 }), 'port', /from 0 to 65535\. Received 65536/],
    ['a service without an address', ofService({ address: undefined }), 'address', /is missing/],
    ['an unknown property', ofService({ algorithm: 'rr' }), 'algorithm', /is not a property of a service/],
    [
      'an address and a mark',
      ofService({ fwmark: 1, family: 4, protocol: undefined, port: undefined }),
      'address',
      /does not go with fwmark/,
    ],
    [
      'flags of another scheduler',
      ofService({ scheduler: 'sh', schedulerFlags: ['flag-1', 'mh-port'] }),
      'schedulerFlags[1]',
      /with scheduler 'sh'/,
    ],
    ['hysteresis as large as the quorum', ofService({ quorum: 2, hysteresis: 2 }), 'hysteresis', /less than the quorum, which is 2/],
    [
      'a fallback on another port',
      ofService({ fallback: { address: '192.0.2.9', port: 8080 } }),
      'fallback.port',
      /the service's port 80 with forward 'dr'/,
    ],
    ['checks of a fallback', ofService({ fallback: { ...server, checks: [] } }), 'fallback.checks', /serves when nothing else does/],
    [
      'a destination twice',
      ofService({ destinations: [server, { ...server, weight: 2 }] }),
      'destinations[1]',
      /a second time: it is services\[0\]\.destinations\[0\] already/,
    ],
    [
      'the same destination, spelled otherwise',
      ofService({
        address: '2001:db8::1',
        destinations: [
          { address: '2001:db8::2', port: 80 },
          { address: '2001:DB8:0::2', port: 80 },
        ],
      }),
      'destinations[1]',
      /a second time/,
    ],
    [
      'the other family',
      ofService({ destinations: [{ address: '2001:db8::2', port: 80 }] }),
      'destinations[0].address',
      /only forward 'tun'/,
    ],
    [
      'GUE without a port',
      ofService({ destinations: [{ ...server, forward: 'tun', tunnel: { type: 'gue' } }] }),
      'destinations[0].tunnel.port',
      /is missing/,
    ],
    [
      'thresholds the wrong way round',
      ofService({ destinations: [{ ...server, upperThreshold: 1, lowerThreshold: 2 }] }),
      'destinations[0].lowerThreshold',
      /at most/,
    ],
    ['a program by its name alone', ofService({ onQuorumLost: { command: ['page'] } }), 'onQuorumLost.command[0]', /an absolute path/],
    [
      'an IPv4 mask for IPv6',
      ofService({ address: '2001:db8::1', persistence: { netmask: '255.0.0.0' } }),
      'persistence.netmask',
      /takes services\[0\]\.persistence\.prefixLength/,
    ],
    [
      'a check of port 0',
      ofService({ destinations: [{ address: '192.0.2.11', port: 0, forward: 'nat', checks: [{ type: 'tcp' }] }] }),
      'destinations[0].checks[0].port',
      /nothing can be asked/,
    ],
    ['an unknown kind of check', ofCheck({ type: 'imap' }), 'type', /one of 'tcp', 'tls', 'http'/],
    ['a path with a blank', ofCheck({ ...http, urls: [{ path: '/a b' }] }), 'urls[0].path', /without blanks/],
    ['no url', ofCheck({ type: 'http', urls: [] }), 'urls', /needs at least 1 of its urls/],
    ['a pattern that is none', ofCheck({ ...http, urls: [{ path: '/', pattern: '(' }] }), 'urls[0].pattern', /is no regular expression/],
    ['flags without a pattern', ofCheck({ ...http, urls: [{ path: '/', patternFlags: 'i' }] }), 'urls[0].patternFlags', /there is none/],
    ['a property of another kind', ofCheck({ type: 'ping', port: 80 }), 'port', /is not a property of a ping check/],
    [
      'a check from the other family',
      ofCheck({ type: 'tcp', bindAddress: '2001:db8::9' }),
      'bindAddress',
      /is IPv6, and the check goes to 192\.0\.2\.11/,
    ],
    ['a link-local target', ofCheck({ type: 'ping', address: 'fe80::1' }), 'bindInterface', /is missing/],
    ['an answer that is not needed', ofCheck({ type: 'udp', reply: 'xx', requireReply: false }), 'reply', /requireReply false/],
    ['no time at all', ofCheck({ type: 'tcp', interval: 0 }), 'interval', /from 0\.001 to/],
  ]
  test.each(cases)('%s', (_name, mistakes, field, words) => {
    expect(mistakes.map(([at]) => at)).toEqual([field])
    expect(mistakes[0][1]).toMatch(words)
  })

  test('all mistakes are told, and those of other services do not hide any', () => {
    const configuration = {
      services: [{ ...web, port: 'http' }, { ...web, quorum: 1, hysteresis: 1 }, { ...web, scheduler: 'rr' }, 5],
      timeouts: { tcp: -1 },
      daemons: [{ role: 'master', interface: 'eth0', group: '10.0.0.1' }, { role: 'master', interface: 'eth0' }],
      extra: true,
    }
    expect(configurationMistakes(configuration).map(({ field }) => field)).toEqual([
      'services[0].port',
      'services[3]',
      'timeouts.tcp',
      'extra',
      'services[1].hysteresis',
      'services[2]',
      'daemons[0].group',
      'daemons[1].role',
    ])
    expect(() => checkConfiguration(configuration)).toThrow(ConfigurationError)
    expect(() => checkConfiguration(configuration)).toThrow(
      /^services\[0\]\.port must be an integer from 0 to 65535\. Received 'http' \(and 7 more\)$/,
    )
  })

  test.each([[undefined], [null], [[]], ['x'], [{}], [{ services: {} }], [{ services: null }]])('%j is no configuration', (value) => {
    expect(configurationMistakes(value)).toHaveLength(1)
  })

  test('the checks of a service are looked at with each destination that takes them', () => {
    const service = {
      checks: [{ type: 'tcp' }],
      destinations: [
        { ...server, checks: [] },
        { address: '192.0.2.12', port: 0, forward: 'nat' },
      ],
    }
    expect(ofService(service).map(([field]) => field)).toEqual(['checks[0].port'])
  })
})

describe('completing', () => {
  const complete = (service: object): ReturnType<typeof completeConfiguration>['services'][number] =>
    completeConfiguration(checkConfiguration({ services: [{ ...web, ...service }] })).services[0]

  test('a destination has the checks and decisions of its service, unless it has its own', () => {
    const checks: Check[] = [{ type: 'tcp', interval: 2 }]
    const { destinations } = complete({
      checks,
      startDown: true,
      rampUp: 9,
      destinations: [server, { address: '192.0.2.12', port: 80, checks: [], startDown: false, whenDown: 'zero' }],
    })
    expect(destinations[0]).toMatchObject({ startDown: true, rampUp: 9, whenDown: 'remove' })
    expect(destinations[0].checks).toEqual([
      {
        type: 'tcp',
        interval: 2,
        timeout: 5,
        failures: 2,
        successes: 1,
        retryInterval: 1,
        warmup: 2,
        startDown: true,
        logEachFailure: false,
      },
    ])
    expect(destinations[1]).toMatchObject({ startDown: false, rampUp: 9, whenDown: 'zero', checks: [] })
  })

  test('a url has the Host of its check, and statuses', () => {
    const {
      destinations: [
        {
          checks: [check],
        },
      ],
    } = complete({
      destinations: [
        {
          ...server,
          checks: [{ type: 'http', version: '1.1', host: 'a', tls: {}, urls: [{ path: '/' }, { path: '/', host: 'b', status: [204] }] }],
        },
      ],
    })
    expect(check).toMatchObject({
      close: true,
      tls: { verify: true },
      urls: [
        { host: 'a', status: [[200, 299]] },
        { host: 'b', status: [204] },
      ],
    })
  })

  test('what is given stays as it is', () => {
    const service: DirectedService = { ...web, destinations: [{ ...server, checks: [{ type: 'tcp' }] }] }
    const before = JSON.stringify(service)
    completeConfiguration({ services: [service] })
    expect(JSON.stringify(service)).toBe(before)
  })
})

test('an address is one to the pattern that the schema has, if it is one to the library', () => {
  const part = fc.constantFrom('1', '255', '256', '01', 'ffff', 'g', ':', '::', '.', '0', '192.0.2.1', 'fe80', '12345')
  const spelled = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.array(part, { maxLength: 14 }).map((parts) => parts.join('')),
    fc.array(part, { maxLength: 10 }).map((parts) => parts.join(':')),
  )
  fc.assert(fc.property(spelled, (text) => ADDRESS.test(text) === (addressFamily(text) !== 0)), { numRuns: 20_000 })
})
