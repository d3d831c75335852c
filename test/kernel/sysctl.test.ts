import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Ipvs, type SysctlName } from 'ipvs'
import { refusal } from '../support/errors.js'
import { isSince } from '../support/linux.js'
import { program } from '../support/program.js'
import { Scene } from '../support/scene.js'

let scene: Scene
beforeAll(async () => {
  scene = await Scene.create(Ipvs, 'sysctl')
})
afterAll(() => scene[Symbol.asyncDispose]())

const folder = '/proc/sys/net/ipv4/vs'
const file = (name: string): Promise<string> => scene.namespace.must('cat', [`${folder}/${name}`])
const names = async (): Promise<string[]> => (await scene.namespace.must('ls', [folder])).trim().split('\n')

test('every setting of this kernel is known, and what was read can be written back', async () => {
  expect(await names()).toContain('conntrack')
  for (const name of await names() as SysctlName[]) {
    const text = await file(name)
    const value = await scene.ipvs.sysctl.get(name)
    expect([value].flat().join('\t'), name).toBe(text.trim())
    // The machine has one debug level, which only the initial namespace can change.
    if (name === 'debug_level') {
      expect(await refusal(() => scene.ipvs.sysctl.set(name, 0))).toMatchObject({ code: 'EACCES' })
      continue
    }
    await scene.ipvs.sysctl.set(name, value)
    expect(await file(name), name).toBe(text)
  }
})

const negative = [['est_nice', -5], ['conn_lfactor', -8], ['svc_lfactor', -8]] as const

test.each(negative)('%s takes a negative number', async (name, value) => {
  if (!isSince(`sysctl ${name}`)) {
    expect(await names()).not.toContain(name)
    expect(await refusal(() => scene.ipvs.sysctl.set(name, value))).toMatchObject({ code: 'ENOENT' })
    return
  }
  await scene.ipvs.sysctl.set(name, value)
  expect(await file(name)).toBe(`${value}\n`)
  expect(await scene.ipvs.sysctl.get(name)).toBe(value)
})

test.runIf(isSince('sysctl est_cpulist'))('an empty list of processors is written, and stops the kernel\'s counting', async () => {
  const before = await scene.ipvs.sysctl.get('est_cpulist')
  expect(before).not.toBe('')
  await scene.ipvs.sysctl.set('est_cpulist', '')
  expect(await file('est_cpulist')).toBe('\n')
  expect(await scene.ipvs.sysctl.get('est_cpulist')).toBe('')
  await scene.ipvs.sysctl.set('est_cpulist', before)
  expect(await file('est_cpulist')).toBe(`${before}\n`)
})

test('the settings of the schedulers lblc and lblcr exist once these are loaded', async () => {
  await scene.ipvs.addService({ protocol: 'tcp', address: '10.10.10.100', port: 80, scheduler: 'lblc' })
  await scene.ipvs.addService({ protocol: 'tcp', address: '10.10.10.100', port: 81, scheduler: 'lblcr' })
  for (const name of ['lblc_expiration', 'lblcr_expiration'] as const) {
    expect(await scene.ipvs.sysctl.get(name)).toBe(86400)
    await scene.ipvs.sysctl.set(name, 3600)
    expect(await file(name)).toBe('3600\n')
  }
})

describe('values that no setting can have are refused by name', () => {
  test.each([
    ['conntrack', 2 ** 31],
    ['conntrack', -(2 ** 31) - 1],
    ['conntrack', 0.5],
    ['conntrack', -0],
    ['conntrack', NaN],
    ['conntrack', '1'],
    ['conntrack', 1n],
    ['sync_qlen_max', -1],
    ['sync_qlen_max', 2 ** 53],
    ['sync_threshold', [1, 2 ** 31]],
    ['est_cpulist', '0\n1'],
    ['est_cpulist', 0],
  ] as const)('%s: %o', async (name, value) => {
    const error = await refusal(() => scene.ipvs.sysctl.set(name as never, value as never))
    expect(error.message).toContain('value')
    expect(error).not.toHaveProperty('errno')
  })

  test('a number that the kernel does not accept is refused by the kernel', async () => {
    expect(await refusal(() => scene.ipvs.sysctl.set('sync_version', -1))).toMatchObject({ code: 'EINVAL' })
  })
})

test('if /proc/sys is read-only, as in a container, the error says what to do', async () => {
  const readOnly = [
    'unshare',
    '--mount',
    'sh',
    '-c',
    'mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec "$@"',
    'sh',
  ]
  const { stdout, stderr } = await program('set-sysctl.mjs', ['conntrack', '1'], { wrapper: ['nsenter', `--net=${scene.namespace.path}`, ...readOnly] })
  expect(stderr).toBe('')
  const { code, message } = JSON.parse(stdout) as { code: string, message: string }
  expect(code).toBe('EROFS')
  expect(message).toContain('read-only')
  expect(message).toContain('docker run --sysctl')
})
