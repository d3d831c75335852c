import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Ipvs } from 'ipvs'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { run } from '../../scripts/setup/run.js'
import { command, DirectorProcess } from '../support/director-process.js'
import { EtcdCluster } from '../support/etcd.js'
import { Scene } from '../support/scene.js'
import { until } from '../support/until.js'

/** The tests' prefixes, so that none sees what another has put. */
let number = 0
let prefix = ''
let cluster: EtcdCluster

const web = (...destinations: string[]) => ({
  protocol: 'tcp', address: '192.0.2.1', port: 80, scheduler: 'mh', schedulerFlags: ['mh-port'],
  destinations: destinations.map((address) => ({ address, port: 80, forward: 'nat' })),
})
const saved = (...destinations: string[]): string[] => [
  '-A -t 192.0.2.1:80 -s mh -b mh-port', ...destinations.map((address) => `-a -t 192.0.2.1:80 -r ${address}:80 -m -w 1`),
]

/** Waits until ipvsadm sees this table. */
const sees = ({ ipvsadm }: Scene, expected: readonly string[]): Promise<string[]> =>
  until(() => ipvsadm.save(), (lines) => lines.join('\n') === expected.join('\n'))

async function scene(label: string): Promise<Scene> {
  const made = await Scene.create(Ipvs, label)
  onTestFinished(() => made[Symbol.asyncDispose]())
  return made
}

function options({ namespace }: Scene, ...more: string[]): string[] {
  return ['--etcd', cluster.endpoints.join(','), '--prefix', prefix, '--netns', namespace.name, '--drain', '0', ...more]
}

async function start(args: readonly string[]): Promise<DirectorProcess> {
  const director = new DirectorProcess(args)
  onTestFinished(() => director[Symbol.asyncDispose]())
  await director.logged(({ event }) => event === 'running')
  return director
}

/** A folder that belongs to root and is writable by nobody else, as programs need. */
async function folder(): Promise<string> {
  const made = await mkdtemp('/run/ipvs-fleet-')
  onTestFinished(() => rm(made, { recursive: true, force: true }))
  await chmod(made, 0o755)
  return made
}

beforeAll(async () => {
  cluster = await EtcdCluster.start()
})
afterAll(() => cluster[Symbol.asyncDispose]())
beforeEach(() => {
  prefix = `/fleet-${++number}`
})

describe('ipvs director --etcd', () => {
  test('all directors of a fleet do what is put into etcd: ipvsadm sees it in each of their tables', async () => {
    const scenes = [await scene('first'), await scene('second')]
    await cluster.put(`${prefix}/v1/services/web`, web('10.0.0.3', '10.0.0.2'))
    for (const one of scenes) await start(options(one))
    for (const one of scenes) await sees(one, saved('10.0.0.2', '10.0.0.3'))

    await cluster.put(`${prefix}/v1/services/web`, web('10.0.0.2', '10.0.0.3', '10.0.0.4'))
    for (const one of scenes) await sees(one, saved('10.0.0.2', '10.0.0.3', '10.0.0.4'))

    await cluster.put(`${prefix}/v1/services/web/destinations/b5`, { address: '10.0.0.5', port: 80, forward: 'nat' })
    for (const one of scenes) await sees(one, saved('10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5'))

    await cluster.ctl('del', `${prefix}/v1/services/web`, '--prefix')
    for (const one of scenes) await sees(one, [])
  })

  test('ipvs fleet compares the tables as the kernel has them, and sees where destinations were not added in order', async () => {
    const scenes = [await scene('early'), await scene('late')]
    await cluster.put(`${prefix}/v1/services/web`, web('10.0.0.2', '10.0.0.4'))
    const state = async (): Promise<{ differ: boolean, directors: { hash?: string, unsorted?: number }[] }> => {
      const args = ['fleet', '--etcd', cluster.endpoints.join(','), '--prefix', prefix, '--json']
      const { stdout } = await run(process.execPath, [command, ...args])
      return JSON.parse(stdout) as Awaited<ReturnType<typeof state>>
    }
    await start(options(scenes[0], '--id', 'early'))
    await until(state, ({ directors }) => directors[0]?.unsorted === 0)
    await cluster.put(`${prefix}/v1/services/web`, web('10.0.0.2', '10.0.0.3', '10.0.0.4'))
    await sees(scenes[0], saved('10.0.0.2', '10.0.0.3', '10.0.0.4'))
    await start(options(scenes[1], '--id', 'late'))
    await until(state, ({ differ, directors }) =>
      !differ && directors.length === 2 && directors.every(({ hash }) => hash !== undefined) && directors.map(({ unsorted }) => unsorted).join() === '1,0')
  })

  test('a bad value is told by its key, and leaves that service as it was and the others alone', async () => {
    const one = await scene('bad')
    await cluster.put(`${prefix}/v1/services/web`, web('10.0.0.2'))
    const director = await start(options(one))
    await cluster.put(`${prefix}/v1/services/web`, { ...web('10.0.0.9'), port: 80_000 })
    const { message } = await director.logged(({ event }) => event === 'problem')
    expect(message).toContain(`${prefix}/v1/services/web: `)
    expect(message).toContain('port')
    await cluster.put(`${prefix}/v1/services/mark`, { fwmark: 7, family: 4, scheduler: 'rr' })
    await sees(one, [...saved('10.0.0.2'), '-A -f 7 -s rr'])

    await cluster.put(`${prefix}/v1/services/web`, web('10.0.0.9'))
    await director.logged(({ event }) => event === 'solved')
    await sees(one, [...saved('10.0.0.9'), '-A -f 7 -s rr'])
  })

  test('from etcd no program runs, unless --scripts names the folder: then only those in it that root alone can change', async () => {
    const programs = await folder()
    const ran = join(programs, 'ran')
    for (const [name, mode] of [['good', 0o755], ['loose', 0o777]] as const) {
      await writeFile(join(programs, name), `#!/bin/sh\necho ${name} >> ${ran}\n`)
      await chmod(join(programs, name), mode)
    }
    const checked = (command: string) => ({ ...web('10.0.0.2'), checks: [{ type: 'script', command: [command], interval: 0.1 }] })
    const key = `${prefix}/v1/services/web`

    await cluster.put(key, checked('good'))
    const without = await start(options(await scene('without')))
    expect((await without.logged(({ event }) => event === 'problem')).message).toContain('names a program, and from etcd none may run here')
    await without.end()

    const one = await scene('scripts')
    const director = await start(options(one, '--scripts', programs))
    await sees(one, saved('10.0.0.2'))
    await until(() => stat(ran).then(() => true, () => false), (there) => there)
    for (const [command, words] of [
      ['/bin/sh', 'must be the name of a program in'], ['../good', 'must be the name of a program in'], ['missing', 'missing'], ['loose', 'loose'],
    ]) {
      const before = director.log.length
      await cluster.put(key, { ...checked(command), scheduler: 'rr', schedulerFlags: [] })
      expect((await director.logged(({ event }) => event === 'problem', before)).message).toContain(words)
    }
    await cluster.put(`${prefix}/v1/services/mark`, { fwmark: 7, family: 4, scheduler: 'rr' })
    await sees(one, [...saved('10.0.0.2'), '-A -f 7 -s rr'])
  })

  test('while etcd is away the table stays, and a director that starts then directs what its copy has', async () => {
    const one = await scene('away')
    const other = await scene('copy')
    const copy = join(await folder(), 'services')
    await cluster.put(`${prefix}/v1/services/web`, web('10.0.0.2'))
    const director = await start(options(one))
    const copying = await start(options(other, '--copy', copy))
    await until(() => stat(copy).then(({ mode }) => mode & 0o777, () => 0), (mode) => mode === 0o600)
    expect(await copying.end()).toBe(0)

    await cluster.members[0].kill()
    await director.logged(({ event }) => event === 'etcd-away')
    expect(await one.ipvsadm.save()).toEqual(saved('10.0.0.2'))
    await other.ipvsadm.run('-C')
    const again = await start(options(other, '--copy', copy))
    expect(again.log.map(({ event }) => event)).toContain('copied')
    await sees(other, saved('10.0.0.2'))

    cluster.members[0].start()
    await cluster.answers()
    await cluster.put(`${prefix}/v1/services/web`, web('10.0.0.2', '10.0.0.3'))
    for (const scene of [one, other]) await sees(scene, saved('10.0.0.2', '10.0.0.3'))
  })

  test('SIGTERM ends it while etcd has never answered', async () => {
    const one = await scene('never')
    const director = new DirectorProcess(['--etcd', 'http://127.0.0.1:9', '--prefix', prefix, '--netns', one.namespace.name])
    onTestFinished(() => director[Symbol.asyncDispose]())
    await director.logged(({ event }) => event === 'etcd-away')
    expect(await director.end()).toBe(0)
  })
})
