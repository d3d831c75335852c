import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { followEtcd } from 'ipvs/etcd'
import type { DirectorConfiguration } from 'ipvs/director'
import { run } from '../../../scripts/setup/run.js'
import { command, DirectorProcess } from '../../support/director-process.js'
import { EtcdCluster } from '../../support/etcd.js'
import { until } from '../../support/until.js'

let cluster: EtcdCluster
let number = 0
let prefix = ''

beforeAll(async () => {
  cluster = await EtcdCluster.start()
})
afterAll(() => cluster[Symbol.asyncDispose]())
beforeEach(() => {
  prefix = `/fleet-${++number}`
})

const key = (endpoint: string): string => `${prefix}/v1/services/web/destinations/${endpoint}`
const service = { protocol: 'tcp', address: '192.0.2.1', port: 80 }

/** The keys of registered servers, as etcdctl sees them. */
const registered = async (): Promise<string> => (await cluster.ctl('get', `${prefix}/v1/services/web/destinations/`, '--prefix', '--keys-only')).split('\n').filter((line) => line !== '').join(' ')
const value = async (endpoint: string): Promise<unknown> => JSON.parse(await cluster.ctl('get', key(endpoint), '--print-value-only'))

function register(...more: string[]): DirectorProcess {
  const one = new DirectorProcess(['--etcd', cluster.endpoints.join(','), '--prefix', prefix, '--service', 'web', ...more], 'register')
  onTestFinished(() => one[Symbol.asyncDispose]())
  return one
}

describe('ipvs register', () => {
  test('a server is in its service for as long as the program lives; SIGTERM takes it out at once', async () => {
    await cluster.put(`${prefix}/v1/services/web`, service)
    const follower = followEtcd({ endpoints: cluster.endpoints, prefix })
    onTestFinished(() => follower.close())
    let seen: unknown
    const following = (async () => {
      for await (const { services } of follower as AsyncIterable<DirectorConfiguration>) seen = services[0].destinations
    })()
    const one = register('--destination', '10.0.0.2:80', '--weight', '3', '--ttl', '60')
    await until(() => Promise.resolve(JSON.stringify(seen)), (text) => text === JSON.stringify([{ address: '10.0.0.2', port: 80, weight: 3 }]))
    expect(await one.end()).toBe(0)
    expect(await registered()).toBe('')
    await until(() => Promise.resolve(JSON.stringify(seen)), (text) => text === '[]')
    await follower.close()
    await following
  })

  test('a server whose machine dies is taken out when its lease ends', async () => {
    const one = register('--destination', '[2001:db8::2]:80', '--forward', 'tun', '--ttl', '2')
    await one.logged(({ event }) => event === 'registered')
    expect(await value('[2001:db8::2]:80')).toEqual({ address: '2001:db8::2', port: 80, forward: 'tun' })
    expect(await one.end('SIGKILL')).toBe('SIGKILL')
    await until(registered, (keys) => keys === '')
  })

  test('it goes on while etcd is away, and registers anew where the lease has ended meanwhile', async () => {
    const one = register('--destination', '10.0.0.2:80', '--ttl', '2')
    await one.logged(({ event }) => event === 'registered')
    await cluster.members[0].kill()
    await one.logged(({ event }) => event === 'etcd-away')
    cluster.members[0].start()
    await cluster.answers()
    // Whatever is left of the lease, it is gone from here on.
    for (const lease of (await cluster.ctl('lease', 'list')).split('\n').filter((line) => /^[0-9a-f]{10,}$/.test(line))) {
      await cluster.ctl('lease', 'revoke', lease).catch(() => {})
    }
    await one.logged(({ event }) => event === 'lost')
    await until(registered, (keys) => keys === key('10.0.0.2:80'))
  })

  test('a key that somebody deletes is put again', async () => {
    const one = register('--destination', '10.0.0.2:80', '--ttl', '2')
    await one.logged(({ event }) => event === 'registered')
    await cluster.ctl('del', key('10.0.0.2:80'))
    await until(registered, (keys) => keys === key('10.0.0.2:80'))
  })

  test('it says what directors will object to', async () => {
    const early = register('--destination', '10.0.0.2:80')
    expect((await early.logged(({ event }) => event === 'objection')).message).toContain('there is no service')
    await cluster.put(`${prefix}/v1/services/web`, service)
    const other = register('--destination', '10.0.0.3:8080')
    expect((await other.logged(({ event }) => event === 'objection')).message).toContain('port')
  })

  test.each([['{"protocol":', 'is refused: the value is no JSON'], ['null', 'is refused: the value must be an object']])('it says where the service itself is refused: %s', async (service, words) => {
    await cluster.put(`${prefix}/v1/services/web`, service)
    const one = register('--destination', '10.0.0.2:80')
    expect((await one.logged(({ event }) => event === 'objection')).message).toContain(`${prefix}/v1/services/web ${words}`)
  })

  test.each([
    [['--service', 'web', '--destination', '10.0.0.2:80'], 'which etcd?'],
    [['--etcd', 'http://127.0.0.1:9'], 'which service?'],
    [['--etcd', 'http://127.0.0.1:9', '--service', 'web'], 'which server?'],
    [['--etcd', 'http://127.0.0.1:9', '--service', 'web', '--destination', '10.0.0.2:80'], 'which fleet?'],
    [['--etcd', 'nonsense', '--prefix', '/x', '--service', 'web', '--destination', '10.0.0.2:80'], '--etcd must be an address of etcd'],
    [['--etcd', 'http://127.0.0.1:9', '--prefix', '/x', '--service', 'a/b', '--destination', '10.0.0.2:80'], '--service \'a/b\''],
    [['--etcd', 'http://127.0.0.1:9', '--prefix', '/x', '--service', 'web', '--destination', '10.0.0.2'], '--destination \'10.0.0.2\''],
    [['--etcd', 'http://127.0.0.1:9', '--prefix', '/x', '--service', 'web', '--destination', '10.0.0.2:80', '--weight', '70000'], '--weight \'70000\''],
    [['--etcd', 'http://127.0.0.1:9', '--prefix', '/x', '--service', 'web', '--destination', '10.0.0.2:80', '--ttl', '1'], '--ttl \'1\''],
    [['--etcd', 'http://127.0.0.1:9', '--prefix', '/x', '--service', 'web', '--destination', '10.0.0.2:80', '--forward', 'snat'], '--forward \'snat\''],
    [['--etcd', 'http://127.0.0.1:9', '--prefix', '/x', '--user', 'me', '--service', 'web', '--destination', '10.0.0.2:80'], '--user needs --password-file'],
    [['--etcd', 'http://127.0.0.1:9', '--prefix', '/x', '--cacert', 'x', '--service', 'web', '--destination', '10.0.0.2:80'], '--cacert, --cert and --key is for endpoints'],
  ])('%j is refused before anything is sent', async (args, words) => {
    const { status, stderr } = await run(process.execPath, [command, 'register', ...args])
    expect(stderr).toContain(words)
    expect(status).toBe(2)
  })
})
