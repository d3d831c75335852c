import { describe, expect, test } from 'vitest'
import type { DirectedDestination, DirectedService, Parsed, ParseOptions, Program } from 'ipvs/keepalived'
import { destination, read, said, service, withVirtual } from './support/read.js'

const checks = (lines: string): unknown => destination(withVirtual('', lines)).checks

describe('each kind of check', () => {
  test.each<[string, object]>([
    ['TCP_CHECK { }', { type: 'tcp', interval: 60, timeout: 5, failures: 2, successes: 1, retryInterval: 1 }],
    ['HTTP_GET { url { path / } }', { type: 'http', failures: 2, successes: 2, retryInterval: 3, urls: [{ path: '/' }] }],
    [
      'HTTP_GET { fast_recovery\n http_protocol 1.0C\n url { path /a\n status_code 200 301-303\n digest 9C9a9a5a8f2d0c6d0c7e1a3b5d7f9e0a } }',
      {
        successes: 1,
        version: '1.0',
        close: true,
        urls: [{ path: '/a', status: [200, [301, 303]], digest: '9c9a9a5a8f2d0c6d0c7e1a3b5d7f9e0a' }],
      },
    ],
    ['SSL_GET { url { path / } }', { type: 'http', tls: { verify: false } }],
    [
      'SSL_GET { enable_sni\n virtualhost a.b\n url { path / } }',
      { tls: { serverName: 'a.b', verify: false }, urls: [{ path: '/', host: 'a.b' }] },
    ],
    ['SMTP_CHECK { helo_name a.b }', { type: 'smtp', hello: 'a.b' }],
    ['DNS_CHECK { type mx\n name a.b }', { type: 'dns', recordType: 'MX', name: 'a.b', failures: 4, retryInterval: 60 }],
    ['UDP_CHECK { payload 00 f\n require_reply xX 1 }', { type: 'udp', payload: '000f', requireReply: true, reply: 'xx01', maxReply: 255 }],
    ['PING_CHECK { connect_port 3\n bind_if eth0 }', { type: 'ping', bindInterface: 'eth0' }],
    [
      'MISC_CHECK { misc_path "/bin/x \'a b\'"\n misc_timeout 3\n misc_dynamic\n user nobody nogroup }',
      { type: 'script', command: ['/bin/x', 'a b'], timeout: 3, failures: 1, dynamicWeight: true, user: 'nobody', group: 'nogroup' },
    ],
    [
      'TCP_CHECK { connect_ip 192.0.2.9\n connect_port 81\n bindto 192.0.2.8\n bind_port 9\n fwmark 7\n alpha\n log_all_failures }',
      { address: '192.0.2.9', port: 81, bindAddress: '192.0.2.8', bindPort: 9, mark: 7, startDown: true, logEachFailure: true },
    ],
  ])('%s', (lines, expected) => {
    expect(checks(lines)).toMatchObject([expected])
  })

  test.each([['of the checker', 'tls_compliant\n url { path / }'], ['of a url', 'url { path /\n tls_compliant }']])('tls_compliant %s is told, because nobody could do it', (_, lines) => {
    const text = withVirtual('', `SSL_GET { ${lines} }`)
    expect(said(text)).toEqual([expect.stringMatching(/^warning .*That a server ends TLS without its closing message is not noticed here/)])
    expect(said(text.replace('tls_compliant', 'tls_compliant no'))).toEqual([])
  })

  test('several urls that want several names in TLS are several checks', () => {
    expect(checks('SSL_GET { enable_sni\n url { path /\n virtualhost a } \n url { path /\n virtualhost b } }')).toMatchObject([
      { tls: { serverName: 'a' } },
      { tls: { serverName: 'b' } },
    ])
  })

  test('host blocks of SMTP_CHECK are checks beside that of the server, which has its own target', () => {
    const pace = { type: 'smtp', hello: 'a.b', timeout: 3 }
    const text = 'SMTP_CHECK { connect_ip 192.0.2.6\n connect_timeout 3\n helo_name a.b\n host { connect_ip 192.0.2.7 }\n host { connect_port 26 } }'
    const found = checks(text) as object[]
    expect(found).toMatchObject([{ ...pace, address: '192.0.2.6' }, { ...pace, address: '192.0.2.7' }, { ...pace, port: 26 }])
    expect(found[2]).not.toHaveProperty('address')
  })

  test('an SMTP_CHECK that says nothing about the connection besides its host blocks has no check but theirs, each with its own timeout', () => {
    const found = checks('SMTP_CHECK { helo_name a.b\n retry 2\n host { connect_ip 192.0.2.7\n connect_timeout 3 }\n host { connect_port 26 } }')
    expect(found).toMatchObject([{ address: '192.0.2.7', timeout: 3, failures: 3 }, { port: 26, timeout: 5, failures: 3 }])
    expect(found).toHaveLength(2)
  })

  test('a file check follows its track_file, wherever that stands', () => {
    const text = `${withVirtual('', 'FILE_CHECK { track_file t }\nFILE_CHECK { track_file t\n weight 0 reverse }')}track_file t { file /run/t\n weight -3\n init_file 5 overwrite }`
    expect(destination(text).checks).toEqual([
      { type: 'file', path: '/run/t', factor: -3, initial: 5, overwrite: true },
      { type: 'file', path: '/run/t', reverse: true, initial: 5, overwrite: true },
    ])
  })

  test('certificates and users are those of the whole file', () => {
    const text = `SSL { certificate /c\n key /k\n ca /a\n password p }\nglobal_defs { script_user u g }\n${withVirtual('', 'SSL_GET { url { path / } }\nMISC_CHECK { misc_path /bin/x }\nnotify_up /bin/y')}`
    expect(destination(text)).toMatchObject({
      checks: [{ tls: { certificate: '/c', key: '/k', authorities: '/a', passphrase: 'p' } }, { user: 'u', group: 'g' }],
      onUp: { command: ['/bin/y'], user: 'u', group: 'g' },
    })
  })
})

describe('who runs a program', () => {
  const text = (globals: string, line = '/bin/x') => `global_defs { ${globals} }\n${withVirtual(`quorum_up ${line}\nquorum_down ${line}`, `notify_up ${line}\nnotify_down ${line}\nMISC_CHECK { misc_path ${line} }`)}`
  const accounts = (parsed: Parsed): unknown[] => {
    const [
      {
        onQuorumReached,
        onQuorumLost,
        destinations: [{ onUp, onDown, checks }],
      },
    ] = parsed.configuration!.services as [Required<DirectedService> & { destinations: [DirectedDestination] }]
    return [onQuorumReached, onQuorumLost, onUp, onDown, checks![0] as Program].map((program) => [program!.user, program!.group])
  }
  const all = (user?: string, group?: string): unknown[] => Array<unknown>(5).fill([user, group])

  test.each<[string, string, ParseOptions, unknown[], number]>([
    ['the line itself', text('script_user u g', '"/bin/x" w h'), { scriptUser: 'k' }, all('w', 'h'), 0],
    ['the line itself, with the group of its user', text('script_user u g', '/bin/x w'), {}, all('w'), 0],
    ['script_user', text('script_user u g'), { scriptUser: 'k' }, all('u', 'g'), 0],
    ['the user that keepalived takes', text(''), { scriptUser: 'k' }, all('k'), 0],
    ['the director, which is told', text(''), {}, all(), 5],
  ])('%s', (_, file, options, expected, warnings) => {
    const parsed = read(file, options)
    expect(accounts(parsed)).toEqual(expected)
    const told = parsed.diagnostics.map(({ severity, message }) => `${severity}: ${message}`)
    expect(told).toEqual(
      Array<string>(warnings).fill(
        'warning: /bin/x runs as the director does, which is root as a rule: neither the line nor script_user names a user, and there is no keepalived_script',
      ),
    )
  })

  test('the user of a MISC_CHECK comes before script_user', () => {
    expect(destination(`global_defs { script_user u g }\n${withVirtual('', 'MISC_CHECK { misc_path /bin/x\n user m }')}`).checks).toMatchObject([{ user: 'm' }])
  })

  test('each program is told with its place, once', () => {
    const { programs } = read(`virtual_server_group g { 192.0.2.1-3 80 }\n${withVirtual('', 'notify_up "/bin/x a" u\nMISC_CHECK { misc_path /bin/y }').replace('192.0.2.1 80', 'group g')}`, { scriptUser: 'k' })
    expect(programs.map(({ command, user, line, file }) => [command.join(' '), user, line, file])).toEqual([
      ['/bin/y', 'k', 9, 'k'],
      ['/bin/x a', 'u', 8, 'k'],
    ])
  })

  test('each program of a sequence is listed, at the line that all have', () => {
    const text = 'virtual_server 10.0.0.1 80 {\n  protocol TCP\n~LST(n,1,2) real_server 10.0.0.${n} 80 { notify_up /bin/x${n} }\n}\n'
    expect(read(text).programs.map(({ command, line }) => [...command, line])).toEqual([['/bin/x1', 3], ['/bin/x2', 3]])
  })
})

test('times of the checker come before those of the server, and these before those of the virtual server', () => {
  const text = withVirtual(
    'delay_loop 9\nretry 9\nconnect_timeout 9\nwarmup 9\ndelay_before_retry 9',
    'retry 3\nconnect_timeout 3\nTCP_CHECK { connect_timeout 1 }',
  )
  expect(destination(text).checks).toMatchObject([{ interval: 9, failures: 4, timeout: 1, warmup: 9, retryInterval: 9 }])
})

test('the Host header is of the url, the checker, the server or the virtual server', () => {
  const host = (url: string, checker: string, server: string): unknown =>
    (destination(withVirtual('virtualhost v', `${server}\nHTTP_GET { ${checker}\n url { path /\n ${url} } }`)).checks![0] as { urls: { host?: string }[] }).urls[0].host
  expect([
    host('virtualhost u', 'virtualhost c', 'virtualhost s'),
    host('', 'virtualhost c', 'virtualhost s'),
    host('', '', 'virtualhost s'),
    host('', '', ''),
  ]).toEqual(['u', 'c', 's', 'v'])
})

describe('regular expressions', () => {
  const url = (lines: string): unknown => (destination(withVirtual('', `HTTP_GET { url { path /\n ${lines} } }`)).checks![0] as { urls: unknown[] }).urls[0]
  test.each<[string, object]>([
    ['regex "ready: *yes"', { pattern: 'ready: *yes' }],
    ['regex "(?i)a.b$"\n regex_no_match', { pattern: 'a[^\\n]b(?=\\n?$)', patternFlags: 'i', patternForbidden: true }],
    [
      'regex "a.b$"\n regex_options dotall multiline\n regex_min_offset 5\n regex_max_offset 9',
      { pattern: 'a.b$', patternFlags: 'ms', patternFrom: 5, patternUntil: 9 },
    ],
    ['regex "[.$]\\\\.\\\\d"', { pattern: '[.$]\\.\\d' }],
    ['regex "(?P<n>x)"', { pattern: '(?<n>x)' }],
  ])('%s', (lines, expected) => {
    expect(url(lines)).toEqual({ path: '/', ...expected })
  })
  test.each(['a++', '\\\\Ax', '(?>a)', '[[:alpha:]]', '(', '(?i:a)(?s)b', '\\\\Qa.b\\\\E'])('%s is refused, because it means something else in JavaScript', (pattern) => {
    expect(read(withVirtual('', `HTTP_GET { url { path /\n regex "${pattern}" } }`))).toMatchObject({ configuration: undefined, diagnostics: [{ severity: 'error', line: 8 }] })
  })
  test('an option that is not done is refused', () => {
    expect(said(withVirtual('', 'HTTP_GET { url { path /\n regex a\n regex_options ungreedy } }'))[0]).toContain(
      'error 9:16 The option ungreedy',
    )
  })
})

describe('what would be a lost check refuses the file', () => {
  test.each([
    ['HTTP_GET { }', 'has no url'],
    ['HTTP_GET { url { } }', 'has no path'],
    ['HTTP_GET { url { path /\n digest abc } }', 'is no MD5 digest'],
    ['MISC_CHECK { }', 'has no misc_path'],
    ['MISC_CHECK { misc_path x }', 'is no absolute path'],
    ['FILE_CHECK { track_file none }', 'There is no track_file none'],
    ['FILE_CHECK { }', 'names no track_file'],
    ['BFD_CHECK { name x }', 'BFD_CHECK needs'],
    ['TCP_CHECK { connect_ip 1.2.3 }', 'is no address'],
    ['TCP_CHECK { connect_port http }', 'is no port'],
    ['TCP_CHECK { connect_port }', 'needs a port'],
    ['IMAP_CHECK { }', 'is no block in real_server'],
    ['TCP_CHECK { connect_ip fe80::1 }', 'link-local'],
    ['UDP_CHECK { payload 0g }', 'hexadecimal'],
    ['HTTP_GET { url { path "/a b" } }', 'cannot stand in a request'],
  ])('%s', (lines, message) => {
    const { configuration, diagnostics } = read(withVirtual('', lines))
    expect(configuration).toBeUndefined()
    expect(
      diagnostics
        .filter(({ severity }) => severity === 'error')
        .map((one) => one.message)
        .join(),
    ).toContain(message)
  })
})

describe('ports', () => {
  test('a check goes to the port that is written, the server into the table with that of the service', () => {
    const text = withVirtual('').replace('NAT', 'DR').replace('192.0.2.11 80 {', '192.0.2.11 8080 {\nTCP_CHECK { }')
    expect(destination(text)).toMatchObject({ port: 80, checks: [{ type: 'tcp', port: 8080 }] })
    expect(said(text)).toEqual([expect.stringContaining('8080 is not the service\'s port')])
  })
  test('without a port, a check goes to the service\'s, and that is told', () => {
    const text = withVirtual('').replace('192.0.2.11 80 {', '192.0.2.11 {\nTCP_CHECK { }')
    expect(destination(text)).toEqual({
      address: '192.0.2.11',
      port: 80,
      forward: 'nat',
      weight: 1,
      checks: [{ type: 'tcp', interval: 60, timeout: 5, failures: 2, successes: 1, retryInterval: 1 }],
    })
    expect(said(text)).toEqual([expect.stringContaining('TCP_CHECK has no port of its own. It goes to 80')])
  })
})

describe('services', () => {
  test('a sorry server that is one of the real servers is inhibited as that one is', () => {
    const whenIdle = (own: string, ofServer: string): unknown =>
      service(withVirtual(`sorry_server 192.0.2.11 80\n${own}`, ofServer)).fallback!.whenIdle
    expect(whenIdle('sorry_server_inhibit', '')).toBeUndefined()
    expect(whenIdle('', 'inhibit_on_failure')).toBe('zero')
    expect(whenIdle('inhibit_on_failure', '')).toBe('zero')
  })

  test('quorum, sorry server and programs', () => {
    const text = withVirtual(
      'quorum 5\nhysteresis 9\nalpha\nomega\nha_suspend\ninhibit_on_failure\nsorry_server 192.0.2.99 81\nsorry_server_inhibit\nquorum_up /bin/up\nquorum_down "/bin/down x"',
      'weight 7\nalpha no\ninhibit_on_failure no\nnotify_down /bin/d',
    )
    expect(service(text)).toMatchObject({
      quorum: 5,
      hysteresis: 4,
      startDown: true,
      notifyAtEnd: true,
      onlyWhileHeld: true,
      whenDown: 'zero',
      fallback: { address: '192.0.2.99', port: 81, forward: 'nat', weight: 1, whenIdle: 'zero' },
      onQuorumReached: { command: ['/bin/up'] },
      onQuorumLost: { command: ['/bin/down', 'x'] },
      destinations: [{ startDown: false, whenDown: 'remove', onDown: { command: ['/bin/d'] } }],
    })
    expect(said(withVirtual('quorum 5'))).toEqual([expect.stringContaining('A quorum of 5 is more than the weights of all servers')])
  })

  test('the services of a group have the same name', () => {
    const text = `virtual_server_group g { 192.0.2.1-2 80\n fwmark 7 }\n${withVirtual('').replace('192.0.2.1 80 {', 'group g {')}`
    expect(read(text).configuration!.services).toMatchObject([
      { address: '192.0.2.1', group: '[g]:0' },
      { address: '192.0.2.2', group: '[g]:0' },
      { fwmark: 7, family: 4, group: '[g]:0' },
    ])
    expect(read(withVirtual('').replace('192.0.2.1 80 {', 'group g {'))).toMatchObject({
      configuration: undefined,
      diagnostics: [{ line: 1, message: expect.stringContaining('There is no virtual_server_group g') as string }],
    })
  })

  test.each(['10.0.0.5-3 80', '10.0.0.1/24 80', '10.0.0.0/8 80', '10.0.0.256 80', '10.0.0.1-2001:db8::1 80', 'fwmark 0', '10.0.0.1 x'])('a group of %s is refused', (entry) => {
    expect(read(`virtual_server_group g { ${entry} }`)).toMatchObject({ configuration: undefined, diagnostics: [{ severity: 'error' }] })
  })

  test.each(['virtual_server', 'virtual_server 10.0.0.01 80', 'virtual_server [::1] 80', 'virtual_server 10.0.0.1 http', 'virtual_server fwmark', 'virtual_server fwmark 0', 'virtual_server group'])('%s is refused, block and all', (head) => {
    const { configuration, diagnostics } = read(`${head} {\nreal_server 10.0.0.2 80 {\nTCP_CHECK { }\n}\n}\n`)
    expect(configuration).toBeUndefined()
    expect(diagnostics).toMatchObject([{ severity: 'error', line: 1 }])
  })

  test('timeouts and sync daemons', () => {
    expect(
      read('global_defs { lvs_timeouts tcp 7 udp 9\nlvs_sync_daemon eth0 id 3 maxlen 1000 port 8 ttl 2 group 224.0.0.9 }').configuration,
    ).toEqual({
      services: [],
      timeouts: { tcp: 7, udp: 9 },
      daemons: [
        { role: 'master', interface: 'eth0', syncId: 3, maxLength: 1000, port: 8, ttl: 2, group: '224.0.0.9' },
        { role: 'backup', interface: 'eth0', syncId: 3, maxLength: 1000, port: 8, ttl: 2, group: '224.0.0.9' },
      ],
    })
    expect(read('global_defs { lvs_sync_daemon eth0 VI_1 5 }')).toMatchObject({
      configuration: { services: [] },
      vrrp: { syncDaemon: { interface: 'eth0', instance: 'VI_1', by: 'vrrp', syncId: 5 } },
    })
  })
})

test('of VRRP a director is told who holds which address, and where it is told', () => {
  const { vrrp, diagnostics } = read(`global_defs {
  notify_fifo /run/all
  vrrp_notify_fifo /run/vrrp
}
vrrp_script check { script "/bin/x" { } }
vrrp_sync_group G { group { VI_1
 VI_2 }
 notify_master "/bin/m a" root }
vrrp_instance VI_1 {
  state MASTER
  interface eth0
  virtual_router_id 51
  authentication { auth_type PASS }
  track_script { check }
  virtual_ipaddress { 192.0.2.142/24 dev eth1
    2001:DB8::1 }
  virtual_ipaddress_excluded { 192.0.2.143 }
  notify /bin/n
}
track_file t { file /run/t }
virtual_server 192.0.2.142 80 { }
`)
  expect(vrrp).toEqual({
    instances: [
      {
        name: 'VI_1',
        interface: 'eth0',
        virtualRouterId: 51,
        priority: 100,
        addresses: [
          { address: '192.0.2.142', prefixLength: 24, interface: 'eth1' },
          { address: '2001:db8::1', prefixLength: 128 },
          { address: '192.0.2.143', prefixLength: 32 },
        ],
        programs: [{ keyword: 'notify', command: ['/bin/n'] }],
      },
    ],
    groups: [{ name: 'G', instances: ['VI_1', 'VI_2'], programs: [{ keyword: 'notify_master', command: ['/bin/m', 'a'], user: 'root' }] }],
    fifos: { all: '/run/all', vrrp: '/run/vrrp' },
    trackFiles: [{ name: 't', file: '/run/t', weight: 0 }],
  })
  expect(diagnostics).toMatchObject([{ message: expect.stringContaining('has no real_server') as string }])
})

test('what is not done is told with what to use instead', () => {
  const text =
    'global_defs {\nnotification_email {\na@b\n}\nsmtp_server 192.0.2.9\nlvs_flush\nlvs_flush_on_stop\nnftables_ipvs\nenable_snmp_checker\nlvs_notify_fifo /run/f\n}\nnet_namespace x\n'
  expect(read(text).diagnostics.map(({ severity, line, advice }) => [severity, line, advice])).toEqual([
    ['note', 2, expect.stringContaining('notify_down')],
    ['warning', 6, expect.stringContaining('--prune')],
    ['warning', 7, expect.stringContaining('--remove-on-exit')],
    ['warning', 8, expect.stringContaining('fwmark')],
    ['note', 9, expect.stringContaining('--listen')],
    ['warning', 10, expect.stringContaining('events')],
    ['warning', 12, expect.stringContaining('--netns x')],
  ])
})
