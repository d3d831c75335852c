import { describe, expect, test } from 'vitest'
import { RulesError, parseCommands } from 'ipvs/rules'

/** The one operation that a line stands for, without its place. */
function read(line: string): object {
  const [operation] = parseCommands(line)
  return { ...operation, line: undefined, column: undefined }
}

const web = { protocol: 'tcp', address: '10.0.0.1', port: 80 }
const service = { ...web, scheduler: 'wlc', schedulerFlags: [], onePacket: false, persistence: null, persistenceEngine: null }
const destination = { address: '10.0.0.2', port: 80, forward: 'dr', weight: 1, upperThreshold: 0, lowerThreshold: 0, tunnel: null }

describe('a command becomes an operation', () => {
  test.each([
    ['-A -t 10.0.0.1:80', { type: 'addService', service }],
    ['--add-service --tcp-service=10.0.0.1:80 --scheduler rr', { type: 'addService', service: { ...service, scheduler: 'rr' } }],
    ['-At 10.0.0.1:80 -srr', { type: 'addService', service: { ...service, scheduler: 'rr' } }],
    ['-A -o -u 10.0.0.1:53', { type: 'addService', service: { ...service, protocol: 'udp', port: 53, onePacket: true } }],
    [
      '-E -s sh -b sh-port,flag-1 --sctp-service 10.0.0.1:80',
      { type: 'updateService', service: { ...service, protocol: 'sctp', scheduler: 'sh', schedulerFlags: ['sh-fallback', 'sh-port'] } },
    ],
    [
      '-A -f 7 -6 -p 60 -M 64 --pe sip',
      {
        type: 'addService',
        service: {
          ...service,
          protocol: undefined,
          address: undefined,
          port: undefined,
          fwmark: 7,
          family: 6,
          persistence: { timeout: 60, prefixLength: 64 },
          persistenceEngine: 'sip',
        },
      },
    ],
    ['-D -t 10.0.0.1:80', { type: 'removeService', service: web }],
    ['-a -t 10.0.0.1:80 -r 10.0.0.2', { type: 'addDestination', service: web, destination }],
    ['-a -t 10.0.0.1:80 -r 10.0.0.2:8080 -g -w 5', { type: 'addDestination', service: web, destination: { ...destination, weight: 5 } }],
    [
      '-e -t 10.0.0.1:80 -r 10.0.0.2:8080 -m -x 9 -y 4',
      {
        type: 'updateDestination',
        service: web,
        destination: { ...destination, port: 8080, forward: 'nat', upperThreshold: 9, lowerThreshold: 4 },
      },
    ],
    [
      '-a -t 10.0.0.1:80 -r [2001:db8::2]:80 -i --tun-type gue --tun-port 6080 --tun-remcsum',
      {
        type: 'addDestination',
        service: web,
        destination: { ...destination, address: '2001:db8::2', forward: 'tun', tunnel: { type: 'gue', port: 6080, checksum: 'remcsum' } },
      },
    ],
    ['-d -t 10.0.0.1:80 -r 10.0.0.2:8080', { type: 'removeDestination', service: web, destination: { address: '10.0.0.2', port: 8080 } }],
    ['-C', { type: 'flush' }],
    ['-Z', { type: 'zero' }],
    ['-Z -t 10.0.0.1:80', { type: 'zero', service: web }],
    ['--set 900 0 300', { type: 'setTimeouts', timeouts: { tcp: 900, tcpFin: 0, udp: 300 } }],
    [
      '--start-daemon master --syncid 4 --mcast-group ff02::1',
      { type: 'startDaemon', daemon: { role: 'master', interface: 'eth0', syncId: 4, group: 'ff02::1' } },
    ],
    ['--stop-daemon=backup', { type: 'stopDaemon', daemon: { role: 'backup', syncId: 0 } }],
  ])('%s', (line, operation) => {
    expect(read(line)).toEqual(operation)
  })

  test('persistence without a value lasts 360 seconds, as in the program, not as in its manual', () => {
    expect(read('-A -t 10.0.0.1:80 -p')).toMatchObject({ service: { persistence: { timeout: 360, prefixLength: 32 } } })
    expect(read('-A -p -t 10.0.0.1:80')).toMatchObject({ service: { persistence: { timeout: 360 } } })
    expect(read('-A -p 90 -t 10.0.0.1:80')).toMatchObject({ service: { persistence: { timeout: 90 } } })
  })

  test('a netmask may have gaps', () => {
    expect(read('-A -t 10.0.0.1:80 -p -M 255.255.255.0')).toMatchObject({ service: { persistence: { prefixLength: 24 } } })
    expect(read('-A -t 10.0.0.1:80 -p -M 255.0.255.0')).toMatchObject({ service: { persistence: { netmask: '255.0.255.0' } } })
    expect(read('-A -t 10.0.0.1:80 -p -M 24')).toMatchObject({ service: { persistence: { netmask: '0.0.0.24' } } })
  })

  test('a destination takes the port of the service that came before it, not of one that comes after', () => {
    expect(read('-a -t 10.0.0.1:80 -r 10.0.0.2 -m')).toMatchObject({ destination: { port: 80 } })
    expect(read('-a -r 10.0.0.2 -t 10.0.0.1:80 -m')).toMatchObject({ destination: { port: 0 } })
    expect(read('-a -r 10.0.0.2 -t 10.0.0.1:80')).toMatchObject({ destination: { port: 80 } })
  })

  test.each([
    ['10.0.0.1:80', '10.0.0.1', 80],
    ['10.1:80', '10.0.0.1', 80],
    ['0x0a000001:80', '10.0.0.1', 80],
    ['012.0.0.1:+80', '10.0.0.1', 80],
    ['[2001:DB8:0:0::1]:443', '2001:db8::1', 443],
    ['web.example:http', 'web.example', 'http'],
  ])('an address may be spelled %s', (text, address, port) => {
    expect(read(`-D -t ${text}`)).toMatchObject({ service: { address, port } })
  })

  test('port -0 is port 0', () => {
    expect(read('-D -t 10.0.0.1:-0')).toMatchObject({ service: { port: 0 } })
    expect(read('-d -f 1 -r 10.0.0.1:-0')).toMatchObject({ destination: { port: 0 } })
  })

  test('an IPv6 address without brackets has no port', () => {
    expect(read('-D -t 2001:db8::1')).toMatchObject({ service: { address: '2001:db8::1', port: 0 } })
    expect(read('-D -t 2001:db8::1:80')).toMatchObject({ service: { address: '2001:db8::1:80', port: 0 } })
  })
})

describe('a mistake is reported with its place and what was expected', () => {
  test.each([
    ['-A -t 10.0.0.1:80 -w 1', 19, /'add-service' command/, /-t, -u/, 2],
    ['-A', 1, /service-address/, /-t, -u, --sctp-service, -f/, 2],
    ['-a -t 10.0.0.1:80', 1, /real-server/, /-r/, 2],
    ['-A -t 10.0.0.1:80 -t 10.0.0.2:80', 19, /second 'service-address'/, /one/, 2],
    ['-A -D -t 10.0.0.1:80', 4, /second command/, /one command/, 2],
    ['-t 10.0.0.1:80 -A', 1, /-t comes before the command/, /first/, 255],
    ['foo', 1, /'foo' is no command/, /-A/, 255],
    ['-C foo', 4, /'foo'/, /end of the line/, 2],
    ['-A -t 10.0.0.1:80 --wieght 4', 19, /--wieght/, /options/, 255],
    ['-A -t 10.0.0.1:80 -s', 19, /-s/, /value/, 255],
    ['-L --numeric=3', 14, /--numeric has a value/, /no value/, 255],
    ['-A -t 10.0.0.1', 4, /port 0/, /-p/, 2],
    ['-A -t fe80::1:80', 4, /port 0/, /IPv6 as \[ADDRESS\]:PORT/, 2],
    ['-A 10.0.0.1:80', 4, /unexpected word '10\.0\.0\.1:80'/, /an option before it \(-t, -u, -f/, 2],
    ['-A -t 10.0.0.1:65536', 7, /10.0.0.1:65536/, /port from 0 to 65535/, 2],
    ['-A -t 10.0.0.1:80:90', 7, /10.0.0.1:80:90/, /ADDRESS/, 2],
    ['-A -t [::1]', 7, /\[::1\]/, /\[ADDRESS\]:PORT/, 2],
    ['-A -t [::1%lo]:80', 7, /%lo/, /ADDRESS/, 2],
    ['-A -t 80', 7, /80/, /ADDRESS/, 2],
    ['-A -f 0', 7, /0/, /1 to 4294967295/, 2],
    ['-A -6 -f 1', 4, /-6/, /-f MARK -6/, 2],
    ['-A -t 10.0.0.1:80 -o', 19, /one-packet/, /-u/, 2],
    ['-A -t 10.0.0.1:80 -p 2678401', 22, /2678401/, /1 to 2678400/, 2],
    ['-A -t [::1]:80 -p -M 129', 22, /129/, /1 to 128/, 2],
    ['-A -t 10.0.0.1:80 -b sh-port', 22, /sh-port/, /-s sh/, 2],
    ['-A -t 10.0.0.1:80 -b fast', 22, /fast/, /flag-1/, 2],
    ['-a -t 10.0.0.1:80 -r 10.0.0.2 -w 65536', 34, /65536/, /0 to 65535/, 2],
    ['-a -t 10.0.0.1:80 -r 10.0.0.2 -w 1.5', 34, /1.5/, /0 to 65535/, 2],
    ['-a -t 10.0.0.1:80 -r [::2]:80 -m', 19, /family/, /-i/, 2],
    ['-a -t 10.0.0.1:80 -r 10.0.0.2 --tun-type gue', 31, /--tun-type/, /-i/, 2],
    ['-a -t 10.0.0.1:80 -r 10.0.0.2 -i --tun-type gue', 1, /tun-port/, /--tun-port/, 2],
    ['-a -t 10.0.0.1:80 -r 10.0.0.2 -i --tun-type gre --tun-csum --tun-nocsum', 49, /conflicts/, /one of the two/, 2],
    ['-a -t 10.0.0.1:80 -r 10.0.0.2 --local', 31, /--local/, /options/, 255],
    ['-a -r 10.0.0.2:http -t 10.0.0.1:80', 7, /http/, /after the service/, 2],
    ['--set 1 2', 1, /2 timeouts/, /three/, 2],
    ['--set 1 2 -3', 11, /-3/, /options/, 255],
    ['--set 1 2 3x', 11, /3x/, /0 to 2678400/, 2],
    ['-Cn', 3, /-n/, /other options: none/, 2],
    ['-An -t 10.0.0.1:80', 3, /-n with the 'add-service'/, /-t/, 2],
    ['--start-daemon both', 16, /both/, /master or backup/, 2],
    ['--start-daemon master --mcast-group 10.0.0.1', 37, /10.0.0.1/, /multicast/, 2],
    ['--start-daemon master --sync-maxlen 65508', 37, /65508/, /1 to 65507/, 2],
    ['-L -n', 1, /list/, /change the table/, 2],
    ['-R', 1, /restore/, /change the table/, 255],
  ])('%s', (line, column, problem, expected, exitStatus) => {
    let error: unknown
    try {
      parseCommands(`-C\n${line}\n`)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(RulesError)
    const { problem: told, expected: wanted } = error as RulesError
    expect(error).toMatchObject({ line: 2, column, exitStatus, code: 'ERR_IPVS_RULES' })
    expect(told).toMatch(problem)
    expect(wanted).toMatch(expected)
    expect((error as RulesError).message).toBe(`line 2, column ${column}: ${told}; expected ${wanted}`)
  })

  test('all lines with mistakes are reported at once', () => {
    try {
      parseCommands('-A -t x:y:z\n-C\n-Q\n')
      expect.unreachable()
    } catch (error) {
      expect((error as RulesError).errors.map(({ line }) => line)).toEqual([1, 3])
    }
  })
})

describe('a text is read as ipvsadm -R reads it', () => {
  test('lines, columns, comments, white space and the word ipvsadm', () => {
    const text =
      '# saved\n\n  ipvsadm -C  \r\n-A\t-t 10.0.0.1:80\n#ipvs: -a -t 10.0.0.1:80 -r 10.0.0.2 --local -w 70000\n--stop-daemon master'
    expect(parseCommands(text).map(({ type, line, column }) => [type, line, column])).toEqual([
      ['flush', 3, 11], ['addService', 4, 1], ['addDestination', 5, 8], ['stopDaemon', 6, 1],
    ])
  })

  test('a byte-order mark is skipped, once and only at the beginning', () => {
    expect(parseCommands('\ufeff-C\n-Z')).toMatchObject([{ type: 'flush', line: 1, column: 1 }, { type: 'zero', line: 2, column: 1 }])
    expect(() => parseCommands('\ufeff-D -t x:y:z')).toThrow(/line 1, column 7/)
    expect(() => parseCommands('\ufeff\ufeff-C')).toThrow(RulesError)
    expect(() => parseCommands('-C\n\ufeff-C')).toThrow(/line 2/)
  })

  test('names can be kept, or refused with their place', () => {
    expect(parseCommands('-D -t web:http')).toMatchObject([{ service: { address: 'web', port: 'http' } }])
    expect(() => parseCommands('-D -t web:http', { names: 'refuse' })).toThrow(
      /line 1, column 7: 'web' is the name of a host; expected a number, or resolveNames before/,
    )
  })

  test.each(['\0', '-A -t \0:80', '-'.repeat(10_000), `-A -t ${'9'.repeat(100_000)}`, '-A -t [[::1]]:80', '-p'.repeat(5000), '\u{1F4A9} -A', '-A -t \u{1F4A9}:80', '--=', '---', '--add-service=', '-=', 'constructor', '--__proto__ x', '--constructor'])('hostile text %# is refused', (text) => {
    expect(() => parseCommands(text)).toThrow(RulesError)
  })
})
