import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import { followEtcd, type EtcdFollower, type FollowOptions } from 'ipvs/etcd'
import type { DirectorConfiguration } from 'ipvs/director'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { EtcdCluster, type Member } from '../../support/etcd.js'
import { Gate } from '../../support/gate.js'

/** The tests' prefixes, so that none sees what another has put. */
let number = 0
const prefix = (): string => `/test-${++number}`

const service = (address: string, port = 80) => ({ protocol: 'tcp', address, port })

/** The addresses and ports of a configuration's services. */
const endpoints = ({ services }: DirectorConfiguration): string[] => services.map((one) => 'address' in one ? `${one.address}:${one.port}` : '')

/** A follower that answers soon where something is away, with what it tells. */
class Watched {
  readonly told: [string, unknown][] = []
  readonly #iterator: AsyncIterator<DirectorConfiguration>

  constructor(readonly follower: EtcdFollower) {
    for (const name of ['problem', 'solved', 'away', 'back', 'listed', 'emptied', 'copied', 'uncopied', 'closed'] as const) {
      follower.on(name, (what?: unknown) => this.told.push([name, what]))
    }
    this.#iterator = follower[Symbol.asyncIterator]()
  }

  names(): string[] {
    return this.told.map(([name]) => name)
  }

  /** Waits for a configuration with these services. */
  async until(...expected: string[]): Promise<void> {
    for (;;) {
      const { value } = await this.#iterator.next() as { value: DirectorConfiguration }
      const found = endpoints(value)
      if (found.length === expected.length && found.every((one, index) => one === expected[index])) return
    }
  }
}

function follow(options: FollowOptions): Watched {
  const follower = followEtcd({ heartbeat: 0.3, timeout: 3, ...options })
  onTestFinished(() => follower.close())
  return new Watched(follower)
}

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'etcd-copy-'))
  onTestFinished(() => rm(made, { recursive: true, force: true }))
  return made
}

/** Makes these users, whose password is 'secret', and lets the first of them read a prefix. Until the test ends, nobody else may. */
async function demandUsers(cluster: EtcdCluster, at: string, users: readonly string[]): Promise<void> {
  await cluster.ctl('user', 'add', 'root:r')
  await cluster.ctl('user', 'grant-role', 'root', 'root')
  for (const user of users) await cluster.ctl('user', 'add', `${user}:secret`)
  await cluster.ctl('role', 'add', 'reader')
  await cluster.ctl('role', 'grant-permission', 'reader', 'read', `${at}/v1/services/`, '--prefix=true')
  await cluster.ctl('user', 'grant-role', users[0], 'reader')
  await cluster.ctl('auth', 'enable')
  cluster.user = 'root:r'
  onTestFinished(async () => {
    await cluster.ctl('auth', 'disable')
    cluster.user = ''
  })
}

describe('one member', () => {
  let cluster: EtcdCluster
  let member: Member
  beforeAll(async () => {
    cluster = await EtcdCluster.start()
    member = cluster.members[0]
  })
  afterAll(() => cluster?.[Symbol.asyncDispose]())

  test('services that are put, changed and deleted are followed; a bad one is told, and solved', async () => {
    const at = prefix()
    await cluster.put(`${at}/v1/services/a`, service('192.0.2.1'))
    await cluster.put(`${at}/v1/other`, 'not for a director')
    const { follower, ...watched } = follow({ endpoints: member.url, prefix: `${at}/` })
    const { told } = watched
    const found: string[][] = []
    for await (const configuration of follower) {
      found.push(endpoints(configuration))
      if (found.length === 1) await cluster.put(`${at}/v1/services/b`, service('192.0.2.2'))
      if (found.length === 2) await cluster.put(`${at}/v1/services/a`, service('192.0.2.1', 70000))
      if (found.length === 3) await cluster.put(`${at}/v1/services/a`, service('192.0.2.1', 8080))
      if (found.length === 4) await cluster.ctl('del', `${at}/v1/services/b`)
      if (found.length === 5) break
    }
    const [first, second] = ['192.0.2.1:80', '192.0.2.2:80']
    expect(found).toEqual([[first], [first, second], [first, second], ['192.0.2.1:8080', second], ['192.0.2.1:8080']])
    const key = `${at}/v1/services/a`
    await follower.close()
    expect(told.map(([name]) => name)).toEqual(['listed', 'back', 'problem', 'solved', 'closed'])
    expect(told[2][1]).toMatchObject({
      key, message: 'port must be an integer from 0 to 65535. Received 70000', mistakes: [{ field: 'services[0].port' }],
    })
    expect(told[3][1]).toEqual({ key })
  })

  test('a long list is read in pages, and changes that come meanwhile are not lost', async () => {
    const at = prefix()
    const all = Array.from({ length: 1_200 }, (_, index) => [`s${String(index).padStart(4, '0')}`, service(`10.0.${index >> 8}.${index & 255}`)] as const)
    const put = async (few: typeof all): Promise<void> => {
      const encode = (text: string): string => Buffer.from(text).toString('base64')
      const success = few.map(([name, value]) => ({ request_put: { key: encode(`${at}/v1/services/${name}`), value: encode(JSON.stringify(value)) } }))
      expect((await fetch(`${member.url}/v3/kv/txn`, { method: 'POST', body: JSON.stringify({ success }) })).status).toBe(200)
    }
    for (let from = 0; from < 1_100; from += 100) await put(all.slice(from, from + 100))
    const watched = follow({ endpoints: member.url, prefix: at })
    await put(all.slice(1_100))
    await watched.until(...all.map(([, { address }]) => `${address}:80`))
    expect(watched.follower.status()).toMatchObject({ services: 1_200, problems: [], endpoint: member.url })
  })

  test('revisions that are compacted while nobody can be reached: everything is listed anew', async () => {
    const at = prefix()
    await using gate = await Gate.before(member.url)
    await cluster.put(`${at}/v1/services/a`, service('192.0.2.1'))
    await cluster.put(`${at}/v1/services/b`, service('192.0.2.2'))
    const watched = follow({ endpoints: gate.url, prefix: at })
    await watched.until('192.0.2.1:80', '192.0.2.2:80')
    const away = once(watched.follower, 'away')
    gate.shut()
    await away
    await cluster.ctl('del', `${at}/v1/services/a`)
    await cluster.put(`${at}/v1/services/c`, service('192.0.2.3'))
    const { header } = JSON.parse(await cluster.ctl('get', 'x', '-w', 'json')) as { header: { revision: number } }
    await cluster.ctl('compaction', String(header.revision))
    gate.open()
    await watched.until('192.0.2.2:80', '192.0.2.3:80')
    expect(watched.told.filter(([name]) => name === 'listed').map(([, what]) => what)).toEqual([
      expect.objectContaining({ why: 'start', keys: 2 }), { why: 'compacted', revision: header.revision, keys: 2 },
    ])
  })

  test('more changes than etcd tells at once, made while nobody can be reached, are all followed, and nothing is listed anew', async () => {
    await using gate = await Gate.before(member.url)
    const at = prefix()
    const watched = follow({ endpoints: gate.url, prefix: at })
    await watched.until()
    const away = once(watched.follower, 'away')
    gate.shut()
    await away
    const count = 1_500
    const expected = Array.from({ length: count }, (_, index) => `10.8.${index >> 8}.${index & 255}:80`)
    for (let from = 0; from < count; from += 50) {
      await Promise.all(expected.slice(from, from + 50).map((text, index) => fetch(`${member.url}/v3/kv/put`, {
        method: 'POST',
        body: JSON.stringify({
          key: Buffer.from(`${at}/v1/services/${String(from + index).padStart(5, '0')}`).toString('base64'),
          value: Buffer.from(JSON.stringify(service(text.replace(':80', '')))).toString('base64'),
        }),
      }).then((answer) => answer.text())))
    }
    gate.open()
    await watched.until(...expected)
    expect(watched.names().filter((name) => name === 'listed')).toHaveLength(1)
  })

  test('a copy on disk serves while etcd is away at the start, and only its owner can read it', async () => {
    const at = prefix()
    const copy = join(await folder(), 'services')
    await cluster.put(`${at}/v1/services/a`, service('192.0.2.1'))
    await cluster.put(`${at}/v1/services/a/destinations/x`, { address: '10.0.0.1', port: 80 })
    const first = follow({ endpoints: member.url, prefix: at, copy })
    await first.until('192.0.2.1:80')
    await cluster.put(`${at}/v1/services/b`, service('192.0.2.2'))
    await first.until('192.0.2.1:80', '192.0.2.2:80')
    await first.follower.close()
    expect((await stat(copy)).mode & 0o777).toBe(0o600)

    await using gate = await Gate.before(member.url)
    gate.shut()
    const second = follow({ endpoints: gate.url, prefix: at, copy })
    await second.until('192.0.2.1:80', '192.0.2.2:80')
    expect(second.names()).toEqual(['away', 'copied'])
    await cluster.ctl('del', `${at}/v1/services/b`)
    gate.open()
    await second.until('192.0.2.1:80')
    const seen: unknown[] = []
    for await (const { services } of second.follower) {
      seen.push(services[0].destinations)
      break
    }
    expect(seen).toEqual([[{ address: '10.0.0.1', port: 80 }]])
  })

  test('a file that is no copy is told and left out; it is replaced by the next copy', async () => {
    const at = prefix()
    const copy = join(await folder(), 'services')
    await writeFile(copy, '{"services":[]}\n')
    await cluster.put(`${at}/v1/services/a`, service('192.0.2.1'))
    const watched = follow({ endpoints: member.url, prefix: at, copy })
    await watched.until('192.0.2.1:80')
    expect(watched.told[0]).toEqual(['uncopied', { file: copy, error: expect.objectContaining({ message: `${copy} is no copy of the services below ${at}` }) as Error }])
    await watched.follower.close()
    expect(await readFile(copy, 'utf8')).toContain('192.0.2.1')
  })

  test('etcd that was set up anew, and is empty, takes no service away; its first service counts', async () => {
    const at = prefix()
    await cluster.put(`${at}/v1/services/a`, service('192.0.2.1'))
    const watched = follow({ endpoints: member.url, prefix: at })
    await watched.until('192.0.2.1:80')
    const emptied = once(watched.follower, 'emptied')
    await member.wipe()
    member.start()
    expect(await emptied).toEqual([{ endpoint: member.url, services: 1 }])
    expect(watched.follower.status().services).toBe(1)
    await cluster.answers()
    await cluster.put(`${at}/v1/services/b`, service('192.0.2.2'))
    await watched.until('192.0.2.2:80')
  })

  test('users: a token that has ended is replaced, and a wrong password or a missing permission is told', async () => {
    const at = prefix()
    await demandUsers(cluster, at, ['fleet', 'nobody'])
    await cluster.put(`${at}/v1/services/a`, service('192.0.2.1'))
    let password = 'secret'
    const given: string[] = []
    const watched = follow({ endpoints: member.url, prefix: at, user: 'fleet', password: () => {
      given.push(password)
      return password
    } })
    await watched.until('192.0.2.1:80')
    expect(given).toEqual(['secret'])

    // A new password ends the tokens that the old one was good for. A watch that runs is not asked for its token again: it has to end too.
    await cluster.setPassword('fleet', password = 'new')
    await member.kill()
    member.start()
    await cluster.answers()
    await cluster.put(`${at}/v1/services/b`, service('192.0.2.2'))
    await watched.until('192.0.2.1:80', '192.0.2.2:80')
    expect(given).toEqual(['secret', 'new'])
    expect(watched.told.filter(([name]) => name === 'listed')).toHaveLength(1)

    const reason = async (options: Partial<FollowOptions>): Promise<string> => {
      const { follower } = follow({ endpoints: member.url, prefix: at, ...options })
      const [{ error }] = await once(follower, 'away') as [{ error: Error }]
      return error.message
    }
    expect(await reason({ user: 'fleet', password: 'wrong' })).toBe(`${member.url}: etcdserver: authentication failed, invalid user ID or password`)
    expect(await reason({ user: 'nobody', password: 'secret' })).toBe(`${member.url}: etcdserver: permission denied`)
    expect(await reason({})).toBe(`${member.url}: etcdserver: user name is empty`)
  })
})

describe('three members', () => {
  let cluster: EtcdCluster
  beforeAll(async () => { cluster = await EtcdCluster.start({ members: 3 }) })
  afterAll(() => cluster?.[Symbol.asyncDispose]())

  /** A follower of one service, and the member that it watches at. */
  async function started(): Promise<{ watched: Watched, at: string, member: Member }> {
    const at = prefix()
    await cluster.put(`${at}/v1/services/a`, service('192.0.2.1'))
    const watched = follow({ endpoints: cluster.endpoints, prefix: at })
    const back = once(watched.follower, 'back')
    await watched.until('192.0.2.1:80')
    const [{ endpoint }] = await back as [{ endpoint: string }]
    return { watched, at, member: cluster.members.find(({ url }) => url === endpoint)! }
  }

  /** Changes that must all be seen: one more service, and one less. */
  async function change(at: string): Promise<void> {
    await cluster.put(`${at}/v1/services/b`, service('192.0.2.2'))
    await cluster.ctl('del', `${at}/v1/services/a`)
  }

  test.each(['the member that is watched', 'the leader'])('%s is killed: nothing is missed, and nothing is listed anew', async (which) => {
    const { watched, at, member } = await started()
    const victim = which === 'the leader' ? await cluster.leader() : member
    await victim.kill()
    await cluster.answers()
    await change(at)
    await watched.until('192.0.2.2:80')
    expect(watched.names().filter((name) => name === 'listed')).toHaveLength(1)
    victim.start()
    await cluster.answers()
  })

  test('the member that is watched freezes, with its connections open: another one is watched', async () => {
    const { watched, at, member } = await started()
    member.freeze()
    try {
      await cluster.answers()
      await change(at)
      await watched.until('192.0.2.2:80')
      expect(watched.told.find(([name]) => name === 'away')![1]).toMatchObject({ endpoint: member.url })
      expect(watched.follower.status().endpoint).not.toBe(member.url)
    } finally {
      member.thaw()
    }
    await cluster.answers()
  })

  test('a member without a majority is not believed: it is away until there is a leader again', async () => {
    const { watched, at, member } = await started()
    const away = once(watched.follower, 'away')
    const others = cluster.members.filter((one) => one !== member)
    for (const other of others) other.freeze()
    try {
      expect(await away).toMatchObject([{ endpoint: member.url }])
      expect(watched.follower.status()).toMatchObject({ connected: false, services: 1 })
    } finally {
      for (const other of others) other.thaw()
    }
    await cluster.answers()
    await change(at)
    await watched.until('192.0.2.2:80')
  })
})

describe('TLS', () => {
  let cluster: EtcdCluster
  beforeAll(async () => { cluster = await EtcdCluster.start({ tls: true }) })
  afterAll(() => cluster?.[Symbol.asyncDispose]())

  test('with a certificate of the client it is followed', async () => {
    const at = prefix()
    await cluster.put(`${at}/v1/services/a`, service('192.0.2.1'))
    const watched = follow({ endpoints: cluster.endpoints, prefix: at, tls: cluster.certificates })
    await watched.until('192.0.2.1:80')
    await cluster.put(`${at}/v1/services/a`, service('192.0.2.9'))
    await watched.until('192.0.2.9:80')
  })

  test('roles need a user and a password beside a certificate without a name, because the gateway knows no names of certificates', async () => {
    const at = prefix()
    const [member] = cluster.members
    const nameless = cluster.certificates!
    const named = await cluster.certificatesOf('fleet')
    await demandUsers(cluster, at, ['fleet'])
    await cluster.put(`${at}/v1/services/a`, service('192.0.2.1'))
    // etcdctl does not go through the gateway: by the same certificate it is that user, with that user's role and no other.
    expect(await cluster.ctlBy(named, 'get', `${at}/v1/services/a`)).toContain('192.0.2.1')
    await expect(cluster.ctlBy(named, 'put', `${at}/v1/services/a`, '{}')).rejects.toThrow('permission denied')

    const reason = async (options: Partial<FollowOptions>): Promise<string> => {
      const { follower } = follow({ endpoints: member.url, prefix: at, tls: nameless, ...options })
      const [{ error }] = await once(follower, 'away') as [{ error: Error }]
      return error.message
    }
    const login = { user: 'fleet', password: 'secret' }
    for (const options of [{ tls: named }, { tls: named, ...login }]) {
      expect(await reason(options)).toBe(
        `${member.url}: answered with status 400 and 'CommonName of client sending a request against gateway will be ignored and not used as expected' in the place of JSON: `
        + 'take a client\'s certificate without a common name, and a user with a password',
      )
    }
    expect(await reason({})).toBe(`${member.url}: etcdserver: permission denied`)
    expect(await reason({ ...login, password: 'wrong' })).toBe(`${member.url}: etcdserver: authentication failed, invalid user ID or password`)

    const watched = follow({ endpoints: cluster.endpoints, prefix: at, tls: nameless, ...login })
    await watched.until('192.0.2.1:80')
    await cluster.put(`${at}/v1/services/b`, service('192.0.2.2'))
    await watched.until('192.0.2.1:80', '192.0.2.2:80')
    expect(watched.names()).not.toContain('away')
  })

  test.each([
    ['without a certificate of the client', ({ authorities }: NonNullable<EtcdCluster['certificates']>) => ({ authorities }), /certificate|alert|socket/i],
    ['without etcd\'s authority', ({ certificate, key }: NonNullable<EtcdCluster['certificates']>) => ({ certificate, key }), /certificate/i],
    ['with a file that is not there', (all: NonNullable<EtcdCluster['certificates']>) => ({ ...all, authorities: '/nowhere/ca.pem' }), /ENOENT.*\/nowhere\/ca\.pem/],
  ])('%s it is away, with the reason', async (_, choose, reason) => {
    const { follower } = follow({ endpoints: cluster.endpoints, prefix: '/x', tls: choose(cluster.certificates!) })
    const [{ error }] = await once(follower, 'away') as [{ error: Error }]
    expect(error.message).toMatch(reason)
  })
})

test.each([
  [{}, 'options.endpoints is missing'], [{ endpoints: [] }, 'options.endpoints needs'], [{ endpoints: 'ftp://x' }, 'options.endpoints must be an address'],
  [{ endpoints: 'http://u:p@x' }, 'options.endpoints has a user'], [{ endpoints: ['http://x', 'x y'] }, 'options.endpoints[1] must be'],
  [{ endpoints: 'http://x', prefix: '/' }, 'options.prefix must be'], [{ endpoints: 'http://x', prefix: 7 }, 'options.prefix must be'],
  [{ endpoints: 'http://x', user: 'u' }, 'options.password is missing'], [{ endpoints: 'http://x', password: 'p' }, 'options.user is missing'],
  [{ endpoints: 'http://x', tls: {} }, 'options.tls is for endpoints'], [{ endpoints: 'https://x', tls: { key: '/k' } }, 'options.tls.certificate is missing'],
  [{ endpoints: 'https://x', tls: { ca: '/k' } }, 'options.tls.ca is not a property'], [{ endpoints: 'http://x', heartbeat: 0 }, 'options.heartbeat must be'],
  [{ endpoints: 'http://x', timeout: '5' }, 'options.timeout must be'], [{ endpoints: 'http://x', scripts: 'here' }, 'options.scripts must be an absolute path'],
  [{ endpoints: 'http://x', copy: 'here' }, 'options.copy must be an absolute path'], [{ endpoints: 'http://x', prefx: '/y' }, 'options.prefx is not a property'],
])('a bad option is refused by its name, before anything is sent: %j', (options, message) => {
  expect(() => followEtcd({ prefix: '/x', ...options } as FollowOptions)).toThrow(message)
})
