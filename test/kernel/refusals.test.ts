import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Ipvs, IpvsError, type IpvsSync } from 'ipvs'
import { Namespace } from '../../scripts/network/namespace.js'
import { refusal } from '../support/errors.js'
import { program } from '../support/program.js'
import { apis, Scene } from '../support/scene.js'

const web = { protocol: 'tcp', address: '10.10.10.100', port: 80 } as const
const missing = { protocol: 'tcp', address: '10.10.10.100', port: 81 } as const
const near = { address: '10.10.10.2', port: 80 } as const
const far = { address: '10.10.10.3', port: 80 } as const
const service = { scheduler: 'rr', schedulerFlags: [], onePacket: false, persistence: null, persistenceEngine: null }
const destination = { forward: 'nat', weight: 1, upperThreshold: 0, lowerThreshold: 0, tunnel: null } as const

type Handle = Ipvs | IpvsSync

/** Refusals of the kernel. The table already has the service web with the destination near, and a master sync daemon. */
const refusals: { what: string, act: (ipvs: Handle) => unknown, code: string, errno: number, says: RegExp, operation: object }[] = [
  {
    what: 'a service that exists',
    act: (ipvs) => ipvs.addService(web),
    code: 'EEXIST',
    errno: -17,
    says: /service tcp 10\.10\.10\.100:80 already exists/,
    operation: { type: 'addService', service: web },
  },
  {
    what: 'an unknown scheduler',
    act: (ipvs) => ipvs.addService({ ...missing, scheduler: 'nonsuch' }),
    code: 'ENOENT',
    errno: -2,
    says: /scheduler.*nonsuch|nonsuch.*scheduler/,
    operation: { type: 'addService', service: { ...missing, scheduler: 'nonsuch' } },
  },
  {
    what: 'an unknown scheduler in an update',
    act: (ipvs) => ipvs.updateService({ ...web, ...service, scheduler: 'nonsuch' }),
    code: 'ENOENT',
    errno: -2,
    says: /nonsuch/,
    operation: { type: 'updateService' },
  },
  {
    what: 'an unknown persistence engine',
    act: (ipvs) => ipvs.addService({ ...missing, protocol: 'udp', persistence: {}, persistenceEngine: 'nonsuch' }),
    code: 'ENOENT',
    errno: -2,
    says: /nonsuch/,
    operation: { type: 'addService' },
  },
  {
    what: 'an update of a missing service',
    act: (ipvs) => ipvs.updateService({ ...missing, ...service }),
    code: 'ESRCH',
    errno: -3,
    says: /service tcp 10\.10\.10\.100:81 does not exist/,
    operation: { type: 'updateService', service: missing },
  },
  {
    what: 'the removal of a missing service',
    act: (ipvs) => ipvs.removeService(missing),
    code: 'ESRCH',
    errno: -3,
    says: /service tcp 10\.10\.10\.100:81 does not exist/,
    operation: { type: 'removeService', service: missing },
  },
  {
    what: 'the removal of a missing firewall-mark service',
    act: (ipvs) => ipvs.removeService({ fwmark: 9, family: 6 }),
    code: 'ESRCH',
    errno: -3,
    says: /\b9\b.*does not exist/,
    operation: { type: 'removeService', service: { fwmark: 9, family: 6 } },
  },
  {
    what: 'zeroing a missing service',
    act: (ipvs) => ipvs.zero(missing),
    code: 'ESRCH',
    errno: -3,
    says: /service tcp 10\.10\.10\.100:81 does not exist/,
    operation: { type: 'zero', service: missing },
  },
  {
    what: 'a destination for a missing service',
    act: (ipvs) => ipvs.addDestination(missing, { ...near, port: 81 }),
    code: 'ESRCH',
    errno: -3,
    says: /service tcp 10\.10\.10\.100:81 does not exist/,
    operation: { type: 'addDestination', service: missing, destination: { ...near, port: 81 } },
  },
  {
    what: 'the destinations of a missing service',
    act: (ipvs) => ipvs.destinations(missing),
    code: 'ESRCH',
    errno: -3,
    says: /service tcp 10\.10\.10\.100:81 does not exist/,
    operation: { type: 'destinations', service: missing },
  },
  {
    what: 'a destination that exists',
    act: (ipvs) => ipvs.addDestination(web, near),
    code: 'EEXIST',
    errno: -17,
    says: /destination 10\.10\.10\.2:80.*already exists|already.*destination 10\.10\.10\.2:80/,
    operation: { type: 'addDestination', service: web, destination: near },
  },
  {
    what: 'an update of a missing destination',
    act: (ipvs) => ipvs.updateDestination(web, { ...far, ...destination }),
    code: 'ENOENT',
    errno: -2,
    says: /destination 10\.10\.10\.3:80/,
    operation: { type: 'updateDestination', service: web, destination: far },
  },
  {
    what: 'the removal of a missing destination',
    act: (ipvs) => ipvs.removeDestination(web, far),
    code: 'ENOENT',
    errno: -2,
    says: /destination 10\.10\.10\.3:80/,
    operation: { type: 'removeDestination', service: web, destination: far },
  },
  {
    what: 'a destination that is no unicast address',
    act: (ipvs) => ipvs.addDestination(web, { address: '224.0.0.1', port: 80, forward: 'nat' }),
    code: 'EINVAL',
    errno: -22,
    says: /224\.0\.0\.1/,
    operation: { type: 'addDestination', destination: { address: '224.0.0.1' } },
  },
  {
    what: 'a destination behind a link-local address',
    act: (ipvs) => ipvs.addDestination({ fwmark: 6, family: 6 }, { address: 'fe80::1', port: 0 }),
    code: 'EINVAL',
    errno: -22,
    says: /fe80::1/,
    operation: { type: 'addDestination' },
  },
  {
    what: 'a destination of the other family beside a sync daemon',
    act: (ipvs) => ipvs.addDestination(web, { address: 'fd00::2', port: 80, forward: 'tun' }),
    code: 'EINVAL',
    errno: -22,
    says: /sync daemon/,
    operation: { type: 'addDestination' },
  },
  {
    what: 'a timeout beyond what the kernel keeps',
    act: (ipvs) => ipvs.setTimeouts({ tcp: 2147483647 }),
    code: 'EINVAL',
    errno: -22,
    says: /timeout/,
    operation: { type: 'setTimeouts', timeouts: { tcp: 2147483647 } },
  },
  {
    what: 'a daemon that runs',
    act: (ipvs) => ipvs.startDaemon({ role: 'master', interface: 'lo' }),
    code: 'EEXIST',
    errno: -17,
    says: /master/,
    operation: { type: 'startDaemon', daemon: { role: 'master', interface: 'lo' } },
  },
  {
    what: 'a daemon on a missing interface',
    act: (ipvs) => ipvs.startDaemon({ role: 'backup', interface: 'nonsuch0' }),
    code: 'ENODEV',
    errno: -19,
    says: /nonsuch0/,
    operation: { type: 'startDaemon', daemon: { role: 'backup', interface: 'nonsuch0' } },
  },
  {
    what: 'stopping a daemon that does not run',
    act: (ipvs) => ipvs.stopDaemon({ role: 'backup', syncId: 0 }),
    code: 'ESRCH',
    errno: -3,
    says: /backup.*not running|no backup/i,
    operation: { type: 'stopDaemon', daemon: { role: 'backup' } },
  },
]

describe.each(apis)('refusals of the kernel with %s', (label, Api) => {
  let scene: Scene<Handle>
  let before: string[]
  beforeAll(async () => {
    scene = await Scene.create<Handle>(Api, label)
    await scene.ipvsadm.restore([
      '-A -t 10.10.10.100:80 -s rr',
      '-a -t 10.10.10.100:80 -r 10.10.10.2:80 -m -w 5',
      '-A -f 6 -6',
      '--start-daemon master --mcast-interface lo',
    ])
    before = await scene.ipvsadm.save()
  })
  afterEach(async () => {
    expect(await scene.ipvsadm.save()).toEqual(before)
  })
  afterAll(async () => {
    expect(await scene.ipvsadm.timeouts()).toEqual([900, 120, 300])
    expect(await scene.ipvsadm.daemons()).toMatchObject([{ role: 'master' }])
    await scene[Symbol.asyncDispose]()
  })

  test.each(refusals)('$what: $code', async ({ act, code, errno, says, operation }) => {
    const error = await refusal(() => act(scene.ipvs))
    expect(error).toBeInstanceOf(IpvsError)
    expect(error).toMatchObject({ name: 'IpvsError', code, errno, operation })
    expect(error.message).toMatch(says)
  })

  test('a handle still works after a refusal', async () => {
    await refusal(() => scene.ipvs.addService(web))
    expect(await scene.ipvs.services()).toHaveLength(2)
  })
})

describe('refusals that need a table of their own', () => {
  test('a sync daemon beside destinations of the other family', async () => {
    await using scene = await Scene.create(Ipvs, 'mixed')
    await scene.ipvs.addService(web)
    await scene.ipvs.addDestination(web, { address: 'fd00::2', port: 80, forward: 'tun' })
    const error = await refusal(() => scene.ipvs.startDaemon({ role: 'master', interface: 'lo' }))
    expect(error).toMatchObject({ name: 'IpvsError', code: 'EINVAL' })
    expect(error.message).toMatch(/famil/)
  })

  test('a sync daemon whose interface is down: the error says so', async () => {
    await using scene = await Scene.create(Ipvs, 'unreachable')
    await scene.namespace.ip('link add dark0 type dummy')
    const error = await refusal(() => scene.ipvs.startDaemon({ role: 'master', interface: 'dark0' }))
    expect(error).toMatchObject({ name: 'IpvsError', code: 'ENETUNREACH' })
    expect(error.message).toMatch(/'dark0'.*down/)
    expect(await scene.ipvs.daemons()).toEqual([])
  })

  test('a destination where the loopback interface is down: the error says so', async () => {
    await using namespace = await Namespace.create('down', { loopback: false })
    await using ipvs = await Ipvs.open({ netns: namespace.name })
    await ipvs.addService(web)
    const error = await refusal(() => ipvs.addDestination(web, near))
    expect(error).toMatchObject({ name: 'IpvsError', code: 'EINVAL' })
    expect(error.message).toMatch(/\blo\b/)
  })
})

test('refusals reach the caller even if the intrinsics are frozen', async () => {
  await using namespace = await Namespace.create('frozen')
  const { status, stdout } = await program('frozen.mjs', [namespace.name], { flags: ['--frozen-intrinsics', '--no-warnings'] })
  expect(JSON.parse(stdout)).toEqual([
    'ESRCH',
    'ERR_IPVS_BATCH',
    'ERR_OUT_OF_RANGE',
    'ERR_OUT_OF_RANGE',
    'ABORT_ERR',
    'ABORT_ERR',
    'ERR_IPVS_CLOSED',
    'ESRCH',
    'ENOENT',
  ])
  expect(status).toBe(0)
})
