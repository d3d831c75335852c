import { spawn, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { hasApt } from '../../scripts/setup/apt.js'
import { checkout } from '../../scripts/setup/checkout.js'

// A suite is named so that the lab boots a guest also where the machine's own kernel would serve.
const guest = ['--suite', 'sid']
const guests = await hasApt() ? describe : describe.skip
const why = await hasApt() ? '' : ' (skipped: guests are there for Debian and its derivatives on x86-64)'

/** Each test has its own folder for what the lab makes while it runs: it must be empty afterwards. */
let scratch: string
beforeEach(() => { scratch = mkdtempSync(join(tmpdir(), 'ipvs-lab-test-')) })
afterEach(() => { rmSync(scratch, { recursive: true }) })

const start = (args: string[], env: NodeJS.ProcessEnv = {}): ChildProcess =>
  spawn(process.execPath, ['scripts/bootstrap.mjs', 'lab', ...args], {
    cwd: checkout,
    env: { ...process.env, ...env, TMPDIR: scratch },
    stdio: ['ignore', 'pipe', 'pipe'],
  })

async function lab(
  args: string[],
  env?: NodeJS.ProcessEnv,
): Promise<{ status: number | null, signal: string | null, stdout: Buffer, stderr: string }> {
  const child = start(args, env)
  const [stdout, stderr, [status, signal]] = await Promise.all([
    buffer(child.stdout!),
    text(child.stderr!),
    once(child, 'close') as Promise<[number | null, string | null]>,
  ])
  return { status, signal, stdout, stderr }
}

/** Processes that were started with a word which names this test's folder: a guest, or what it left. */
const processesOfTest = (): string[] => readdirSync('/proc').filter(pid => /^\d+$/.test(pid) && Number(pid) !== process.pid).filter(pid => {
  try { return readFileSync(join('/proc', pid, 'cmdline'), 'latin1').includes(scratch) } catch { return false }
})

describe('the command line', () => {
  test('help says what the options are', async () => {
    const { status, stdout } = await lab(['--help'])
    expect(status).toBe(0)
    expect(stdout.toString()).toMatch(/^Usage: npm run lab -- /)
  })

  test('a mistake is told, with the usage', async () => {
    const { status, stdout, stderr } = await lab(['--on', 'moon', '--', 'true'])
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toMatch(/^lab: --on moon: must be one of host, uml, qemu\n\nUsage: /m)
  })
})

guests(`a guest${why}`, () => {
  // On a new machine the first lab fetches its kernel, and says so.
  beforeAll(async () => {
    scratch = tmpdir()
    expect(await lab([...guest, '--', 'true'])).toMatchObject({ status: 0 })
  }, 600_000)

  test('runs the command as root on a kernel with IPVS, and ends with its status', async () => {
    const { status, stdout, stderr } = await lab(
      [
        ...guest,
        '--env',
        'GREETING=good day',
        '--',
        'sh',
        '-c',
        'id -u; pwd; head -1 /proc/net/ip_vs; echo "$GREETING $IPVS_MOOD"; echo problem >&2; exit 42',
      ],
      { IPVS_MOOD: 'fine' },
    )
    expect(status).toBe(42)
    expect(stdout.toString()).toMatch(new RegExp(`^0\n${checkout}\nIP Virtual Server version [^\n]*\ngood day fine\n$`))
    expect(stderr).toMatch(/^lab: .*\nproblem\n$/)
  })

  test('gets its arguments as they are', async () => {
    const words = ['', 'two words', 'it\'s', '"$HOME" `id` \\', 'two\nlines\n', '*', '--', 'ünï']
    const { stdout } = await lab([
      ...guest,
      '--',
      process.execPath,
      '-e',
      'process.stdout.write(JSON.stringify(process.argv.slice(1)))',
      '--',
      ...words,
    ])
    expect(JSON.parse(stdout.toString())).toEqual(words)
  })

  test('passes every byte on, and much of it', async () => {
    const program = `
      const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
      const much = Buffer.concat(Array.from({ length: 16384 }, () => all))
      require('fs').writeFileSync('/dev/stdout', much)
      require('fs').writeFileSync('/dev/stderr', all)`
    const { status, stdout } = await lab([...guest, '--', process.execPath, '-e', program])
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
    expect({ status, length: stdout.length, digest: digest(stdout) })
      .toEqual({ status: 0, length: 2 ** 22, digest: digest(Buffer.concat(Array.from({ length: 16384 }, () => all))) })
  })

  test('changes the checkout, and nothing else of the disk', async () => {
    const own = `build/lab-test-${process.pid}`
    const foreign = [join(scratch, 'note'), `/var/tmp/lab-test-${process.pid}`, `/etc/lab-test-${process.pid}`]
    const { status } = await lab([...guest, '--', 'sh', '-ec', `echo kept > ${own}; for file in ${foreign.join(' ')}; do echo gone > $file; cat $file; done`])
    expect(status).toBe(0)
    expect(readFileSync(join(checkout, own), 'utf8')).toBe('kept\n')
    rmSync(join(checkout, own))
    expect(foreign.filter(file => existsSync(file))).toEqual([])
  })

  test('says that a program is not there as a shell does', async () => {
    const { status, stderr } = await lab([...guest, '--', 'no-such-program'])
    expect(status).toBe(127)
    expect(stderr).toContain('no-such-program')
  })

  test('does not wait for what the command leaves behind', async () => {
    const { status, stdout } = await lab([...guest, '--', 'sh', '-c', 'sleep 1000 & echo done'])
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 0, stdout: 'done\n' })
  })

  test('is one of several at once', async () => {
    const results = await Promise.all(['first', 'second'].map(name => lab([...guest, '--', 'echo', name])))
    expect(results.map(({ stdout }) => stdout.toString())).toEqual(['first\n', 'second\n'])
  })

  test('that hangs is ended by the time limit, and leaves nothing', async () => {
    const { status, stderr } = await lab([...guest, '--timeout', '1', '--', 'sleep', '1000'])
    expect(status).toBe(124)
    expect(stderr).toMatch(/took longer than 1 s \(--timeout\)/)
    expect(processesOfTest()).toEqual([])
    expect(readdirSync(scratch)).toEqual([])
  })

  test('ends with the lab that is told to end, and leaves nothing', async () => {
    const child = start([...guest, '--', 'sh', '-c', 'echo ready; sleep 1000'])
    await once(child.stdout!, 'data')
    expect(processesOfTest()).not.toEqual([])
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([143, null])
    await vi.waitUntil(() => processesOfTest().length === 0, 60_000)
    expect(readdirSync(scratch)).toEqual([])
  })

  test('ends with the lab that is killed', async () => {
    const child = start([...guest, '--', 'sh', '-c', 'echo ready; sleep 1000'])
    await once(child.stdout!, 'data')
    child.kill('SIGKILL')
    await vi.waitUntil(() => processesOfTest().length === 0, 60_000)
  })

  test('without IPVS: the library says what to do', async () => {
    const program =
      'import { Ipvs } from "ipvs"; try { await Ipvs.open() } catch (error) { console.log(JSON.stringify([error.code, error.message])) }'
    const { status, stdout, stderr } = await lab([...guest, '--without-ipvs', '--', process.execPath, '--input-type=module', '-e', program])
    expect({ status, stderr: stderr.replace(/^lab: .*\n/, '') }).toEqual({ status: 0, stderr: '' })
    const [code, message] = JSON.parse(stdout.toString()) as [string, string]
    expect(code).toBe('ENOENT')
    expect(message).toContain('modprobe ip_vs')
  })
})
