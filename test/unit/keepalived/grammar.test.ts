import { describe, expect, test } from 'vitest'
import { parseKeepalived, type IncludedFile } from 'ipvs/keepalived'
import { destination, read, said, service, services, withVirtual } from './support/read.js'

const weight = (line: string): number | undefined => destination(withVirtual('', line)).weight

describe('from bytes to words', () => {
  test.each([
    ['weight 5#c', 5], ['weight 5!c', 5], ['weight 5 # "', 5], ['weight "5"', 5], ['weight\t5\r', 5], ['weight +5', 5], ['weight 010', 10],
  ])('%j', (line, expected) => {
    expect(weight(line)).toBe(expected)
    expect(said(withVirtual('', line))).toEqual([])
  })

  test.each([
    ['weight 5\\', 5, "'5\\' is no number; read as 5"],
    ['weight 2.5', 2, "'2.5' is no number; read as 2"],
    ['weight 0x10', 0, "'0x10' is no number; read as 0"],
    ['weight -1', 1, "'-1' is negative, so the line has no effect"],
    ['weight 2147483648', 1, '2147483648 is out of range'],
    ['weight 5 kg', 5, "'kg' is not looked at"],
    ['weight "5', 5, 'This quote has no end'],
    ['Weight 5', 1, "'Weight' is no keyword in real_server"],
    ['\u00a0weight 5', 1, 'is no keyword in real_server'],
  ])('%j is read as %d, and told', (line, expected, message) => {
    expect(weight(line)).toBe(expected)
    const told = said(withVirtual('', line))
    expect(told).toHaveLength(1)
    expect(told[0]).toContain(message)
  })

  test('a quote that touches text begins another word; what is escaped is no comment', () => {
    const check = 'HTTP_GET { virtualhost "a\\#b"\nurl { path /x\\#y } }'
    expect(destination(withVirtual('', check)).checks![0]).toMatchObject({ urls: [{ path: '/x#y', host: 'a\\#b' }] })
  })

  test('a program is split as keepalived does it: both quotes, escapes, and once more inside', () => {
    const up = (line: string): unknown => destination(withVirtual('', line)).onUp
    expect(up('notify_up "/bin/sh -c \'a b\'"')).toEqual({ command: ['/bin/sh', '-c', 'a b'] })
    expect(up('notify_up "/bin/a \\x41\\101 \\"q r\\"" nobody nogroup')).toEqual({
      command: ['/bin/a', 'AA', 'q r'],
      user: 'nobody',
      group: 'nogroup',
    })
    expect(up('notify_up /bin/a nobody')).toEqual({ command: ['/bin/a'], user: 'nobody' })
    expect(said(withVirtual('', 'notify_up /bin/a /var/x'))[0]).toContain('is taken for the user')
    expect(said(withVirtual('', 'notify_up a'))[0]).toContain('error 7:15 \'a\' is no absolute path')
    expect(said(withVirtual('', 'notify_up \'/bin/a'))[0]).toContain('nothing that ends it')
  })

  test('lines without an end, with CRLF, empty', () => {
    expect(services(withVirtual('').trimEnd().replaceAll('\n', '\r\n'))).toHaveLength(1)
    expect(read('')).toMatchObject({ configuration: { services: [] }, diagnostics: [] })
  })

  test('a NUL and a line that is too long are told', () => {
    expect(said(`# ${'x'.repeat(2000)}\nglobal_defs\0 {\n`)).toEqual([expect.stringContaining('warning 1:1 The line is longer than 1023 bytes'), expect.stringContaining('warning 2:12 A NUL')])
  })
})

describe('times', () => {
  const interval = (line: string): unknown => destination(withVirtual(line, 'TCP_CHECK { }')).checks![0]
  test.each([['delay_loop 1', 1], ['delay_loop .5', 0.5], ['delay_loop 2.', 2], ['delay_loop 1.0000004', 1], ['delay_loop 1s', 60], ['delay_loop 3,5', 60], ['delay_loop 0', 60], ['delay_loop 0.000001', 0.001]])('%s', (line, expected) => {
    expect(interval(line)).toMatchObject({ interval: expected })
  })
})

describe('braces', () => {
  test('on one line, on the next, glued, or around nothing', () => {
    const text =
      'virtual_server 192.0.2.1 80{lb_algo rr\nlb_kind NAT\nprotocol TCP\nreal_server 192.0.2.11 80\n{ HTTP_GET { url { path / } connect_timeout 3 } TCP_CHECK {} }\n}'
    expect(said(text)).toEqual([])
    expect(destination(text).checks).toMatchObject([{ type: 'http', timeout: 3 }, { type: 'tcp' }])
  })

  test('too many and too few', () => {
    expect(said(`${withVirtual('')}}`)).toEqual([expect.stringContaining('warning 10:1 This } closes nothing')])
    expect(said(withVirtual('').replace(/\}\n$/, ''))).toEqual([expect.stringContaining('warning 8:4 A } is missing at the end')])
    expect(services(withVirtual('').replace(/\}\n$/, ''))).toHaveLength(1)
    expect(said(withVirtual('', '{ weight 5'))[0]).toContain('warning 7:5 This { opens nothing')
  })

  test('a check without a block is a check', () => {
    expect(destination(withVirtual('', 'TCP_CHECK')).checks).toMatchObject([{ type: 'tcp' }])
    expect(said(withVirtual('', 'TCP_CHECK'))).toEqual([expect.stringContaining('TCP_CHECK has no block')])
    expect(destination(withVirtual('', 'TCP_CHECK\nconnect_port 8080\n}')).checks).toMatchObject([{ type: 'tcp', port: 8080 }])
  })

  test('a block that is not known refuses the file in a real_server, and is passed over elsewhere', () => {
    expect(read(withVirtual('', 'HTTP_CHECK { path / }'))).toMatchObject({
      configuration: undefined,
      diagnostics: [{ severity: 'error', line: 7, column: 5 }],
    })
    expect(read(withVirtual('', 'TCP_CHECK { connect { } }')).configuration).toBeUndefined()
    const elsewhere = read(withVirtual('HTTP_CHECK { real_server 192.0.2.12 80 { } }'))
    expect(elsewhere.configuration!.services[0].destinations).toHaveLength(1)
    expect(elsewhere.diagnostics).toMatchObject([
      { severity: 'warning', line: 5, column: 3, advice: expect.stringContaining('into each real_server') as string },
    ])
  })

  test('a server inside another one is where a } is missing', () => {
    const [told] = read(withVirtual('real_server 192.0.2.12 80 {\nTCP_CHECK { }')).diagnostics
    expect(told).toMatchObject({
      severity: 'error',
      line: 7,
      message: expect.stringContaining('a block before it has not ended') as string,
      advice: expect.stringContaining('Write the missing }') as string,
    })
  })

  test('a check behind another keyword on its line refuses the file', () => {
    const { configuration, diagnostics } = read(withVirtual('', 'weight 3 MISC_CHECK { misc_path /bin/true }'))
    expect(configuration).toBeUndefined()
    expect(diagnostics.find(({ severity }) => severity === 'error')).toMatchObject({
      line: 7,
      column: 14,
      message: expect.stringContaining('MISC_CHECK stands behind weight on its line') as string,
      advice: 'Write it on a line of its own',
    })
    expect(read(withVirtual('', 'weight 3 MISC_CHECK')).configuration).toBeDefined()
  })

  test('a virtual server is told that is lost in a vrrp_instance, where a } is missing', () => {
    expect(read(`vrrp_instance VI_1 {\n  interface eth0\n${withVirtual('')}`).diagnostics).toMatchObject([
      { severity: 'warning', line: 3, column: 1, message: expect.stringContaining('virtual_server stands in vrrp_instance: a block before it has not ended') as string },
      { line: 11, message: expect.stringContaining('A } is missing at the end') as string },
    ])
  })

  test('a server outside of every block is told, where a } is too many', () => {
    const told = said(withVirtual('', '} }\nreal_server 192.0.2.12 80 {'))
    expect(told[0]).toContain('warning 8:1 real_server stands outside of every block: a block before it ended too early')
  })

  test('a check that lost its server refuses the file', () => {
    expect(read(withVirtual('TCP_CHECK { }'))).toMatchObject({ configuration: undefined, diagnostics: [{ severity: 'error', line: 5 }] })
    expect(read('TCP_CHECK { }').configuration).toBeUndefined()
    expect(read(withVirtual('', '} real_server 192.0.2.12 80 {')).configuration!.services[0].destinations).toHaveLength(2)
  })
})

describe('definitions', () => {
  test.each([
    ['$A=7', 'weight $A', 7],
    ['$A=', 'weight $A 3', 3],
    ['$A=weight', '$A 7', 7],
    ['$A=1\n$A=2', 'weight $A', 2],
    ['$B=3\n$A=${B}4', 'weight ${A}', 34],
    ['$A=5 # c', 'weight $A', 5],
    ['$A=5\n$B="${A}"', 'weight $B', 5],
  ])('%j, %j', (definition, line, expected) => {
    expect(destination(`${definition}\n${withVirtual('', line)}`).weight).toBe(expected)
  })

  test('several lines', () => {
    expect(destination(`$CHECK=TCP_CHECK { \\\n  connect_port 81 \\\n }\n${withVirtual('', '$CHECK')}`).checks).toMatchObject([{ type: 'tcp', port: 81 }])
  })

  test('a definition inside another one, each of several lines', () => {
    const text = `$IN= \\\n connect_port 81 \\\n retry 4\n$OUT= TCP_CHECK { \\\n $IN \\\n }\n${withVirtual('', '$OUT')}`
    expect(destination(text).checks).toMatchObject([{ type: 'tcp', port: 81, failures: 5 }])
  })

  test('what is not defined stays, and is told; what never ends is an error', () => {
    expect(said(withVirtual('', 'weight $NONE'))[0]).toContain('warning 7:12 $NONE is not defined')
    expect(said('$A=x$A y\n$A\n')).toEqual([expect.stringContaining('error 2:1 The definitions in this line never come to an end')])
  })

  test('the built-in ones', () => {
    const up = (word: string): unknown => parseKeepalived(withVirtual('', `notify_up "/bin/x ${word}"`), { file: '/etc/keepalived/k.conf', id: 'lab', instance: 'one', environment: { HOME: '/root' } }).configuration!.services[0].destinations![0].onUp
    expect(up('${_PWD}')).toEqual({ command: ['/bin/x', '/etc/keepalived'] })
    expect(up('${_INSTANCE}')).toEqual({ command: ['/bin/x', 'one'] })
    expect(up('${_ENV HOME}')).toEqual({ command: ['/bin/x', '/root'] })
    expect(destination(withVirtual('', 'weight 5${_HASH} comment')).weight).toBe(5)
    expect(destination(withVirtual('', 'weight ${_RANDOM 3 3}')).weight).toBe(3)
  })
})

describe('conditional lines', () => {
  test.each([['@lab weight 5', 5], ['@other weight 5', 1], ['@^lab weight 5', 1], ['@^other weight 5', 5], ['@lab', 1]])('%s', (line, expected) => {
    expect(destination(withVirtual('', line)).weight).toBe(expected)
  })
  test('without an id it is said how they are read', () => {
    expect(said(withVirtual('', '@lab weight 5'), { id: undefined })[0]).toContain('No id was given')
  })
})

describe('sequences', () => {
  test.each([
    ['~SEQ(i, 3)', ['1', '2', '3']],
    ['~SEQ(i, 2, 4)', ['2', '3', '4']],
    ['~SEQ(i, 1, 2, 5)', ['1', '3', '5']],
    ['~SEQx(i, 9, 11)', ['9', 'a', 'b']],
    ['~SEQ(i, 3, 1)', ['3', '2', '1']],
    ['~LST(i, a, b)', ['a', 'b']],
    ['~LST({i, j}, {1, 2}, {3, 4})', ['1', '3']],
  ])('%s', (sequence, expected) => {
    const text = withVirtual(`${sequence} real_server 2001:db8::\${i} 80 { lvs_method TUN }`)
    expect(
      service(text)
        .destinations!.map(({ address }) => address)
        .filter((address) => address.includes(':')),
    ).toEqual(expected.map((last) => `2001:db8::${last}`))
  })
  test('one inside another', () => {
    expect(
      service(withVirtual('~SEQ(i, 2) ~SEQ(j, 2) real_server 192.0.2.${i}${j} 80 { }')).destinations!.map(({ address }) => address),
    ).toEqual(['192.0.2.11', '192.0.2.12', '192.0.2.21', '192.0.2.22'])
  })
  test.each(['~SEQ(i, 1, -1, 5) x', '~SEQ(i) x', '~LST({a,b},{1}) x', '~SEQ(i, x) y'])('%s is an error', (line) => {
    expect(read(line)).toMatchObject({ configuration: undefined, diagnostics: [{ severity: 'error' }] })
  })
  test('one that is far too long is ended', () => {
    expect(said('~SEQ(i, 1000000000) @x y')).toEqual([expect.stringContaining('More than 100,000 lines')])
  })
})

describe('include', () => {
  const files: Record<string, IncludedFile[]> = {
    'servers/*.conf': [
      { file: 'servers/a.conf', text: 'real_server 192.0.2.21 80 {\n}\n' },
      { file: 'servers/b.conf', text: 'real_server 192.0.2.22 80 {\nweigth 5\n}\ninclude c.conf\n' },
    ],
    'c.conf': [{ file: 'servers/c.conf', text: 'real_server 192.0.2.23 80 { }' }],
    'self.conf': [{ file: 'self.conf', text: 'include self.conf' }],
    'locked.conf': [{ file: 'locked.conf', problem: 'EACCES' }],
  }
  const asked: string[] = []
  const include = (pattern: string, from: string): IncludedFile[] => {
    asked.push(`${pattern} from ${from}`)
    return files[pattern] ?? []
  }

  test('files stand where the line stood, one after another, and one inside another', () => {
    const { configuration, diagnostics } = read(withVirtual('include servers/*.conf'), { include })
    expect(configuration!.services[0].destinations!.map(({ address }) => address)).toEqual([
      '192.0.2.21',
      '192.0.2.22',
      '192.0.2.23',
      '192.0.2.11',
    ])
    expect(diagnostics).toMatchObject([{ file: 'servers/b.conf', line: 2, column: 1, advice: 'Write weight, if that is meant' }])
    expect(asked).toEqual(['servers/*.conf from k', 'c.conf from servers/b.conf'])
  })

  test.each([
    ['include none.conf', 'warning'],
    ['includem none.conf', 'error'],
    ['includew none*.conf', 'error'],
    ['includew none.conf', 'warning'],
    ['includea none.conf', 'error'],
    ['include self.conf', 'error'],
    ['include locked.conf', 'error'],
    ['includez x', 'warning'],
    ['global_defs { include_check match }\ninclude none.conf', 'error'],
  ])('%s: %s', (text, severity) => {
    expect(read(text, { include }).diagnostics).toMatchObject([{ severity }])
  })

  test('a caller that cannot include is told', () => {
    expect(said('include x')).toEqual([expect.stringContaining('error 1:9 Files cannot be included here')])
  })
})
