import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { Ipvs } from 'ipvs'
import { run, type Ended } from '../../scripts/setup/run.js'
import { Scene } from '../support/scene.js'

/** One of the examples, running in the scene's namespace as its user would run it. */
class Example implements AsyncDisposable {
  readonly lines: string[] = []
  readonly #process: ChildProcessByStdio<null, Readable, null>
  readonly #exit: Promise<[number | null]>
  #heard: (() => void) | undefined

  constructor(name: string, args: readonly string[]) {
    const file = fileURLToPath(new URL(`../../examples/${name}.mjs`, import.meta.url))
    this.#process = spawn('nsenter', [`--net=${scene.namespace.path}`, process.execPath, file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#exit = once(this.#process, 'close') as Promise<[number | null]>
    createInterface({ input: this.#process.stdout }).on('line', (line) => {
      this.lines.push(line)
      this.#heard?.()
    })
  }

  /** Waits for a line that says so; the lines before it are passed over, so that the next wait is for a later one. */
  async says(words: string): Promise<string> {
    for (;;) {
      const line = this.lines.shift()
      if (line?.includes(words)) return line
      if (line !== undefined) continue
      const ended = await Promise.race([
        this.#exit.then(([status]) => ({ status })),
        new Promise<undefined>((resolve) => {
          this.#heard = () => resolve(undefined)
        }),
      ])
      if (ended !== undefined && this.lines.length === 0) throw new Error(`the example ended with status ${ended.status} and did not say: ${words}`)
    }
  }

  signal(name: NodeJS.Signals): void {
    this.#process.kill(name)
  }

  async status(): Promise<number | null> {
    const [status] = await this.#exit
    return status
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#exit
  }
}

/** Runs an example to its end. */
const example = (name: string, ...args: string[]): Promise<Ended> =>
  run('nsenter', [`--net=${scene.namespace.path}`, process.execPath, fileURLToPath(new URL(`../../examples/${name}.mjs`, import.meta.url)), ...args])

let scene: Scene
let folder: string
beforeAll(async () => {
  scene = await Scene.create(Ipvs, 'examples')
})
afterAll(() => scene[Symbol.asyncDispose]())
beforeEach(async () => {
  await scene.ipvs.flush()
  folder = await mkdtemp(join(tmpdir(), 'ipvs-examples-'))
})
afterEach(() => rm(folder, { recursive: true }))

test('blue-green switches from one set of backends to the other', async () => {
  for (const [colour, network] of [['blue', '10.10.20.'], ['green', '10.10.30.'], ['green', '10.10.30.'], ['blue', '10.10.20.']]) {
    await using example = new Example('blue-green', [colour])
    expect(await example.status()).toBe(0)
    expect((await scene.ipvsadm.save()).sort()).toEqual(['-A -t 10.10.10.100:80 -s rr', ...[1, 2].map((last) => `-a -t 10.10.10.100:80 -r ${network}${last}:80 -m -w 1`)].sort())
  }
  await using wrong = new Example('blue-green', ['red'])
  expect(await wrong.status()).toBe(2)
})

test('drain-on-sigterm serves until it is told to end, and takes its rules with it', async () => {
  await scene.ipvsadm.run('-A -t 10.10.10.100:80 -s rr')
  await using example = new Example('drain-on-sigterm', [])
  await example.says('serving')
  expect(await scene.ipvs.destinations({ protocol: 'tcp', address: '10.10.10.100', port: 443 })).toHaveLength(2)
  example.signal('SIGTERM')
  await example.says('done')
  expect(await example.status()).toBe(0)
  expect(await scene.ipvsadm.save()).toEqual(['-A -t 10.10.10.100:80 -s rr'])
})

test('follow-file keeps the table at what a file says', async () => {
  const file = join(folder, 'table.json')
  const say = async (ports: readonly number[]): Promise<void> => {
    const text = JSON.stringify({ services: ports.map((port) => ({ protocol: 'tcp', address: '10.10.10.100', port, scheduler: 'rr' })) })
    await writeFile(`${file}.new`, text)
    await rename(`${file}.new`, file)
  }
  const ports = async (): Promise<string[]> => (await scene.ipvsadm.save()).sort()
  await say([80, 81])
  await using example = new Example('follow-file', [file])
  await example.says('as the file says')
  expect(await ports()).toEqual(['-A -t 10.10.10.100:80 -s rr', '-A -t 10.10.10.100:81 -s rr'])
  await say([81, 82])
  await example.says('removeService tcp 10.10.10.100:80')
  await example.says('as the file says')
  expect(await ports()).toEqual(['-A -t 10.10.10.100:81 -s rr', '-A -t 10.10.10.100:82 -s rr'])
  await scene.ipvsadm.run('-D -t 10.10.10.100:82')
  await example.says('addService tcp 10.10.10.100:82')
  example.signal('SIGTERM')
  expect(await example.status()).toBe(0)
})

test('rates tells what changes', async () => {
  await using example = new Example('rates', ['0.05'])
  await scene.ipvsadm.run('-A -t 10.10.10.100:80 -s rr', '-a -t 10.10.10.100:80 -r 10.10.20.1:80 -m')
  await example.says('destinationAdded tcp 10.10.10.100:80 10.10.20.1')
  await scene.ipvsadm.run('-C')
  await example.says('serviceRemoved tcp 10.10.10.100:80')
  example.signal('SIGTERM')
  expect(await example.status()).toBe(0)
})

test.each([
  ['rates', 'x'], ['rates', '0'], ['exporter', 'x'], ['exporter', '65536'], ['follow-file', '/no/such/table.json'], ['blue-green', 'red'],
])('%s %j is answered with one line that tells how it is called', async (name, argument) => {
  const { status, stdout, stderr } = await example(name, argument)
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  expect(stderr).toMatch(new RegExp(`^usage: node ${name}\\.mjs .*\n$`))
})

test('the exporter says in one line that its port is taken', async () => {
  await using first = new Example('exporter', ['0'])
  const port = /:(\d+)\/metrics/.exec(await first.says('http://'))![1]
  const { status, stderr } = await example('exporter', port)
  expect(status).toBe(1)
  expect(stderr).toMatch(/^listen EADDRINUSE.*\n$/)
})

test('the exporter answers a scrape', async () => {
  await scene.ipvsadm.run('-A -t 10.10.10.100:80 -s rr', '-a -t 10.10.10.100:80 -r 10.10.20.1:8080 -m -w 4')
  await using example = new Example('exporter', ['0'])
  const url = await example.says('http://')
  const text = await scene.namespace.must(process.execPath, ['-e', `fetch('${url}').then(r => r.text()).then(t => process.stdout.write(t))`])
  expect(text).toContain('node_ipvs_connections_total 0')
  expect(text).toContain(
    'node_ipvs_backend_weight{local_address="10.10.10.100",local_port="80",remote_address="10.10.20.1",remote_port="8080",proto="TCP",local_mark=""} 4',
  )
  example.signal('SIGTERM')
  expect(await example.status()).toBe(0)
})
