import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Ipvs } from 'ipvs'
import { run } from '../../scripts/setup/run.js'
import { command, DirectorProcess } from '../support/director-process.js'
import { Scene } from '../support/scene.js'
import { until } from '../support/until.js'
import { WebServers } from '../support/web-servers.js'

const A = '127.0.1.1'
const B = '127.0.1.2'

let scene: Scene
let servers: WebServers
let folder: string
let file: string
beforeEach(async () => {
  scene = await Scene.create(Ipvs, 'command')
  servers = new WebServers(scene.namespace)
  await servers.serve(A, 8080, 'hello')
  await servers.serve(B, 8080, 'hello')
  folder = await mkdtemp(join(tmpdir(), 'director-'))
  file = join(folder, 'keepalived.conf')
})
afterEach(async () => {
  await servers[Symbol.asyncDispose]()
  await scene[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

const real = (address: string): string => `
  real_server ${address} 8080 {
    HTTP_GET {
      url {
        path /
        status_code 200
      }
      connect_timeout 30
      retry 1
      delay_before_retry 0.1
    }
  }`

const virtual = (address: string, ...reals: string[]): string => `
virtual_server ${address} 80 {
  delay_loop 0.2
  lb_algo rr
  lb_kind NAT
  protocol TCP${reals.map(real).join('')}
}
`

const write = (text: string): Promise<void> => writeFile(file, text)

/** Replaces the file as editors do: by another one of its name. */
async function replace(text: string): Promise<void> {
  await writeFile(`${file}~`, text)
  await rename(`${file}~`, file)
}

const start = (...options: string[]): Promise<DirectorProcess> =>
  DirectorProcess.start(['--keepalived', file, '--netns', scene.namespace.name, ...options])

/** The table as ipvsadm sees it: each destination as SERVICE>DESTINATION. */
const table = async (): Promise<string> => (await scene.ipvsadm.save()).filter((line) => line.startsWith('-a'))
  .map((line) => line.replace(/^-a -\w (\S+):80 -r (\S+):8080.*$/, '$1>$2')).sort().join(' ')
const becomes = (expected: string): Promise<string> => until(table, (now) => now === expected, 60)

const get = async (place: string, path: string, method = 'GET'): Promise<{ status: number, body: string }> => {
  const answer = await fetch(`http://${place}${path}`, { method })
  return { status: answer.status, body: await answer.text() }
}

describe('ipvs director', () => {
  test('directs by a keepalived.conf until SIGTERM, and leaves the table', async () => {
    await write(virtual('10.0.0.1', A, B))
    await using director = await start('--listen', '0')
    const { address } = await director.logged(({ event }) => event === 'listening') as unknown as { address: string }
    expect(address).toMatch(/^127\.0\.0\.1:\d+$/)
    expect(await table()).toBe(`10.0.0.1>${A} 10.0.0.1>${B}`)
    // A server that never gave a good answer is down after one bad answer.
    const good = /director_check_good_total\{.*\} [1-9]/g
    await until(() => get(address, '/metrics'), ({ body }) => [...body.matchAll(good)].length === 2, 60)
    await servers.stop(A, 8080)
    await becomes(`10.0.0.1>${B}`)
    const down = await director.logged(({ event }) => event === 'down')
    expect(down).toMatchObject({ service: 'tcp 10.0.0.1:80', destination: `${A}:8080`, level: 'warning', answers: 2 })
    expect(down.message).toContain('went from up to down after 2 bad answers: the connection was refused')

    expect(await get(address, '/healthz')).toEqual({ status: 200, body: 'ok\n' })
    expect(await get(address, '/healthz', 'POST')).toMatchObject({ status: 405 })
    expect(await get(address, '/healthz', 'HEAD')).toEqual({ status: 200, body: '' })
    expect(await get(address, '/secret')).toMatchObject({ status: 404 })
    const { services, ...rest } = JSON.parse((await get(address, '/status.json')).body) as { services: unknown[] }
    expect(rest).toMatchObject({ healthy: true, inForce: true })
    expect(services).toEqual([{
      service: 'tcp 10.0.0.1:80', quorum: true, fallback: false, draining: [], destinations: [
        { destination: `${A}:8080`, up: false, ups: 0, downs: 1, since: expect.any(String) as string, check: 'GET /', words: expect.stringContaining('refused') as string },
        { destination: `${B}:8080`, up: true, ups: 0, downs: 0, weight: 1, since: expect.any(String) as string },
      ],
    }])
    expect((await get(address, '/metrics')).body).toContain(`node_ipvs_backend_weight{local_address="10.0.0.1",local_port="80",remote_address="${B}",remote_port="8080",proto="TCP",local_mark=""} 1`)

    expect(await director.end()).toBe(0)
    expect(await table()).toBe(`10.0.0.1>${B}`)
  })

  test('takes another file at SIGHUP, and changes nothing for one with a mistake', async () => {
    await write(virtual('10.0.0.1', A))
    await using director = await start('--remove-on-exit')
    await write(virtual('10.0.0.1', A, B).replace('real_server', 'real_server nowhere 80 { }\nreal_server'))
    director.signal('SIGHUP')
    const refused = await director.logged(({ event, level }) => event === 'configuration' && level === 'error')
    expect(refused.message).toContain('is refused, and the configuration stays as it is')
    expect(director.log).toContainEqual(expect.objectContaining({ event: 'diagnostic', level: 'error', file, line: 7, severity: 'error' }))
    expect(await table()).toBe(`10.0.0.1>${A}`)
    // keepalived ends at such a file.
    await write(`SSL {\n  ca ${folder}/none.pem\n}\n${virtual('10.0.0.1', A, B).replaceAll('HTTP_GET', 'SSL_GET')}`)
    const before = director.log.length
    director.signal('SIGHUP')
    await director.logged(({ event, level }) => event === 'configuration' && level === 'error', before)
    expect(director.log.slice(before)).toContainEqual(
      expect.objectContaining({ event: 'diagnostic', level: 'error', file, line: 2, column: 6, problem: `${folder}/none.pem does not exist` }),
    )
    expect(await table()).toBe(`10.0.0.1>${A}`)
    await write(virtual('10.0.0.1', B) + virtual('10.0.0.2', A))
    director.signal('SIGHUP')
    await becomes(`10.0.0.1>${B} 10.0.0.2>${A}`)
    await director.logged(
      ({ event, message }) => event === 'configuration' && message.includes('SIGHUP: directs 2 services, 2 destinations'),
    )
    const lines = director.log.length
    director.signal('SIGHUP')
    expect((await director.logged(({ event }) => event === 'configuration', lines)).message).toContain('says what it said before')
    expect(await director.end('SIGINT')).toBe(0)
    expect(await scene.ipvsadm.save()).toEqual([])
  })

  test('follows a file that is replaced, files that it includes, and a link that leads elsewhere', async () => {
    // As a ConfigMap is mounted: the file is a link through a link to a folder, which is exchanged.
    const version = async (name: string, text: string): Promise<void> => {
      await mkdir(join(folder, name))
      await writeFile(join(folder, name, 'keepalived.conf'), text)
      await symlink(name, join(folder, '..data~'))
      await rename(join(folder, '..data~'), join(folder, '..data'))
    }
    await mkdir(join(folder, 'conf.d'))
    await version('..1', `include conf.d/*.conf\n${virtual('10.0.0.1', A)}`)
    await symlink('..data/keepalived.conf', file)
    await using director = await start('--follow')
    expect(await table()).toBe(`10.0.0.1>${A}`)
    await writeFile(join(folder, 'conf.d/b.conf'), virtual('10.0.0.2', B))
    await becomes(`10.0.0.1>${A} 10.0.0.2>${B}`)
    await version('..2', `include conf.d/*.conf\n${virtual('10.0.0.1', B)}`)
    await becomes(`10.0.0.1>${B} 10.0.0.2>${B}`)
    await rm(join(folder, 'conf.d/b.conf'))
    await becomes(`10.0.0.1>${B}`)
    await replace(virtual('10.0.0.1', A, B))
    await becomes(`10.0.0.1>${A} 10.0.0.1>${B}`)
    // What is being written may be empty at first.
    await write('')
    await director.logged(({ message }) => message.includes('is empty, as files are that are being written'))
    expect(await table()).toBe(`10.0.0.1>${A} 10.0.0.1>${B}`)
    await write(virtual('10.0.0.1', A))
    await becomes(`10.0.0.1>${A}`)
    expect(await director.end()).toBe(0)
  })

  test('removes what is its own, and leaves the rest', async () => {
    await scene.ipvsadm.run('-A -t 10.0.0.7:80', '-A -t 10.0.9.1:80', '-A -u 10.0.0.8:53')
    await write(virtual('10.0.0.1', A))
    await using director = await start('--own', 'tcp:10.0.0.0/24', 'fwmark:1-9', '--drain', '0')
    expect((await scene.ipvsadm.save()).filter((line) => line.startsWith('-A')).map((line) => line.split(' ').slice(1, 3).join(' ')).sort())
      .toEqual(['-t 10.0.0.1:80', '-t 10.0.9.1:80', '-u 10.0.0.8:53'])
    expect((await director.logged(({ event }) => event === 'foreign')).services).toEqual(
      expect.arrayContaining(['tcp 10.0.9.1:80', 'udp 10.0.0.8:53']),
    )
    expect(await director.end()).toBe(0)
  })

  test('ends with a status that says why it does not begin', async () => {
    const status = async (...args: string[]): Promise<number> => (await run(process.execPath, [command, 'director', ...args])).status
    await write(virtual('10.0.0.1', A))
    expect(await status('--keepalived', join(folder, 'nothing.conf'))).toBe(5)
    expect(await status('--keepalived', file, '--netns', 'nowhere')).toBe(3)
    expect(await status('--keepalived', file, '--netns', scene.namespace.name, '--listen', '192.0.2.77:9102')).toBe(3)
    expect(await status('--keepalived', file, '--listen', 'localhost:80')).toBe(2)
    await write('virtual_server 10.0.0.1 80 {\n}\nvirtual_server nowhere 80 {\n}\n')
    expect(await status('--keepalived', file, '--netns', scene.namespace.name)).toBe(5)
    await write(`SSL {\n  key ${file}\n}\n${virtual('10.0.0.1', A).replace('HTTP_GET', 'SSL_GET')}`)
    expect(await status('--keepalived', file, '--netns', scene.namespace.name)).toBe(5)
    expect(await status('--keepalived', file, '--check')).toBe(5)
    expect(await scene.ipvsadm.save()).toEqual([])
  })
})
