import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Ipvs, IpvsSync, type BatchBuilder } from 'ipvs'
import { refusal } from '../support/errors.js'
import { Scene } from '../support/scene.js'

const web = { protocol: 'tcp', address: '10.10.10.100', port: 80 } as const
const dns = { protocol: 'udp', address: '10.10.10.100', port: 53, scheduler: 'lc' } as const
const near = { address: '10.10.10.2', port: 80 } as const

/** An argument's property that makes a call when it is read, and the errors of that call. */
function reading(call: () => unknown): { heard: unknown[], getter: PropertyDescriptor } {
  const heard: unknown[] = []
  return {
    heard,
    getter: {
      enumerable: true,
      get: () => {
        try {
          const answer = call()
          if (answer instanceof Promise) answer.catch((error: unknown) => heard.push(error))
        } catch (error) {
          heard.push(error)
        }
        return 'rr'
      },
    },
  }
}

const withScheduler = (service: typeof web, getter: PropertyDescriptor): typeof web =>
  Object.defineProperty({ ...service }, 'scheduler', getter)

describe('a getter of an argument may not call the handle that reads it: the inner call is refused, and the outer one is carried out', () => {
  let scene: Scene<Ipvs>
  beforeAll(async () => { scene = await Scene.create(Ipvs, 'getters') })
  beforeEach(() => scene.ipvs.flush())
  afterAll(() => scene[Symbol.asyncDispose]())

  const calls: Record<string, (ipvs: Ipvs) => unknown> = {
    'a change': ipvs => ipvs.addService(dns),
    'a listing': ipvs => ipvs.services(),
    'a batch': ipvs => ipvs.batch([{ type: 'addService', service: dns }]),
    'a snapshot': ipvs => ipvs.snapshot(),
  }
  test.each(Object.keys(calls))('%s within a single call', async what => {
    const { heard, getter } = reading(() => calls[what](scene.ipvs))
    await scene.ipvs.addService(withScheduler(web, getter))
    await scene.ipvs.services()
    expect(heard).toMatchObject([{ code: 'ERR_IPVS_REENTRANT' }])
    expect(await scene.ipvsadm.save()).toEqual(['-A -t 10.10.10.100:80 -s rr'])
  })

  test('a change within a batch', async () => {
    let builder: BatchBuilder | undefined
    const { heard, getter } = reading(() => builder!.addService(dns))
    await scene.ipvs.batch(b => {
      builder = b
      b.addService(withScheduler(web, getter))
    })
    expect(heard).toMatchObject([{ code: 'ERR_IPVS_REENTRANT' }])
    expect(await scene.ipvsadm.save()).toEqual(['-A -t 10.10.10.100:80 -s rr'])
  })

  test('anything with IpvsSync', async () => {
    const ipvs = IpvsSync.open({ netns: scene.namespace.path })
    for (const call of [() => ipvs.addService(dns), () => ipvs.services(), () => ipvs.snapshot()]) {
      ipvs.flush()
      const { heard, getter } = reading(call)
      ipvs.addService(withScheduler(web, getter))
      expect(heard).toMatchObject([{ code: 'ERR_IPVS_REENTRANT' }])
      expect(await scene.ipvsadm.save()).toEqual(['-A -t 10.10.10.100:80 -s rr'])
    }
    ipvs.close()
  })

  test('another handle may be called', async () => {
    const other = IpvsSync.open({ netns: scene.namespace.path })
    const { heard, getter } = reading(() => other.addService(dns))
    await scene.ipvs.addService(withScheduler(web, getter))
    expect(heard).toEqual([])
    expect(await scene.ipvsadm.save()).toEqual(['-A -t 10.10.10.100:80 -s rr', '-A -u 10.10.10.100:53 -s lc'])
    other.close()
  })

  test('what a getter throws is not taken for the kernel\'s answer', async () => {
    const ipvs = IpvsSync.open({ netns: scene.namespace.path })
    const key = Object.defineProperty({ ...web }, 'port', {
      enumerable: true,
      get: () => {
        throw Object.assign(new Error('mine'), { code: 'ESRCH' })
      },
    })
    expect(await refusal(() => ipvs.getService(key))).toMatchObject({ message: 'mine' })
    expect(await refusal(() => ipvs.addDestination(web, near))).toMatchObject({ code: 'ESRCH' })
    ipvs.close()
  })
})
