import type { DirectorConfiguration } from '../../../../lib/configuration/index.js'

/** Configurations as people would write them. Each is good. */
export const examples: readonly { name: string, configuration: DirectorConfiguration }[] = [
  { name: 'no service', configuration: { services: [] } },
  {
    name: 'a table without checks',
    configuration: {
      services: [
        {
          protocol: 'tcp',
          address: '192.0.2.1',
          port: 80,
          scheduler: 'wlc',
          schedulerFlags: [],
          onePacket: false,
          persistence: null,
          persistenceEngine: null,
          destinations: [{ address: '192.0.2.11', port: 80, forward: 'dr', weight: 1, upperThreshold: 0, lowerThreshold: 0, tunnel: null }],
        },
      ],
      timeouts: { tcp: 900, tcpFin: 120, udp: 300 },
      daemons: [{ role: 'master', interface: 'eth0', syncId: 0, maxLength: 1472, group: '224.0.0.81', port: 8848, ttl: 1 }],
    },
  },
  {
    name: 'two web servers',
    configuration: {
      $schema: './configuration.schema.json',
      services: [
        {
          protocol: 'tcp',
          address: '192.0.2.142',
          port: 80,
          persistence: { timeout: 120 },
          checks: [
            {
              type: 'http',
              interval: 4,
              timeout: 2,
              urls: [{ path: '/service.txt', digest: '9c9a9a5a8f2d0c6d0c7e1a3b5d7f9e0a', status: [200, [301, 303]] }],
            },
          ],
          fallback: { address: '192.0.2.200', port: 80, whenIdle: 'zero' },
          quorum: 2,
          hysteresis: 1,
          whenDown: 'zero',
          whenAllDown: 'keep',
          rampUp: 30,
          onQuorumLost: { command: ['/usr/local/bin/page', 'web is down'], timeout: 10, user: 'nobody' },
          destinations: [
            { address: '192.0.2.101', port: 80 },
            { address: '192.0.2.102', port: 80, weight: 2, checks: [] },
          ],
        },
      ],
    },
  },
  {
    name: 'every kind of check',
    configuration: {
      services: [
        {
          fwmark: 7,
          family: 6,
          scheduler: 'mh',
          schedulerFlags: ['mh-port', 'mh-fallback'],
          destinations: [
            {
              address: '2001:db8::1',
              port: 443,
              forward: 'tun',
              tunnel: { type: 'gue', port: 6080, checksum: 'csum' },
              startDown: true,
              rampUp: 1.5,
              onUp: { command: ['/bin/true'] },
              checks: [
                { type: 'tcp', address: 'fe80::1', bindInterface: 'eth0', mark: 1 },
                { type: 'tls', tls: { serverName: 'www.example.org', verify: false } },
                {
                  type: 'http',
                  tls: {},
                  version: '1.1',
                  host: 'www.example.org',
                  urls: [{ path: '/', pattern: '^ready', patternFlags: 'im', patternUntil: 1000 }],
                },
                { type: 'script', command: ['/usr/local/bin/load', '2001:db8::1'], dynamicWeight: true, timeout: 3 },
                { type: 'smtp', port: 25, hello: 'lvs.example.org' },
                { type: 'dns', port: 53, name: 'www.example.org', recordType: 'AAAA' },
                { type: 'udp', port: 53, payload: '00 ff', reply: 'xx', minReply: 1 },
                { type: 'ping' },
                { type: 'file', path: '/run/drain', factor: -1, initial: 0 },
              ],
            },
          ],
        },
      ],
    },
  },
]
