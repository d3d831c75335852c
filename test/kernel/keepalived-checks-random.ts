import type { Random } from './rules-random.js'

const sometimes = (random: Random, probability: number, line: () => string): string[] => random.chance(probability) ? [line()] : []

/** Times and counts, which a virtual server, a real server and a checker may all name. */
function pace(random: Random, probability: number, timeout = true): string[] {
  return [
    ...sometimes(random, probability, () => `delay_loop ${random.pick(['1', '2.5', '10', '.5', '600', '7 surplus'])}`),
    ...sometimes(random, probability, () => `retry ${random.integer(1, 5)}`),
    ...sometimes(random, probability, () => `delay_before_retry ${random.pick(['0', '2', '0.25'])}`),
    ...sometimes(random, probability, () => `warmup ${random.pick(['0', '3', '1.5'])}`),
    ...timeout ? sometimes(random, probability, () => `connect_timeout ${random.pick(['1', '2.5', '20'])}`) : [],
  ]
}

const target = (random: Random): string[] => [
  ...sometimes(random, 0.3, () => `connect_ip 10.9.9.${random.integer(1, 9)}`),
  ...sometimes(random, 0.4, () => `connect_port ${random.integer(1, 65535)}`),
  ...sometimes(random, 0.2, () => `bindto 10.9.8.${random.integer(1, 9)}`),
  ...sometimes(random, 0.1, () => 'fwmark 5'),
]

function url(random: Random): string {
  const lines = [
    `path ${random.pick(['/', '/service.txt', '/a?b=c'])}`,
    ...sometimes(random, 0.3, () => 'digest 9C9a9a5a8f2d0c6d0c7e1a3b5d7f9e0a'),
    ...sometimes(random, 0.4, () => `status_code ${random.pick(['200', '200 301-303', '204 404-405 500'])}`),
    ...sometimes(random, 0.3, () => 'virtualhost url.example.org'),
  ]
  return `url {\n${lines.join('\n')}\n}`
}

function checker(random: Random): string {
  const block = (name: string, lines: readonly string[]): string => `${name} {\n${lines.join('\n')}\n}`
  const common = [
    ...pace(random, 0.3),
    ...target(random),
    ...sometimes(random, 0.1, () => 'alpha'),
    ...sometimes(random, 0.1, () => 'log_all_failures'),
  ]
  switch (random.integer(0, 6)) {
    case 0: return block('TCP_CHECK', common)
    case 1:
    case 2: {
      // The name that TLS is told may be another one for each url, which makes several checks here.
      const named = random.chance(0.3)
      const lines = [
        ...common,
        ...Array.from({ length: named ? 1 : random.integer(1, 3) }, () => url(random)),
        ...sometimes(random, 0.3, () => `http_protocol ${random.pick(['1.0', '1.0C', '1.1'])}`),
        ...sometimes(random, 0.3, () => 'virtualhost checker.example.org'),
        ...(named ? ['enable_sni'] : []),
        ...sometimes(random, 0.3, () => 'fast_recovery'),
      ]
      return block(random.pick(['HTTP_GET', 'SSL_GET']), lines)
    }
    case 3: return block('SMTP_CHECK', [...common, ...sometimes(random, 0.5, () => 'helo_name a.example.org')])
    case 4: return block('DNS_CHECK', [...common, ...sometimes(random, 0.5, () => `type ${random.pick(['A', 'mx', 'TXT', 'aaaa'])}`), ...sometimes(random, 0.5, () => 'name a.example.org')])
    case 5: {
      const program = random.pick([
        '/bin/true',
        '"/bin/true a \'b c\'"',
        '\'/bin/true a "b c"\'',
        '"/bin/sh -c \'exit 0\'"',
        '"/bin/true \\x41"',
      ])
      return block('MISC_CHECK', [`misc_path ${program}`, ...pace(random, 0.3, false), ...sometimes(random, 0.5, () => `misc_timeout ${random.integer(0, 9)}`), ...sometimes(random, 0.5, () => 'misc_dynamic')])
    }
    default: return block('UDP_CHECK', [...common, ...sometimes(random, 0.5, () => 'payload 00 01'), ...sometimes(random, 0.5, () => `require_reply${random.pick(['', ' 0x', ' 00 11'])}`), ...sometimes(random, 0.3, () => 'min_reply_length 2')])
  }
}

/** A keepalived.conf that is about checks. */
export function randomChecks(random: Random): string {
  const servers = Array.from({ length: random.integer(1, 4) }, (_, index) => {
    const lines = [
      ...pace(random, 0.2),
      ...sometimes(random, 0.2, () => 'virtualhost server.example.org'),
      ...Array.from({ length: random.integer(0, 3) }, () => checker(random)),
    ]
    return `real_server 10.2.0.${index + 1} ${random.pick(['80', '8080'])} {\n${lines.join('\n')}\n}`
  })
  const head = [
    'lb_algo rr',
    'lb_kind NAT',
    'protocol TCP',
    ...pace(random, 0.3),
    ...sometimes(random, 0.3, () => 'virtualhost virtual.example.org'),
  ]
  return `virtual_server 10.1.0.1 80 {\n${[...head, ...servers].join('\n')}\n}\n`
}
