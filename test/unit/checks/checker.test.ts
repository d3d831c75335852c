import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, openSync, closeSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { run } from '../../../scripts/setup/run.js'
import { Checker, type CheckedDestination, type HealthChange } from '../../../lib/checks/index.js'
import { refusal } from '../../support/errors.js'
import { until } from '../../support/until.js'
import { answering, type Loopback } from './support/servers.js'

let server: Loopback & { requests: string[] }
let isUp: boolean
beforeEach(async () => {
  isUp = true
  server = await answering(() => `HTTP/1.0 ${isUp ? '200 OK' : '503 Busy'}\r\nContent-Length: 0\r\n\r\n`)
})
afterEach(() => server[Symbol.asyncDispose]())

const destination = (id: string, path = '/', extra: Partial<CheckedDestination> = {}): CheckedDestination => ({
  id,
  address: server.address,
  port: server.port,
  weight: 1,
  checks: [{ type: 'http', urls: [{ path }], interval: 0.03, retryInterval: 0.02, warmup: 0 }],
  ...extra,
})

const tasks = (): number => readdirSync('/proc/self/task').length
const descriptors = (): number => readdirSync('/proc/self/fd').length

test('a checker runs in a thread of its own, tells of changes, and answers how everything stands', async () => {
  await using checker = await Checker.start()
  const changes: HealthChange[] = []
  checker.on('changes', (some) => changes.push(...some))
  checker.update({ set: [destination('a'), destination('b')] })
  await until(async () => (await checker.status()).counts.good, (good) => good > 2)
  expect(await checker.status(['b'])).toMatchObject({
    destinations: [{ id: 'b', up: true, checks: [{ health: 'up' }] }],
    counts: { checks: 1 },
  })
  isUp = false
  await until(() => Promise.resolve(changes.length), (length) => length === 2)
  expect(changes).toMatchObject([{ id: 'a', up: false, words: 'GET / answered 503', answers: 2 }, { id: 'b', up: false }])
})

test('a name is one checker\'s at a time, and who has it is told', async () => {
  const onlyOne = `ipvs-test-${process.pid}`
  {
    await using first = await Checker.start({ onlyOne })
    expect(await refusal(() => Checker.start({ onlyOne }))).toMatchObject({
      code: 'EADDRINUSE', message: expect.stringMatching(new RegExp(`^process ${process.pid} \\(.*node.*\\) has the name @${onlyOne} in this network namespace$`)) as string,
    })
    await using other = await Checker.start({ onlyOne: `${onlyOne}-other` })
    expect(await first.status()).toEqual(await other.status())
  }
  await using next = await Checker.start({ onlyOne })
  expect(await next.status()).toMatchObject({ destinations: [] })
})

test('a set of checks is replaced by difference', async () => {
  await using checker = await Checker.start()
  checker.replace([destination('a'), destination('b', '/b')])
  await until(() => checker.status(), ({ counts }) => counts.good > 2)
  const since = async (id: string) => (await checker.status([id])).destinations[0].checks[0].since
  const before = await since('a')
  checker.replace([destination('c', '/c'), destination('a')])
  const after = await until(() => checker.status(), ({ destinations }) => destinations.every(({ checks }) => checks[0].health === 'up'))
  expect(after.destinations.map(({ id }) => id).sort()).toEqual(['a', 'c'])
  expect(await since('a')).toBe(before)
  checker.replace([])
  expect(await checker.status()).toMatchObject({ destinations: [], counts: { checks: 0 } })
})

test('news of a destination that was removed say nothing of another with its name', async () => {
  isUp = false
  await using checker = await Checker.start()
  const changes: HealthChange[] = []
  checker.on('changes', (some) => changes.push(...some))
  for (let n = 0; n < 200; n++) {
    checker.update({ set: [destination('a', `/${n}`, { weight: n })] })
    if (n % 10 === 0) await checker.status()
    if (n % 50 === 0) await until(() => Promise.resolve(changes.length), (length) => length > 0)
    checker.update({ removed: ['a'] })
    for (const change of changes.splice(0)) expect(change.weight).toBe(n)
  }
  await checker.status()
  expect(changes).toEqual([])
})

test('a closed checker has ended its thread and what it opened, and says so', async () => {
  const checker = await Checker.start()
  await checker.close()
  const [threads, files] = [tasks(), descriptors()]
  for (let n = 0; n < 3; n++) {
    const another = await Checker.start()
    another.update({ set: [destination('a', '/', { checks: [{ type: 'script', command: ['/bin/sleep', '1000'], warmup: 0 }] })] })
    await another.status()
    await another.close()
  }
  // A thread of an earlier test may end late, so there may be fewer than before, and three checkers may leave none.
  await until(() => Promise.resolve(tasks()), (count) => count <= threads)
  expect(descriptors()).toBe(files)
  expect((await refusal(() => checker.status())).message).toBe('this checker is closed')
  await checker.close()
})

test('a thread that ends by itself is started again, and goes on from what was known', async () => {
  await using checker = await Checker.start()
  const changes: HealthChange[] = []
  checker.on('changes', (some) => changes.push(...some))
  isUp = false
  checker.update({ set: [destination('a')] })
  await until(() => Promise.resolve(changes.length), (length) => length === 1)
  // A message that the thread does not understand at all: its fault, as any of its own would be.
  const restarted = once(checker, 'restarted')
  checker.update({ set: [{ ...destination('broken'), checks: 'none' as never }] })
  expect((await restarted)[0]).toBeInstanceOf(Error)
  checker.update({ removed: ['broken'] })
  await until(async () => {
    try {
      return (await checker.status()).destinations
    } catch {
      return []
    }
  }, (destinations) => destinations.length === 1 && !destinations[0].up && destinations[0].checks[0].health === 'down')
  isUp = true
  await until(() => Promise.resolve(changes.length), (length) => length === 2)
  expect(changes.map(({ up }) => up)).toEqual([false, true])
})

test('the main thread never changes its namespace', async () => {
  const { status, stdout } = await run(process.execPath, ['--input-type=module', '-e', `
    import { enterNamespace } from '${compiled('checks/enter-namespace.js')}'
    try { enterNamespace(0) } catch (error) { console.log(error.message) }
  `])
  expect([status, stdout]).toEqual([0, 'The main thread never changes its network namespace: enterNamespace is for worker threads\n'])
})

test('a descriptor that is no namespace is refused before anything is checked, and nothing stays open', async () => {
  await (await Checker.start()).close()
  const files = descriptors()
  const descriptor = openSync('/proc/self/status', 'r')
  expect(await refusal(() => Checker.start({ netns: descriptor }))).toMatchObject({
    message: 'the network namespace could not be entered: the descriptor is not one of a network namespace (EINVAL)',
  })
  closeSync(descriptor)
  expect(descriptors()).toBe(files)
})

const compiled = (path: string): string => fileURLToPath(new URL(`../../../dist/${path}`, import.meta.url))

test('the thread is found from the modules of the package and from the CommonJS bundle of the command', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'checks-bundle-'))
  try {
    // The package, with a bundle where the command has its own.
    mkdirSync(join(folder, 'dist/bin'), { recursive: true })
    const root = fileURLToPath(new URL('../../../', import.meta.url))
    for (const entry of ['build', 'package.json', 'node_modules'].filter((name) => existsSync(join(root, name))))
      symlinkSync(join(root, entry), join(folder, entry))
    for (const entry of readdirSync(join(root, 'dist')).filter((name) => name !== 'bin'))
      symlinkSync(join(root, 'dist', entry), join(folder, 'dist', entry))
    const program = (from: string): string => `import { Checker } from '${from}'
      Checker.start().then(async (checker) => {
        checker.update({ set: [${JSON.stringify(destination('a'))}] })
        checker.on('changes', ([{ up }]) => {
          console.log(up ? 'up' : 'down')
          void checker.close()
        })
      })`
    isUp = false
    const entry = join(folder, 'dist/entry.js')
    writeFileSync(entry, program(compiled('checks/index.js')))
    const bundle = await rolldown({ input: entry, platform: 'node' })
    await bundle.write({ file: join(folder, 'dist/bin/program.cjs'), format: 'cjs' })
    expect(await run(process.execPath, [join(folder, 'dist/bin/program.cjs')])).toEqual({ status: 0, stdout: 'down\n', stderr: '' })
    expect(await run(process.execPath, ['--input-type=module', '-e', program(compiled('checks/index.js'))])).toEqual({
      status: 0,
      stdout: 'down\n',
      stderr: '',
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
})
