/** The last chapters of the demo: `ipvs director` keeps the course's keepalived.conf in force while servers die and return. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { Ipvs } from 'ipvs'
import type { Host } from '../network/host.js'
import { Workshop, type Backend } from '../network/workshop.js'
import { checkout } from '../setup/checkout.js'

/** What the chapters share with those before them. */
export interface Page {
  print: (...lines: string[]) => void
  chapter: (title: string) => void
  /** Prints a result and records a failure. */
  verdict: (good: boolean, words: string, otherwise: string) => void
  /** Who answers a number of requests, each over a new connection. A failed request counts as an error. */
  ask: (times: number, from: string, client: Host) => Promise<string[]>
  /** The table of a machine as `ipvs -Ln` lists it. */
  listIn: (machine: Host) => Promise<string[]>
}

/** Seconds until a step that does not come about counts as failed. Emulated processors are slow. */
const PATIENCE = 60

const digestOf = (name: string): string => createHash('md5').update(`${name}\n`).digest('hex')

/** The file of the course: checks of a page by its digest, a sorry server, and a script for what is not HTTP. Its times are shorter. */
const configuration = (address: string, servers: readonly Backend[], sorry: Backend, script: string): string => `global_defs {
    script_user root
}

virtual_server ${address} 80 {
    delay_loop 1
    lb_algo wlc
    lb_kind DR
    persistence_timeout 120
    protocol TCP
    sorry_server ${sorry.address[4]} 80
${servers.map((server) => `
    real_server ${server.address[4]} 80 {          # ${server.name}
        HTTP_GET {
            url {
                path /service.txt
                digest ${digestOf(server.name)}
            }
            connect_port 80
            connect_timeout 3
            retry 1
            delay_before_retry 0.5
        }
    }
`).join('')}}

virtual_server ${address} 389 {
    delay_loop 1
    lb_algo wlc
    lb_kind DR
    protocol TCP

    real_server ${servers[0].address[4]} 389 {         # ${servers[0].name}: LDAP, asked by a script
        MISC_CHECK {
            misc_path "${script} ${servers[0].address[4]} 389"
            misc_timeout 3
        }
    }
}
`

/** Sends a line to a server and waits for its answer, as a script for LDAP would use ldapsearch. */
const SCRIPT = `#!/bin/bash
exec 3<>"/dev/tcp/$1/$2" && echo "who is there?" >&3 && read -r -t 2 <&3
`

interface Line { event: string, message: string }

/** `ipvs director` as an operator starts it. */
class Running implements AsyncDisposable {
  readonly log: Line[] = []
  readonly #child
  readonly #closed: Promise<unknown>

  constructor(file: string, namespace: string) {
    const args = [join(checkout, 'dist/bin/ipvs.cjs'), 'director', '--keepalived', file, '--netns', namespace, '--log', 'json']
    this.#child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    this.#closed = once(this.#child, 'close')
    createInterface({ input: this.#child.stderr }).on('line', (line) => this.log.push(JSON.parse(line) as Line))
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGTERM')
    await this.#closed
  }
}

/** Told of each step; the rest of the log is about starting and ending. */
const SHOWN = new Set(['up', 'down', 'quorum', 'applied'])

export async function directorChapters({ print, chapter, verdict, ask, listIn }: Page): Promise<void> {
  // Machines of their own: wlc would count the connections that the earlier chapters have left behind.
  await using workshop = await Workshop.create(['alpha', 'beta', 'sorry'])
  const { client, director: machine, backends: [alpha, beta, sorry], clients, virtual } = workshop
  await using ipvs = await Ipvs.open({ netns: machine.namespace.name })
  const web = { protocol: 'tcp', address: virtual[4], port: 80 } as const
  const ldap = { ...web, port: 389 }
  const names = new Map([alpha, beta, sorry].map(({ name, address }) => [address[4], name]))
  const addresses = ({ address }: Backend): string[] => [address[4], virtual[4]]
  const serve = async (backend: Backend, name = backend.name): Promise<void> => {
    for (const address of addresses(backend)) await backend.host.serve('http', address, 80, name)
  }
  const stop = async (backend: Backend): Promise<void> => {
    for (const address of addresses(backend)) await backend.host.stop('http', address, 80)
  }

  // Programs that a director runs may be changed by root only, and so may the folders above them.
  const folder = await mkdtemp('/run/ipvs-demo-')
  try {
    const script = join(folder, 'ldap-answers')
    const file = join(folder, 'keepalived.conf')
    const text = configuration(web.address, [alpha, beta], sorry, script)
    await writeFile(script, SCRIPT, { mode: 0o755 })
    await writeFile(file, text)
    for (const address of addresses(alpha)) await alpha.host.serve('tcp', address, 389, 'alpha')
    for (const backend of [alpha, beta, sorry]) await serve(backend)

    chapter('5. A director that runs by itself: the keepalived.conf of the course')
    print(...text.trimEnd().split('\n').map((line) => line === '' ? '' : `    ${line}`), '')
    print('    $ ipvs director --keepalived keepalived.conf')
    await using running = new Running(file, machine.namespace.name)

    /** Who serves, as the kernel's table has it. */
    const serving = async (): Promise<string> => {
      const { services } = await ipvs.snapshot()
      return [web, ldap].map(({ port }) => {
        const found = services.find((service) => 'port' in service && service.port === port)
        return `${port}: ${found?.destinations.map(({ address }) => names.get(address)).sort().join(' ')}`
      }).join(', ')
    }
    let told = 0
    /** Does something to the servers, and waits until the table is what it should be then. */
    async function step(words: string, act: () => Promise<void>, webServers: readonly Backend[], hasLdap = true): Promise<string[]> {
      print('', `  ${words}`)
      const begun = performance.now()
      await act()
      const expected = `80: ${webServers.map(({ name }) => name).join(' ')}, 389: ${hasLdap ? 'alpha' : ''}`
      let seen = await serving()
      while (seen !== expected && performance.now() - begun < PATIENCE * 1_000 && !running.hasEnded) {
        await setTimeout(5)
        seen = await serving()
      }
      const seconds = ((performance.now() - begun) / 1_000).toFixed(2)
      for (const { event, message } of running.log.slice(told)) if (SHOWN.has(event) || running.hasEnded) print(`    ${message}`)
      told = running.log.length
      print('', ...(await listIn(machine)).map((line) => `    ${line}`), '')
      verdict(seen === expected, `the table is right after ${seconds} s`, `the table is "${seen}" after ${seconds} s, not "${expected}"`)
      const answers: string[] = []
      for (const from of clients[4]) answers.push(...await ask(1, from, client))
      const good = answers.length === clients[4].length && answers.every((name) => webServers.some((one) => one.name === name))
      verdict(good, `four clients were answered by ${answers.join(' ')}`, `four clients were answered by ${answers.join(' ') || 'nobody'}`)
      return answers
    }

    const first = await step('It starts: both servers are well', () => Promise.resolve(), [alpha, beta])
    verdict(new Set(first).size === 2, 'both servers have clients', `only ${first[0]} has clients`)
    await step('Beta is stopped', () => stop(beta), [alpha])
    await step('Beta returns. Clients stay where they have been last (persistence_timeout)', () => serve(beta), [alpha, beta])
    await step('Alpha answers with another page: the digest differs', async () => {
      await stop(alpha)
      await serve(alpha, 'maintenance')
    }, [beta])
    await step('Beta is stopped too: the sorry server takes over', () => stop(beta), [sorry])
    await step('Both return', async () => {
      await stop(alpha)
      await serve(alpha)
      await serve(beta)
    }, [alpha, beta])
    await step('LDAP is stopped on alpha: the script notices', async () => {
      for (const address of addresses(alpha)) await alpha.host.stop('tcp', address, 389)
    }, [alpha, beta], false)
    await step('LDAP returns', async () => {
      for (const address of addresses(alpha)) await alpha.host.serve('tcp', address, 389, 'alpha')
    }, [alpha, beta])
    print('', '  The director ends, and the table stays: whoever starts it again takes it over.')
  } finally {
    await rm(folder, { recursive: true })
  }
}
