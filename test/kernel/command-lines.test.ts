import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fileURLToPath } from 'node:url'
import type { Finished } from '../../scripts/network/run.js'
import { Namespace } from '../../scripts/network/namespace.js'

const command = fileURLToPath(new URL('../../dist/bin/ipvs.cjs', import.meta.url))

/**
 * Command lines as runbooks and courses have them, given to the command `ipvs` and to ipvsadm, each in a namespace of its own, one after the
 * other: what is printed, the exit status and the table afterwards have to be the same.
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
  const ipvs = (line: string, input?: string): Promise<Finished> => ours.run(process.execPath, [command, ...words(line)], { input })
  const ipvsadm = (line: string, input?: string): Promise<Finished> => theirs.run('ipvsadm', words(line), { input })
  const table = (namespace: Namespace): Promise<string> => namespace.must('sh', ['-c', 'ipvsadm -Sn && ipvsadm -Ln --thresholds && ipvsadm -L --timeout'])

  test.each(lines.map((line) => (typeof line === 'string' ? { line, input: undefined } : line)))('ipvs $line', async ({ line, input }) => {
    const [expected, got] = await Promise.all([ipvsadm(line, input), ipvs(line, input)])
    expect({ stdout: got.stdout, status: got.status }, got.stderr).toEqual({ stdout: expected.stdout, status: expected.status })
    // Its sentences about the kernel's refusals come first, for scripts that look for them.
    if (/^[A-Z][a-z ]+\n$/.test(expected.stderr) && !expected.stderr.startsWith('Numerical')) expect(got.stderr).toContain(expected.stderr.trim())
    expect(await table(ours)).toBe(await table(theirs))
  })

  test('an option that does not exist changes nothing, and what is close to it is named', async () => {
    const { status, stderr } = await ipvs('-A -t 207.175.44.110:81 --schedular rr')
    expect(status).toBe(255)
    expect(stderr).toContain('Did you mean --scheduler?')
    expect(await ours.must('ipvsadm', ['-Sn'])).toBe('')
  })

  test('-R tells every line that was refused and carries out the others', async () => {
    const { status, stderr } = await ipvs('-R', '-A -t 1.1.1.1:1\n-A -t 1.1.1.1:1\n-a -t 2.2.2.2:2 -r 3.3.3.3\n-a -t 1.1.1.1:1 -r 3.3.3.3 -y 5\n-A -t 1.1.1.2:1\n')
    expect(status).toBe(255)
    expect(stderr.trim().split('\n')).toEqual([expect.stringMatching(/^ipvs: line 2: Service already exists/), expect.stringMatching(/^ipvs: line 3: Service not defined/), expect.stringMatching(/^ipvs: line 4: .*lowerThreshold/)])
    expect(await ours.must('ipvsadm', ['-Sn'])).toBe('-A -t 1.1.1.1:1 -s wlc\n-A -t 1.1.1.2:1 -s wlc\n')
  })

  test('-R with a line that cannot be read changes nothing', async () => {
    const { status, stderr } = await ipvs('-R', '-C\n-A -t 1.1.1.3:1 -w 5\n-A -t 1.1.1.4:x:y\n')
    expect(status).toBe(2)
    expect(stderr).toMatch(/line 2, column 17: .*\n.*line 3, column 7: .*\n.*nothing was changed/)
    expect(await ours.must('ipvsadm', ['-Sn'])).toContain('-A -t 1.1.1.1:1')
  })

  test('-R tells where a name stands that does not exist', async () => {
    const { status, stderr } = await ipvs('-R', '-A -t 1.1.1.3:1\n-A -t 1.1.1.3:nosuchservice\n')
    expect(status).toBe(2)
    expect(stderr).toMatch(/line 2, column 15: service 'nosuchservice' is not known for tcp.*\n.*nothing was changed/)
    expect(await ours.must('ipvsadm', ['-Sn'])).not.toContain('1.1.1.3')
  })

  test('-R --replace makes the table what the rules describe; --dry-run says how', async () => {
    const rules = '-A -t 1.1.1.2:1 -s rr\n-a -t 1.1.1.2:1 -r 5.5.5.5 -m\n'
    const rehearsed = await ipvs('-R --replace --dry-run', rules)
    expect(rehearsed.stdout.trim().split('\n').sort()).toEqual(['-D -t 1.1.1.1:1', '-E -t 1.1.1.2:1 -s rr', '-a -t 1.1.1.2:1 -r 5.5.5.5:1 -m -w 1'])
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

  test('--json lists what the package lists, --netns where it is told', async () => {
    const elsewhere = (line: string): Promise<Finished> => theirs.run(process.execPath, [command, ...words(line), '--netns', ours.name])
    const { services } = JSON.parse((await elsewhere('-L --json')).stdout) as { services: object[] }
    expect(services).toMatchObject([{ address: '1.1.1.2', port: 1, scheduler: 'rr', stats: { connections: '0' }, destinations: [{ address: '5.5.5.5', weight: 7 }] }])
    expect(JSON.parse((await elsewhere('-L --timeout --json')).stdout)).toEqual({ tcp: 11, tcpFin: 12, udp: 13 })
    expect(JSON.parse((await elsewhere('-L --daemon --json')).stdout)).toEqual([])
    expect(JSON.parse((await elsewhere('-L -c --json')).stdout)).toEqual([])
    expect((await elsewhere('-Sn')).stdout).toBe(await ours.must('ipvsadm', ['-Sn']))
  })

  test('top without a terminal prints the table once and ends', async () => {
    const { stdout, status } = await ipvs('top --interval 0.1')
    expect(status).toBe(0)
    expect(stdout.split('\n').map((line) => line.trim().split(/ +/)[0])).toEqual(['Service,', 'TCP', '->', ''])
  })
})
