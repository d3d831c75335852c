import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Ipvs } from 'ipvs'
import { program } from '../support/program.js'
import { ReadableCopy } from '../support/readable-copy.js'
import { apis, Scene } from '../support/scene.js'

let scene: Scene
let copy: ReadableCopy
beforeAll(async () => {
  scene = await Scene.create(Ipvs, 'permissions')
  copy = await ReadableCopy.create()
})
afterAll(async () => {
  await copy[Symbol.asyncDispose]()
  await scene[Symbol.asyncDispose]()
})

/** Another user than root, who may start Node wherever it lies, and has no other capability. */
const ordinaryUser = [
  'setpriv',
  '--reuid=65534',
  '--clear-groups',
  '--inh-caps=-all,+dac_read_search',
  '--ambient-caps=-all,+dac_read_search',
  '--bounding-set=-all,+dac_read_search',
]

interface Answer { services?: object[], error?: { name: string, code: string, errno: number, reason: string, message: string } }

describe.each(apis)('%s', label => {
  const open = async (wrapper: string[], options: object = {}): Promise<Answer> => {
    const { stdout, stderr } = await program('open.mjs', [label, JSON.stringify(options)], { wrapper, checkout: copy.folder })
    expect(stderr).toBe('')
    return JSON.parse(stdout) as Answer
  }
  const without = (capability: string): string[] => ['setpriv', `--bounding-set=-${capability}`, `--inh-caps=-${capability}`]

  test('with all capabilities everything is allowed', async () => {
    expect(await open([], { netns: scene.namespace.name })).toEqual({ services: [] })
  })

  test('without CAP_NET_ADMIN opening fails and names it', async () => {
    const { error } = await open(without('net_admin'))
    expect(error).toMatchObject({ name: 'IpvsError', code: 'EPERM', errno: -1, reason: 'permission' })
    expect(error!.message).toContain('CAP_NET_ADMIN')
    expect(error!.message).not.toContain('modprobe')
  })

  test('root of another user namespace is told that it must be the initial one', async () => {
    const { error } = await open(['unshare', '--user', '--map-root-user', '--net'])
    expect(error).toMatchObject({ name: 'IpvsError', code: 'EPERM', reason: 'permission' })
    expect(error!.message).toMatch(/CAP_NET_ADMIN.*initial user namespace/)
  })

  test('without CAP_SYS_ADMIN entering another namespace fails with an error of its own', async () => {
    const { error } = await open(without('sys_admin'), { netns: scene.namespace.name })
    expect(error).toMatchObject({ name: 'IpvsError', code: 'EPERM', errno: -1, reason: 'permission' })
    expect(error!.message).toContain('CAP_SYS_ADMIN')
  })

  test('without CAP_SYS_ADMIN one\'s own namespace can be opened', async () => {
    expect(await open(['nsenter', `--net=${scene.namespace.path}`, ...without('sys_admin')])).toEqual({ services: [] })
  })

  test('CAP_NET_ADMIN alone is enough for everything in one\'s own namespace, /proc and the warnings of plans included', async () => {
    const { stdout, stderr } = await program('everything.mjs', [label], {
      wrapper: ['nsenter', `--net=${scene.namespace.path}`, 'setpriv', '--bounding-set=-all,+net_admin', '--inh-caps=-all,+net_admin'],
      checkout: copy.folder,
    })
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toEqual({
      totals: ['stats', 'rates'], processorTotals: true, connections: 0, get: expect.any(Number) as unknown, set: 1,
      ...label === 'Ipvs' ? { warnings: 1 } : {},
    })
    await scene.ipvs.flush()
  })

  test('after giving up CAP_SYS_ADMIN, /proc of the handle\'s namespace is out of reach, and the error says so', async () => {
    const { stdout, stderr } = await program('giving-up.mjs', [label, scene.namespace.name])
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toEqual({
      services: 0,
      name: 'IpvsError',
      code: 'EPERM',
      message: expect.stringContaining('CAP_SYS_ADMIN') as unknown,
    })
  })

  test('an ordinary user is refused like a process without the capability', async () => {
    const { error } = await open(ordinaryUser)
    expect(error).toMatchObject({ name: 'IpvsError', code: 'EPERM', reason: 'permission' })
  })
})
