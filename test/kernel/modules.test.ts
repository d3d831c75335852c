import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Ipvs, IpvsSync } from 'ipvs'
import { Namespace } from '../../scripts/network/namespace.js'
import { must } from '../../scripts/setup/run.js'
import { refusal } from '../support/errors.js'
import { isSince } from '../support/linux.js'
import { apis } from '../support/scene.js'

const web = { protocol: 'tcp', address: '10.10.10.100', port: 80, scheduler: 'rr' } as const
const MODPROBE = '/proc/sys/kernel/modprobe'
const loadsByItself = isSince('loading by request')

/** Modules are unloaded in guests only. Those of a host may be in use. */
const guest = process.env.IPVS_LAB === 'uml' || process.env.IPVS_LAB === 'qemu'

/** IPVS's modules that are loaded, those that others need after those others. */
function loaded(): string[] {
  const users = new Map(readFileSync('/proc/modules', 'utf8').split('\n').filter(line => line.startsWith('ip_vs')).map(line => {
    const [name, , , usedBy] = line.split(' ')
    return [name, usedBy.split(',').filter(user => user !== '' && user !== '-')]
  }))
  const ordered: string[] = []
  const visit = (name: string): void => {
    for (const user of users.get(name) ?? []) visit(user)
    if (!ordered.includes(name)) ordered.push(name)
  }
  for (const name of users.keys()) visit(name)
  return ordered
}

const unload = async (): Promise<void> => {
  for (const name of loaded()) await must('rmmod', [name])
}

const title = guest ? 'without the module' : 'without the module (only in a guest: the machine\'s own modules are not ours to take away)'

describe.skipIf(!guest)(title, () => {
  let namespace: Namespace
  let modules: string[]
  let loader: string
  beforeAll(async () => {
    namespace = await Namespace.create('modules')
    modules = loaded()
    loader = readFileSync(MODPROBE, 'utf8').trim()
  })
  afterAll(async () => {
    writeFileSync(MODPROBE, loader)
    for (const name of modules.toReversed()) await must('modprobe', [name])
    await namespace[Symbol.asyncDispose]()
  })

  test.each(apis)('%s says that IPVS is not there and names modprobe ip_vs', async (_, Api) => {
    await unload()
    writeFileSync(MODPROBE, '/bin/false')
    try {
      const error = await refusal(() => Api.open({ netns: namespace.name }))
      expect(error).toMatchObject({ name: 'IpvsError', code: 'ENOENT', errno: -2, reason: 'unavailable', operation: { type: 'open' } })
      expect(error.message).toContain('modprobe ip_vs')
      expect(error.message).not.toContain('CAP_')
    } finally {
      writeFileSync(MODPROBE, loader)
    }
  })

  test.each(apis)('%s: the kernel loads it if it can, and the package never does', async (_, Api) => {
    await unload()
    if (loadsByItself) {
      const ipvs = await Api.open({ netns: namespace.name })
      expect(await ipvs.services()).toEqual([])
      await ipvs.close()
    } else {
      expect(await refusal(() => Api.open({ netns: namespace.name }))).toMatchObject({ reason: 'unavailable' })
    }
    expect(loaded().includes('ip_vs')).toBe(loadsByItself)
  })

  test.each([['Ipvs', Ipvs], ['IpvsSync', IpvsSync]] as const)('a handle of %s survives that the module is unloaded and loaded again', async (_, Api) => {
    await must('modprobe', ['ip_vs'])
    const ipvs = await Api.open({ netns: namespace.name })
    await ipvs.addService(web)
    await ipvs.flush()
    await unload()
    writeFileSync(MODPROBE, '/bin/false')
    const error = await refusal(() => ipvs.services())
    expect(error).toMatchObject({ name: 'IpvsError', code: 'ENOENT' })
    expect(error.message).toContain('modprobe ip_vs')
    writeFileSync(MODPROBE, loader)

    await must('modprobe', ['ip_vs'])
    await ipvs.addService(web)
    expect(await ipvs.services()).toMatchObject([web])
    await ipvs.flush()
    await ipvs.close()
  })

  test('a scheduler\'s module is loaded by the kernel when a service asks for it', async () => {
    await unload()
    await must('modprobe', ['ip_vs'])
    const ipvs = await Ipvs.open({ netns: namespace.name })
    await ipvs.addService({ ...web, scheduler: 'sed' })
    expect(loaded()).toContain('ip_vs_sed')
    await ipvs.flush()
    await ipvs.close()
  })
})
