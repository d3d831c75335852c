import { tracingChannel } from 'node:diagnostics_channel'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Ipvs, IpvsSync } from 'ipvs'
import { refusal } from '../support/errors.js'
import { Scene } from '../support/scene.js'

const web = { protocol: 'tcp', address: '10.10.10.100', port: 80 } as const
const dns = { protocol: 'udp', address: '10.10.10.100', port: 53 } as const
const near = { address: '10.10.10.2', port: 80 } as const

const WEB = '-A -t 10.10.10.100:80 -s wlc'
const DNS = '-A -u 10.10.10.100:53 -s wlc'

/** Makes a call from a subscriber when the first such event occurs during the work. Returns the call's result. */
async function callingAt(event: 'start' | 'end', call: () => unknown, work: () => unknown): Promise<unknown> {
  const channel = tracingChannel('ipvs:batch')
  const ignore = (): void => undefined
  const answers: unknown[] = []
  let called = false
  const subscriber = {
    start: ignore, end: ignore, asyncStart: ignore, asyncEnd: ignore, error: ignore,
    [event]: (): void => {
      if (called) return
      called = true
      answers.push(call())
    },
  }
  channel.subscribe(subscriber)
  try {
    await work()
    expect(called).toBe(true)
    return await answers[0]
  } finally {
    channel.unsubscribe(subscriber)
  }
}

describe.each(['start', 'end'] as const)('a subscriber of the tracing channel that uses the same handle at %s', event => {
  let scene: Scene<Ipvs>
  let sync: IpvsSync
  beforeAll(async () => {
    scene = await Scene.create(Ipvs, 'tracing')
    sync = IpvsSync.open({ netns: scene.namespace.path })
  })
  beforeEach(() => scene.ipvs.flush())
  afterAll(async () => {
    sync.close()
    await scene[Symbol.asyncDispose]()
  })

  test('with promises keeps the order of the calls', async () => {
    const { ipvs } = scene
    const listed = await callingAt(event, () => Promise.all([ipvs.removeService(web), ipvs.services()]), () => ipvs.addService(web))
    expect(listed).toEqual([undefined, []])
    expect(await scene.ipvsadm.save()).toEqual([])
  })

  test('does not change what is being sent synchronously', async () => {
    await callingAt(event, () => sync.addService(dns), () => sync.addService(web))
    expect((await scene.ipvsadm.save()).sort()).toEqual([WEB, DNS])
  })

  test('does not change the words of a refusal', async () => {
    sync.addService(web)
    const error = await callingAt(event, () => sync.services(), async () => {
      expect(await refusal(() => sync.addService(web))).toMatchObject({
        code: 'EEXIST',
        message: 'service tcp 10.10.10.100:80 already exists',
      })
    })
    expect(error).toMatchObject([web])
  })

  test('does not change listings, snapshots and batches', async () => {
    await callingAt(event, () => sync.addService(dns), () => sync.batch(b => {
      b.addService(web)
      b.addDestination(web, near)
    }))
    expect((await scene.ipvsadm.save()).sort()).toEqual([WEB, DNS, '-a -t 10.10.10.100:80 -r 10.10.10.2:80 -g -w 1'].sort())
    for (const read of [
      () => sync.destinations(web),
      () => sync.snapshot().services.find(({ destinations }) => destinations.length > 0)!.destinations,
    ]) {
      let destinations: unknown
      await callingAt(
        event,
        () => sync.info(),
        () => {
          destinations = read()
        },
      )
      expect(destinations).toMatchObject([near])
    }
  })

  test('may close the handle', async () => {
    const other = IpvsSync.open({ netns: scene.namespace.path })
    const work = async (): Promise<void> => {
      if (event === 'start') expect(await refusal(() => other.addService(web))).toMatchObject({ code: 'ERR_IPVS_CLOSED' })
      else other.addService(web)
    }
    await callingAt(event, () => other.close(), work)
    expect(await scene.ipvsadm.save()).toEqual(event === 'start' ? [] : [WEB])
  })
})
