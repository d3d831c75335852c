import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { DaemonInput, Ipvs, IpvsSync } from 'ipvs'
import { isSince } from '../support/linux.js'
import { apis, Scene } from '../support/scene.js'

describe.each(apis)('settings of a table with %s', (label, Api) => {
  let scene: Scene<Ipvs | IpvsSync>
  beforeAll(async () => {
    scene = await Scene.create<Ipvs | IpvsSync>(Api, label)
    await scene.namespace.ip(
      'link add dummy0 type dummy', 'link set dummy0 mtu 1400 up',
      'addr add 10.99.0.1/24 dev dummy0', 'addr add fd99::1/64 dev dummy0 nodad',
    )
  })
  afterAll(() => scene[Symbol.asyncDispose]())

  test('info is what ipvsadm and the kernel print', async () => {
    const before = await scene.ipvs.info()
    if (isSince('a connection table made when it is needed')) expect(before.connectionTableSize).toBe(0)
    await scene.ipvs.addService({ protocol: 'tcp', address: '10.10.10.100', port: 80 })
    const { version, connectionTableSize } = await scene.ipvs.info()
    const [first] = (await scene.namespace.must('ipvsadm', ['-Ln'])).split('\n')
    expect(first).toBe(`IP Virtual Server version ${version} (size=${connectionTableSize})`)
    expect(connectionTableSize).toBeGreaterThan(0)
    if (!isSince('a connection table made when it is needed')) expect(before.connectionTableSize).toBe(connectionTableSize)
    await scene.ipvs.flush()
  })

  describe('timeouts', () => {
    test('start with the values of the kernel', async () => {
      expect(await scene.ipvs.timeouts()).toStrictEqual({ tcp: 900, tcpFin: 120, udp: 300 })
    })

    test('are read by ipvsadm as they were set', async () => {
      await scene.ipvs.setTimeouts({ tcp: 11, tcpFin: 12, udp: 13 })
      expect(await scene.ipvsadm.timeouts()).toEqual([11, 12, 13])
    })

    test('are read as ipvsadm set them', async () => {
      await scene.ipvsadm.run('--set 1000 2000 3000')
      expect(await scene.ipvs.timeouts()).toStrictEqual({ tcp: 1000, tcpFin: 2000, udp: 3000 })
    })

    test('that are not named, or 0, stay as they are', async () => {
      await scene.ipvsadm.run('--set 100 200 300')
      await scene.ipvs.setTimeouts({ tcpFin: 222 })
      await scene.ipvs.setTimeouts({ tcp: 0, udp: 333 })
      expect(await scene.ipvsadm.timeouts()).toEqual([100, 222, 333])
    })

    test('of 31 days, the most that ipvsadm sets, are kept', async () => {
      await scene.ipvs.setTimeouts({ tcp: 2678400, tcpFin: 2678400, udp: 2678400 })
      expect(await scene.ipvsadm.timeouts()).toEqual([2678400, 2678400, 2678400])
    })
  })

  describe('sync daemons', () => {
    afterEach(async () => {
      for (const { role } of await scene.ipvsadm.daemons()) await scene.ipvsadm.run(`--stop-daemon ${role}`)
    })

    /** Daemons as the kernel keeps them: it rounds a length up, and derives a missing one from the interface. */
    const spellings: { daemon: DaemonInput, ipvsadm: string }[] = [
      { daemon: { role: 'master', interface: 'dummy0' }, ipvsadm: '--start-daemon master --mcast-interface dummy0' },
      { daemon: { role: 'backup', interface: 'dummy0' }, ipvsadm: '--start-daemon backup --mcast-interface dummy0' },
      {
        daemon: { role: 'master', interface: 'dummy0', syncId: 255 },
        ipvsadm: '--start-daemon master --mcast-interface dummy0 --syncid 255',
      },
      {
        daemon: { role: 'master', interface: 'dummy0', syncId: 7, maxLength: 1000 },
        ipvsadm: '--start-daemon master --mcast-interface dummy0 --syncid 7 --sync-maxlen 1000',
      },
      {
        daemon: { role: 'backup', interface: 'dummy0', syncId: 7, maxLength: 9000 },
        ipvsadm: '--start-daemon backup --mcast-interface dummy0 --syncid 7 --sync-maxlen 9000',
      },
      {
        daemon: { role: 'master', interface: 'dummy0', group: '224.0.0.82' },
        ipvsadm: '--start-daemon master --mcast-interface dummy0 --mcast-group 224.0.0.82',
      },
      {
        daemon: { role: 'backup', interface: 'dummy0', group: 'ff02::82' },
        ipvsadm: '--start-daemon backup --mcast-interface dummy0 --mcast-group ff02::82',
      },
      {
        daemon: { role: 'master', interface: 'dummy0', port: 65535, ttl: 255 },
        ipvsadm: '--start-daemon master --mcast-interface dummy0 --mcast-port 65535 --mcast-ttl 255',
      },
      {
        daemon: { role: 'master', interface: 'dummy0', syncId: 1, maxLength: 1024, group: 'ff05::1', port: 1, ttl: 9 },
        ipvsadm:
          '--start-daemon master --mcast-interface dummy0 --syncid 1 --sync-maxlen 1024 --mcast-group ff05::1 --mcast-port 1 --mcast-ttl 9',
      },
    ]

    test('none lists as an empty array', async () => {
      expect(await scene.ipvs.daemons()).toStrictEqual([])
    })

    test.each(spellings)('ipvsadm reads what was started: $ipvsadm', async ({ daemon, ipvsadm }) => {
      await scene.ipvsadm.run(ipvsadm)
      const theirs = await scene.ipvsadm.daemons()
      await scene.ipvsadm.run(`--stop-daemon ${daemon.role}`)
      await scene.ipvs.startDaemon(daemon)
      expect(await scene.ipvsadm.daemons()).toEqual(theirs)
      expect(theirs).toMatchObject([
        {
          role: daemon.role,
          interface: 'dummy0',
          syncId: daemon.syncId ?? 0,
          group: daemon.group ?? '224.0.0.81',
          port: daemon.port ?? 8848,
          ttl: daemon.ttl ?? 1,
        },
      ])
    })

    test.each(spellings)('what ipvsadm started is listed: $ipvsadm', async ({ ipvsadm }) => {
      await scene.ipvsadm.run(ipvsadm)
      expect(await scene.ipvs.daemons()).toStrictEqual(await scene.ipvsadm.daemons())
    })

    test('master and backup run together and are stopped one by one', async () => {
      await scene.ipvs.startDaemon({ role: 'master', interface: 'dummy0', syncId: 3 })
      await scene.ipvs.startDaemon({ role: 'backup', interface: 'lo', syncId: 4 })
      expect((await scene.ipvs.daemons()).map(({ role, interface: name, syncId }) => [role, name, syncId]))
        .toEqual([['master', 'dummy0', 3], ['backup', 'lo', 4]])
      await scene.ipvs.stopDaemon({ role: 'master', syncId: 3 })
      expect(await scene.ipvsadm.daemons()).toMatchObject([{ role: 'backup' }])
      await scene.ipvs.stopDaemon({ role: 'backup', syncId: 4 })
      expect(await scene.ipvsadm.daemons()).toEqual([])
    })

    test('a listed daemon can be passed to startDaemon', async () => {
      await scene.ipvsadm.run(
        '--start-daemon backup --mcast-interface dummy0 --syncid 7 --sync-maxlen 1024 --mcast-group ff02::82 --mcast-port 99 --mcast-ttl 2',
      )
      const [listed] = await scene.ipvs.daemons()
      await scene.ipvs.stopDaemon(listed)
      await scene.ipvs.startDaemon(listed)
      expect(await scene.ipvsadm.daemons()).toEqual([listed])
    })
  })
})
