import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fstatSync, mkdtempSync, openSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { IpvsError, type Ipvs, type IpvsSync } from 'ipvs'
import { must } from '../../scripts/setup/run.js'
import { refusal } from '../support/errors.js'
import { program } from '../support/program.js'
import { apis, Scene } from '../support/scene.js'

const web = { protocol: 'tcp', address: '10.10.10.100', port: 80 } as const
const LINE = '-A -t 10.10.10.100:80 -s wlc'

/** The network namespace of every thread of this process. */
const threadsNamespaces = (): string[] => {
  const seen = new Set<string>()
  for (const thread of readdirSync('/proc/self/task')) {
    try {
      seen.add(readlinkSync(`/proc/self/task/${thread}/ns/net`))
    } catch (error) {
      // A thread that ended since the directory was read.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  return [...seen]
}

describe.each(apis)('network namespaces with %s', (label, Api) => {
  let scene: Scene<Ipvs | IpvsSync>
  beforeAll(async () => {
    scene = await Scene.create<Ipvs | IpvsSync>(Api, label)
    await scene.ipvs.addService(web)
  })
  afterAll(() => scene[Symbol.asyncDispose]())

  test('by name: the table is the one that ipvsadm sees there', async () => {
    expect(await scene.ipvsadm.save()).toEqual([LINE])
  })

  test('by path', async () => {
    const ipvs = await Api.open({ netns: scene.namespace.path })
    expect(await ipvs.services()).toMatchObject([web])
    await ipvs.close()
  })

  test('by a path relative to the working directory, as it is when open is called', async () => {
    const before = process.cwd()
    try {
      process.chdir('/run/netns')
      const opening = Api.open({ netns: `./${scene.namespace.name}` })
      process.chdir('/')
      const ipvs = await opening
      expect(await ipvs.services()).toMatchObject([web])
      await ipvs.close()
    } finally {
      process.chdir(before)
    }
  })

  test('by the identifier of a process inside', async () => {
    const inside = spawn('nsenter', [`--net=${scene.namespace.path}`, 'sh', '-c', 'echo inside; read line'], { stdio: ['pipe', 'pipe', 'inherit'] })
    await once(inside.stdout, 'data')
    const ipvs = await Api.open({ netns: { pid: inside.pid! } })
    const ended = once(inside, 'exit')
    inside.stdin.end()
    await ended
    expect(await ipvs.services()).toMatchObject([web])
    await ipvs.close()
  })

  test('by a descriptor, which the caller keeps', async () => {
    const fd = openSync(scene.namespace.path, 'r')
    const ipvs = await Api.open({ netns: { fd } })
    expect(await ipvs.services()).toMatchObject([web])
    await ipvs.close()
    expect(fstatSync(fd).isFile()).toBe(true)
    closeSync(fd)
  })

  test('by a descriptor that is closed right after the call of open', async () => {
    const fd = openSync(scene.namespace.path, 'r')
    const opening = Api.open({ netns: { fd } })
    closeSync(fd)
    // Takes its number, if the thread that opens the handle has not taken it.
    const other = openSync('/dev/null', 'r')
    const ipvs = await opening
    closeSync(other)
    expect(await ipvs.services()).toMatchObject([web])
    await ipvs.close()
  })

  test('a FIFO is refused as no network namespace, without waiting for a writer', async () => {
    const folder = mkdtempSync('/tmp/namespaces-')
    await must('mkfifo', [`${folder}/fifo`])
    expect(await refusal(() => Api.open({ netns: `${folder}/fifo` }))).toMatchObject({ code: 'EINVAL', reason: 'namespace' })
    rmSync(folder, { recursive: true })
  })

  test('without a choice, the namespace of the process', async () => {
    const { stdout, stderr } = await program('open.mjs', [label, '{}'], { wrapper: ['nsenter', `--net=${scene.namespace.path}`] })
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toMatchObject({ services: [web] })
  })

  test('the threads of the process stay where they are', async () => {
    const before = threadsNamespaces()
    const ipvs = await Api.open({ netns: scene.namespace.name })
    await ipvs.services()
    expect(threadsNamespaces()).toEqual(before)
    expect(before).toHaveLength(1)
    await ipvs.close()
  })

  test('handles in different namespaces see different tables', async () => {
    await using other = await Scene.create<Ipvs | IpvsSync>(Api, 'other')
    await other.ipvs.addService({ ...web, port: 81 })
    expect(await other.ipvs.services()).toMatchObject([{ port: 81 }])
    expect(await scene.ipvs.services()).toMatchObject([{ port: 80 }])
    expect(await other.ipvsadm.save()).toEqual(['-A -t 10.10.10.100:81 -s wlc'])
  })

  test('several handles on one table see each other\'s changes', async () => {
    const [first, second] = [await Api.open({ netns: scene.namespace.name }), await Api.open({ netns: scene.namespace.name })]
    await first.addService({ ...web, port: 82 })
    expect(await second.getService({ ...web, port: 82 })).toBeDefined()
    await second.removeService({ ...web, port: 82 })
    expect(await first.getService({ ...web, port: 82 })).toBeUndefined()
    await first.close()
    await second.close()
  })

  test('a handle keeps working when the name of its namespace is deleted', async () => {
    const doomed = await Scene.create<Ipvs | IpvsSync>(Api, 'doomed')
    await doomed.namespace[Symbol.asyncDispose]()
    await doomed.ipvs.addService(web)
    await doomed.ipvs.addDestination(web, { address: '127.0.0.2', port: 80, forward: 'nat' })
    expect(await doomed.ipvs.destinations(web)).toMatchObject([{ address: '127.0.0.2' }])
    const error = await refusal(() => Api.open({ netns: doomed.namespace.name }))
    expect(error).toMatchObject({ name: 'IpvsError', code: 'ENOENT', errno: -2, reason: 'namespace' })
    expect(error.message).toContain(doomed.namespace.name)
    await doomed.ipvs.close()
  })

  test('what is not a namespace has an error of its own', async () => {
    const regular = openSync('/proc/self/status', 'r')
    const ended = Number((await must('sh', ['-c', 'echo $$'])).trim())
    const wrong: [unknown, string, RegExp][] = [
      ['ipvs-no-such-name', 'ENOENT', /ipvs-no-such-name/],
      ['/run/netns/ipvs-no-such-name', 'ENOENT', /\/run\/netns\/ipvs-no-such-name/],
      ['/proc/self/status', 'EINVAL', /\/proc\/self\/status/],
      ['/proc/self/ns/mnt', 'EINVAL', /\/proc\/self\/ns\/mnt/],
      [{ pid: ended }, 'ENOENT', new RegExp(`\\b${ended}\\b`)],
      [{ fd: regular }, 'EINVAL', new RegExp(`\\b${regular}\\b`)],
      [{ fd: 999_999 }, 'EBADF', /\b999999\b/],
    ]
    for (const [netns, code, says] of wrong) {
      const error = await refusal(() => (Api.open as (options: unknown) => unknown)({ netns }))
      expect(error, JSON.stringify(netns)).toBeInstanceOf(IpvsError)
      expect(error, JSON.stringify(netns)).toMatchObject({ code, reason: 'namespace', operation: { type: 'open' } })
      expect(error.message).toMatch(says)
    }
    closeSync(regular)
  })
})
