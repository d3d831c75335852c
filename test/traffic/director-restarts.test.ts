import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Backend } from '../../scripts/network/workshop.js'
import { Random } from '../kernel/rules-random.js'
import { DirectorProcess } from '../support/director-process.js'
import { PORT, Stage } from '../support/stage.js'
import { until } from '../support/until.js'

/** How many things happen, and which. DIRECTOR_STEPS=200 for a long look, DIRECTOR_SEED for others. */
const steps = Number(process.env.DIRECTOR_STEPS ?? 8)
const seed = Number(process.env.DIRECTOR_SEED ?? 1)

/** Backends say here whether they are well. They go on serving, so that every connection that is lost is the director's doing. */
const HEALTH = 81

let stage: Stage
let folder: string
beforeEach(async () => {
  stage = await Stage.create(['alpha', 'beta', 'gamma'])
  folder = await mkdtemp(join(tmpdir(), 'director-restarts-'))
})
afterEach(async () => {
  await stage[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

const sayWell = ({ host, address }: Backend): Promise<void> => host.serve('tcp', address[4], HEALTH, 'well')
const sayIll = ({ host, address }: Backend): Promise<void> => host.stop('tcp', address[4], HEALTH)

test(`no connection is lost while the director is killed, started, and told other things ${steps} times, at moments from seed ${seed}`, async () => {
  const random = new Random(seed)
  const [alpha, beta, gamma] = stage.workshop.backends
  for (const backend of [alpha, beta, gamma]) await sayWell(backend)
  const service = stage.fresh('tcp', 4)
  const file = join(folder, 'keepalived.conf')
  const real = ({ address }: Backend, weight: number): string => `
  real_server ${address[4]} ${PORT} {
    weight ${weight}
    inhibit_on_failure
    TCP_CHECK {
      connect_port ${HEALTH}
      connect_timeout 30
      retry 1
      delay_before_retry 0.1
    }
  }`
  /** Beside alpha there is another server, and the third one is the sorry server. */
  let [second, sorry] = [beta, gamma]
  let weight = 1
  async function write(): Promise<void> {
    await writeFile(`${file}~`, `
virtual_server ${service.address} ${service.port} {
  delay_loop 0.1
  lb_algo rr
  lb_kind NAT
  protocol TCP
  quorum ${weight + 1}
  sorry_server ${sorry.address[4]} ${PORT}${real(alpha, weight)}${real(second, 1)}
}
`)
    await rename(`${file}~`, file)
  }
  const start = (): Promise<DirectorProcess> => DirectorProcess.start(['--keepalived', file, '--netns', stage.workshop.director.namespace.name])

  /** Who takes new connections, with its weight, as ipvsadm sees it. */
  const serving = async (): Promise<string> => (await stage.ipvsadm.list())[0].destinations
    .map(({ entry, columns }) => [entry.split(':')[0], columns[1]]).filter(([, given]) => given !== '0').map((one) => one.join('=')).sort().join(' ')
  const becomes = (...expected: [Backend, number][]): Promise<string> => {
    const text = expected.map(([{ address }, given]) => `${address[4]}=${given}`).sort().join(' ')
    return until(serving, (now) => now === text, 60)
  }
  const isWell = (): Promise<string> => becomes([alpha, weight], [second, 1])

  await write()
  let director = await start()
  try {
    await isWell()
    const held = await stage.workshop.client.connect({ transport: 'tcp', address: service.address, port: service.port })
    // Alpha is always there; what the others have may be drained for as long as it takes.
    let visitor = held
    while ((await visitor.say())[0] !== 'alpha') visitor = await stage.workshop.client.connect({ transport: 'tcp', address: service.address, port: service.port })

    let answers = 0
    let isOver = false
    // A connection that is refused, or lost, or answered by nobody ends it.
    const running = (async () => {
      while (!isOver) answers += (await stage.ask(service, 2)).length
    })()
    running.catch(() => {})
    const meanwhile = async (): Promise<void> => {
      const wanted = answers + random.integer(0, 20)
      await Promise.race([running, until(() => Promise.resolve(answers), (now) => now >= wanted, 60)])
    }

    const acts: Record<string, () => Promise<void>> = {
      'it is killed and started': async () => {
        await director.end('SIGKILL')
        await meanwhile()
        director = await start()
      },
      'it is stopped and started': async () => {
        expect(await director.end()).toBe(0)
        await meanwhile()
        director = await start()
      },
      'a weight is another': async () => {
        weight = 3 - weight
        await write()
        director.signal('SIGHUP')
      },
      'a server is replaced': async () => {
        [second, sorry] = [sorry, second]
        await write()
        director.signal('SIGHUP')
      },
      'the sorry server comes and goes': async () => {
        await sayIll(second)
        await becomes([sorry, 1])
        await meanwhile()
        await sayWell(second)
      },
      'it is killed while the sorry server serves': async () => {
        await sayIll(second)
        await becomes([sorry, 1])
        await director.end('SIGKILL')
        await meanwhile()
        director = await start()
        await becomes([sorry, 1])
        await sayWell(second)
      },
      'it is killed after it was told of a server that is replaced': async () => {
        [second, sorry] = [sorry, second]
        await write()
        director.signal('SIGHUP')
        await meanwhile()
        await director.end('SIGKILL')
        director = await start()
      },
    }
    const names = Object.keys(acts)
    const done: string[] = []
    for (let step = 0; step < steps; step++) {
      // Each once, then any of them.
      const name = names[step] ?? random.pick(names)
      done.push(name)
      await meanwhile()
      await acts[name]()
      await isWell()
      expect(await visitor.say(), done.join(', ')).toEqual(['alpha'])
    }
    await meanwhile()
    isOver = true
    await running
    expect(answers).toBeGreaterThan(steps)
    await visitor.end()
    if (visitor !== held) await held.end()
  } finally {
    await director[Symbol.asyncDispose]()
  }
// On an emulated kernel, where everything takes ten times as long, five minutes were too short.
}, 1_800_000)
