import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Ended } from '../../scripts/setup/run.js'
import { Namespace } from '../../scripts/network/namespace.js'

/** A service of `--json`, as far as its place goes. */
interface Listed { address: string, port: number, destinations: Omit<Listed, 'destinations'>[] }

const command = fileURLToPath(new URL('../../dist/bin/ipvs.cjs', import.meta.url))

/**
 * Command lines from runbooks and courses. The command `ipvs` and ipvsadm get them one after the other, each in a namespace of its own.
 * Their output, their exit status and the table afterwards must be the same.
 */
const lines: readonly (string | { line: string, input: string })[] = [
  '',
  '-L -n',
  '-Ln --stats',
  '-A -t 207.175.44.110:80 -s rr',
  '-a -t 207.175.44.110:80 -r 192.168.10.1:80 -m',
  '-a -t 207.175.44.110:80 -r 192.168.10.2 -m -w 3',
  '-a -t 207.175.44.110:80 -r 192.168.10.3:8080 -m -x 100 -y 50',
  '-A -u 207.175.44.110:53 -s sed --ops',
  '-a -u 207.175.44.110:53 -r 192.168.10.1 -g',
  '--add-service --tcp-service 207.175.44.110:443 --scheduler wlc --persistent 600 --netmask 255.255.255.0',
  '--add-server --tcp-service 207.175.44.110:443 --real-server 192.168.10.2 --ipip --weight 2 --tun-type gue --tun-port 6080 --tun-nocsum',
  '-At 207.175.44.110:21 -p',
  '-at 207.175.44.110:21 -r 192.168.10.1 -i --tun-type=gre --tun-csum',
  '-A -f 1 -s mh -b mh-fallback,mh-port -p',
  '-a -f 1 -r 192.168.10.1:0 -g -w 100',
  '-A -f 1 -6 -s sh -b sh-port',
  '-A -t [2620:0::1]:http -s lblcr',
  '-a -t [2620:0::1]:80 -r [2620:0::2]:80 -i',
  '-A -t 207.175.44.111:0 -p 30',
  '-L',
  '-l -n --thresholds',
  '-L --persistent-conn -n',
  '-Ln --tun-info',
  '--list --numeric --rate --exact',
  '-Ln --stats --exact --sort',
  '-L -n -t 207.175.44.110:80',
  '-L -n -f 1 -6 --stats',
  '-L -t 9.9.9.9:9',
  '-S -n',
  '-S',
  '-L -c -n',
  '-Lcn --persistent-conn',
  '-L --timeout',
  '--set 3600 120 300',
  '--set 0 60 0',
  '-L --timeout',
  '--start-daemon master --mcast-interface lo --syncid 3 --mcast-group 224.0.1.81 --mcast-port 9999 --mcast-ttl 4 --sync-maxlen 1400',
  '--start-daemon master --mcast-interface lo',
  '-L --daemon',
  '--stop-daemon master --syncid 3',
  '--stop-daemon backup',
  '-E -t 207.175.44.110:80 -s wrr',
  '-e -t 207.175.44.110:80 -r 192.168.10.1 -m -w 0',
  '-Z -t 207.175.44.110:80',
  '-Z',
  '-d -t 207.175.44.110:80 -r 192.168.10.2:80',
  '-D -f 1 -6',
  { line: '-R', input: 'ipvsadm -A -t 1.2.3.4:25 -s lc\n\n-a -t 1.2.3.4:25 -r 4.3.2.1 -m -x 5\n--set 7 8 9\n' },
  '-A -t 207.175.44.110:80',
  '-A -t 207.175.44.112:80 -s nosuchscheduler',
  '-E -t 9.9.9.9:9 -s rr',
  '-D -t 9.9.9.9:9',
  '-Z -t 9.9.9.9:9',
  '-a -t 9.9.9.9:9 -r 192.168.10.1',
  '-a -t 207.175.44.110:80 -r 192.168.10.1 -m',
  '-e -t 207.175.44.110:80 -r 192.168.10.99 -m',
  '-d -t 207.175.44.110:80 -r 192.168.10.99',
  '-a -t 207.175.44.110:80 -r 224.0.0.1 -m',
  '-a -t 207.175.44.110:80 -r 192.168.10.7 -m -x 1 -y 2',
  '-A -t 207.175.44.110',
  '-A -t nosuchhost.invalid:80',
  '-A -t 207.175.44.110:81 -o',
  '-A -t 207.175.44.110:81 -w 3',
  '-A -A -t 207.175.44.110:81',
  '-A -t 207.175.44.110:81 -M not-a-mask',
  '-A -t 207.175.44.110:81 -p -M not-a-mask',
  '-a -t 207.175.44.110:80 -r 192.168.10.8:nosuch -g',
  '-a -t 207.175.44.110:80 -r 192.168.10.8:nosuch -m',
  '-A -t 207.175.44.113:-0',
  '-A -t 207.175.44.113:-0 -p',
  '-a -t 207.175.44.110:80 -r 192.168.10.8:-0 -m',
  '-a -t 207.175.44.110:80 -r 192.168.10.9 -y 5',
  '-A -t 207.175.44.110:81 -s sh -b ,sh-port,',
  { line: '-R', input: '-Q\n' },
  { line: '-R', input: 'foo\n' },
  { line: '-R', input: '-n\n' },
  { line: '-R', input: '-R\n' },
  { line: '-R', input: '-Q\n-A -t 1.1.1.1:x:y\n' },
  { line: '-R', input: '-A -t 1.1.1.1:x:y\n-Q\n' },
  { line: '-R', input: '-A -t 1.2.3.5:-0 -p\n-a -t 1.2.3.5:-0 -r 4.3.2.1:-0 -m\n' },
  '-t 207.175.44.110:81 -A',
  '-A -t 207.175.44.110:81 -Q',
  '-A -t 207.175.44.110:81 -s',
  '-L -c --stats',
  '-L --timeout --daemon',
  '-L --daemon --persistent-conn',
  '-S --nosort',
  'nonsense',
  '-C surplus',
  '-C',
  '-Ln',
]

describe('the command ipvs in the place of ipvsadm', () => {
  let ours: Namespace
  let theirs: Namespace

  beforeAll(async () => {
    ours = await Namespace.create('ours')
    theirs = await Namespace.create('theirs')
  })

  afterAll(async () => {
    await ours?.[Symbol.asyncDispose]()
    await theirs?.[Symbol.asyncDispose]()
  })

  const words = (line: string): string[] => line.split(' ').filter((word) => word !== '')
  const ipvs = (line: string, input?: string): Promise<Ended> => ours.run(process.execPath, [command, ...words(line)], { input })
  const ipvsadm = (line: string, input?: string): Promise<Ended> => theirs.run('ipvsadm', words(line), { input })
  const table = (namespace: Namespace): Promise<string> =>
    namespace.must('sh', ['-c', 'ipvsadm -Sn && ipvsadm -Ln --thresholds && ipvsadm -L --timeout'])

  test.each(lines.map((line) => (typeof line === 'string' ? { line, input: undefined } : line)))('ipvs $line', async ({ line, input }) => {
    const [expected, got] = await Promise.all([ipvsadm(line, input), ipvs(line, input)])
    expect({ stdout: got.stdout, status: got.status }, got.stderr).toEqual({ stdout: expected.stdout, status: expected.status })
    // Ours contain ipvsadm's sentences about refusals of the kernel, for scripts that search for them.
    if (/^[A-Z][a-z ]+\n$/.test(expected.stderr) && !expected.stderr.startsWith('Numerical'))
      expect(got.stderr).toContain(expected.stderr.trim())
    expect(await table(ours)).toBe(await table(theirs))
  })

  test('an unknown option changes nothing, and a similar one is suggested', async () => {
    const { status, stderr } = await ipvs('-A -t 207.175.44.110:81 --schedular rr')
    expect(status).toBe(255)
    expect(stderr).toContain('Did you mean --scheduler?')
    expect(await ours.must('ipvsadm', ['-Sn'])).toBe('')
  })

  test('-R names every refused line and carries out the others', async () => {
    const { status, stderr } = await ipvs(
      '-R',
      '-A -t 1.1.1.1:1\n-A -t 1.1.1.1:1\n-a -t 2.2.2.2:2 -r 3.3.3.3\n-a -t 1.1.1.1:1 -r 3.3.3.3 -y 5\n-A -t 1.1.1.2:1\n',
    )
    expect(status).toBe(255)
    expect(stderr.trim().split('\n')).toEqual([
      expect.stringMatching(/^ipvs: line 2: Service already exists/),
      expect.stringMatching(/^ipvs: line 3: Service not defined/),
      'ipvs: line 4: -y must be at most -x, which is 0. Received 5',
    ])
    expect(await ours.must('ipvsadm', ['-Sn'])).toBe('-A -t 1.1.1.1:1 -s wlc\n-A -t 1.1.1.2:1 -s wlc\n')
  })

  test('-R finds names after lines without any, and names the lines that are refused after it has looked them up', async () => {
    const { status, stderr } = await ipvs(
      '-R', '-A -t 1.1.1.5:1\n\n# a comment\n-a -t 1.1.1.5:1 -r 3.3.3.3 -m -y 5\n-a -t 1.1.1.5:1 -r localhost:http -m\n-A -t 1.1.1.5:1\n-D -t 1.1.1.5:1\n',
    )
    expect(status).toBe(255)
    expect(stderr.trim().split('\n')).toEqual([
      'ipvs: line 4: -y must be at most -x, which is 0. Received 5',
      expect.stringMatching(/^ipvs: line 6: Service already exists/),
    ])
    expect(await ours.must('ipvsadm', ['-Sn'])).not.toContain('1.1.1.5')
  })

  test('-R of more lines than travel together carries them all out', async () => {
    const rules = Array.from({ length: 9000 }, (_, n) => `-A -f ${n + 1} -s rr`)
    const refusedInBetween = rules.toSpliced(5000, 0, '-A -f 1')
    const { status, stderr } = await ipvs('-R', refusedInBetween.join('\n'))
    expect(status).toBe(255)
    expect(stderr).toMatch(/^ipvs: line 5001: Service already exists[^\n]*\n$/)
    expect((await ours.must('ipvsadm', ['-Sn'])).match(/^-A -f /gm)).toHaveLength(9000)
    expect(await ipvs('-R', rules.map((_, n) => `-D -f ${n + 1}`).join('\n'))).toEqual({ status: 0, stdout: '', stderr: '' })
  })

  test('-R with a line that cannot be read changes nothing', async () => {
    const { status, stderr } = await ipvs('-R', '-C\n-A -t 1.1.1.3:1 -w 5\n-A -t 1.1.1.4:x:y\n')
    expect(status).toBe(2)
    expect(stderr).toMatch(/line 2, column 17: .*\n.*line 3, column 7: .*\n.*nothing was changed/)
    expect(await ours.must('ipvsadm', ['-Sn'])).toContain('-A -t 1.1.1.1:1')
  })

  test('-R names the place of an unknown name', async () => {
    const { status, stderr } = await ipvs('-R', '-A -t 1.1.1.3:1\n-A -t 1.1.1.3:nosuchservice\n')
    expect(status).toBe(2)
    expect(stderr).toMatch(/line 2, column 15: service 'nosuchservice' is not known for tcp.*\n.*nothing was changed/)
    expect(await ours.must('ipvsadm', ['-Sn'])).not.toContain('1.1.1.3')
  })

  test('-R --replace makes the table what the rules describe; --dry-run says how', async () => {
    const rules = '-A -t 1.1.1.2:1 -s rr\n-a -t 1.1.1.2:1 -r 5.5.5.5 -m\n'
    const rehearsed = await ipvs('-R --replace --dry-run', rules)
    expect(rehearsed.stdout.trim().split('\n').sort()).toEqual([
      '-D -t 1.1.1.1:1',
      '-E -t 1.1.1.2:1 -s rr',
      '-a -t 1.1.1.2:1 -r 5.5.5.5:1 -m -w 1',
    ])
    expect(await ours.must('ipvsadm', ['-Sn'])).toContain('-A -t 1.1.1.1:1')
    expect((await ipvs('-R --replace', rules)).status).toBe(0)
    expect(await ours.must('ipvsadm', ['-Sn'])).toBe('-A -t 1.1.1.2:1 -s rr\n-a -t 1.1.1.2:1 -r 5.5.5.5:1 -m -w 1\n')
  })

  test('-S --full is restored by ipvsadm with nothing lost', async () => {
    await ipvs('-R', '-e -t 1.1.1.2:1 -r 5.5.5.5 -m -w 7 -x 20 -y 10\n--set 11 12 13\n')
    const { stdout } = await ipvs('-S -n --full')
    expect(stdout).toBe('-A -t 1.1.1.2:1 -s rr\n-a -t 1.1.1.2:1 -r 5.5.5.5:1 -m -w 7 -x 20 -y 10\n--set 11 12 13\n')
    await theirs.must('ipvsadm', ['-R'], { input: stdout })
    expect(await table(theirs)).toBe(await table(ours))
  })

  test('--json prints what the package lists, --netns chooses the namespace', async () => {
    const elsewhere = (line: string): Promise<Ended> => theirs.run(process.execPath, [command, ...words(line), '--netns', ours.name])
    const { services } = JSON.parse((await elsewhere('-L --json')).stdout) as { services: object[] }
    expect(services).toMatchObject([
      { address: '1.1.1.2', port: 1, scheduler: 'rr', stats: { connections: '0' }, destinations: [{ address: '5.5.5.5', weight: 7 }] },
    ])
    expect(JSON.parse((await elsewhere('-L --timeout --json')).stdout)).toEqual({ tcp: 11, tcpFin: 12, udp: 13 })
    expect(JSON.parse((await elsewhere('-L --daemon --json')).stdout)).toEqual([])
    expect(JSON.parse((await elsewhere('-L -c --json')).stdout)).toEqual([])
    expect((await elsewhere('-Sn')).stdout).toBe(await ours.must('ipvsadm', ['-Sn']))
  })

  test('without a command it lists the table, with --json and --netns too', async () => {
    expect(await ipvs('--json')).toEqual(await ipvs('-L --json'))
    const listed = await theirs.run(process.execPath, [command, '--netns', ours.name])
    expect({ stdout: listed.stdout, status: listed.status }).toEqual({ stdout: (await ours.run('ipvsadm', [])).stdout, status: 0 })
  })

  test('--json has the order of the listing, and the kernel\'s with --nosort', async () => {
    const before = await ours.must('ipvsadm', ['-Sn'])
    const services = [3, 1, 4, 15, 9, 2, 6].map((host) => `10.9.0.${host}:80`)
    await ours.must('ipvsadm', ['-R'], { input: services.flatMap((service) => [`-A -t ${service}`, `-a -t ${service} -r 10.8.0.2 -m`, `-a -t ${service} -r 10.8.0.1 -m`]).join('\n') })
    const inText = (text: string): string[] => [...text.matchAll(/(?:TCP {2}|-> )([0-9.:]+)/g)].map(([, endpoint]) => endpoint)
    const inJson = (text: string): string[] => (JSON.parse(text) as { services: Listed[] }).services.flatMap((service) => [service, ...service.destinations].map(({ address, port }) => `${address}:${port}`))
    for (const order of ['', ' --nosort']) {
      expect(inJson((await ipvs(`-L --json${order}`)).stdout)).toEqual(inText((await ipvs(`-Ln${order}`)).stdout))
    }
    const one = (JSON.parse((await ipvs('-L -t 10.9.0.15:80 --json')).stdout) as Listed).destinations
    expect(one.map(({ address }) => address)).toEqual(['10.8.0.1', '10.8.0.2'])
    await ours.must('ipvsadm', ['-C'])
    await ours.must('ipvsadm', ['-R'], { input: before })
  })

  const noName = "--netns '..'; expected the name or the path of a network namespace\n"
  const noNamespace = 'network namespace /etc/passwd is not a network namespace, or none any more (EINVAL)\n'
  const hint = "Try `ipvs top --help' for more information.\n"

  test.each([
    // ipvsadm's options accept an empty argument. The new ones report it as missing.
    ['-L', '', 2, "ipvs: --netns ''; expected the name or the path of a network namespace\n"],
    ['top', '', 2, `ipvs top: --netns needs an argument\n${hint}`],
    ['-L', '..', 2, `ipvs: ${noName}`],
    ['top', '..', 2, `ipvs top: ${noName}${hint}`],
    // ipvsadm has one exit status for both, the new commands have another for what is out of reach.
    ['-L', '/etc/passwd', 2, `Can't initialize ipvs: ${noNamespace}`],
    ['top', '/etc/passwd', 3, `ipvs top: ${noNamespace}`],
  ])("%s --netns '%s' is refused in words of the command line", async (word, netns, exit, words) => {
    const { status, stderr } = await ours.run(process.execPath, [command, word, '--netns', netns])
    expect(stderr).toBe(words)
    expect(status).toBe(exit)
  })

  test.each([
    ['-a -t 1.1.1.2:1 -r 5.5.5.6 -m -y 5', '-y must be at most -x, which is 0. Received 5\n'],
    ['-e -t 1.1.1.2:1 -r 5.5.5.5 -m -x 4 -y 5', '-y must be at most -x, which is 4. Received 5\n'],
    ['-A -t 1.1.1.3:1 -s r\u00e9', "-s must be a name of visible ASCII characters, without spaces. Received 'r\u00e9'\n"],
    ['-A -t 1.1.1.3:1 -p --pe r\u00e9', "--pe must be a name of visible ASCII characters, without spaces. Received 'r\u00e9'\n"],
    [
      '--start-daemon master --mcast-interface a/b',
      "--mcast-interface must be the name of a network interface, at most 15 bytes. Received 'a/b'\n",
    ],
  ])('%s: what the package refuses is told in words of the command line', async (line, words) => {
    expect(await ipvs(line)).toEqual({ status: 255, stdout: '', stderr: words })
    expect(await ipvs('-R', line)).toEqual({ status: 255, stdout: '', stderr: `ipvs: line 1: ${words}` })
  })

  test('a byte-order mark before the rules is skipped, and other encodings are refused', async () => {
    expect(await ipvs('-R --dry-run', '\ufeff-A -t 1.1.1.3:1 -s rr\n')).toEqual({
      status: 0,
      stdout: '-A -t 1.1.1.3:1 -s rr\n',
      stderr: '',
    })
    expect((await ipvs('-R --dry-run', '\ufeff-A -t localhost:1 -s rr\n')).stdout).toBe('-A -t 127.0.0.1:1 -s rr\n')
    const { status, stderr } = await ours.run('sh', ['-c', `printf '\\377\\376-\\0C\\0\\n\\0' | ${process.execPath} ${command} -R`])
    expect(stderr).toBe('ipvs: the standard input is UTF-16 text; expected UTF-8\nipvs: nothing was changed\n')
    expect(status).toBe(255)
  })

  test('control characters in rules do not reach the terminal', async () => {
    const { stderr } = await ipvs('-R', '-A -t \x1b[2J:80\n-A -t 1.1.1.1:\u0007\u009b31m\u202e\n\x1b]0;title\x07\n')
    // eslint-disable-next-line no-control-regex
    expect(stderr.replaceAll('\n', '')).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202e]/)
    expect(stderr).toContain("-t '\\x1b[2J:80'")
    expect(stderr).toContain("'1.1.1.1:\\x07\\x9b31m\\u202e'")
    expect(stderr).toContain("'\\x1b]0;title\\x07' is no command")
  })

  test.each(['-L', '-Sn', '-L --json', '-L -c', '-h', '-v', 'top --help', 'top --interval 0.1'])('%s says in one line that its output cannot be written', async (line) => {
    const { status, stderr } = await ours.run('sh', ['-c', `${process.execPath} ${command} ${line} >/dev/full`])
    expect(stderr).toBe('ipvs: the output could not be written: no space left on device (ENOSPC)\n')
    expect(status).toBe(1)
  })

  test.each([['nonsense', 255], ['-D -t 9.9.9.9:9', 255], ['-L --full', 2]])('%s keeps its exit status if the reason cannot be printed', async (line, expected) => {
    expect(await ours.run('sh', ['-c', `${process.execPath} ${command} ${line} 2>/dev/full`])).toMatchObject({ status: expected })
  })

  test('-S --full with names can be read back: IPv6 hosts stay addresses, because their names are not looked up', async () => {
    await ours.must('ipvsadm', ['-C'])
    await ours.must('ipvsadm', ['-R'], { input: '-A -t [::1]:80\n-a -t [::1]:80 -r [::1]:80 -m\n-A -t 127.0.0.1:80\n' })
    const hosts = join(await mkdtemp(join(tmpdir(), 'hosts-')), 'hosts')
    await writeFile(hosts, '127.0.0.1 four.example\n::1 six.example\n')
    const named = (words: string, input?: string): Promise<Ended> =>
      ours.run('unshare', ['--mount', 'sh', '-c', `mount --bind ${hosts} /etc/hosts && exec ${words}`], { input })
    const { stdout } = await named(`${process.execPath} ${command} -S --full`)
    expect(stdout).toBe('-A -t four.example:http -s wlc\n-A -t [::1]:http -s wlc\n-a -t [::1]:http -r [::1]:http -m -w 1\n--set 11 12 13\n')
    expect(await named(`${process.execPath} ${command} -R --replace`, stdout)).toEqual({ status: 0, stdout: '', stderr: '' })
    expect((await named(`${process.execPath} ${command} -S`)).stdout).toBe((await named('ipvsadm -S')).stdout)
    await rm(dirname(hosts), { recursive: true })
    await ours.must('ipvsadm', ['-D', '-t', '127.0.0.1:80'])
  })

  test('top without a terminal prints the table once and ends', async () => {
    const { stdout, status } = await ipvs('top --interval 0.1')
    expect(status).toBe(0)
    expect(stdout.split('\n').map((line) => line.trim().split(/ +/)[0])).toEqual(['Service,', 'Total', 'TCP', '->', ''])
  })
})
