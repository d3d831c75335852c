import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Namespace } from '../../scripts/network/namespace.js'
import { DirectorProcess } from '../support/director-process.js'
import { Ipvsadm } from '../support/ipvsadm.js'
import { Keepalived } from '../support/keepalived.js'
import { until } from '../support/until.js'
import { WebServers } from '../support/web-servers.js'

/** The digest of 'hello'. */
const HELLO = '5d41402abc4b2a76b9719d911017c592'
const [A, B, C, SORRY] = ['127.0.1.1', '127.0.1.2', '127.0.1.3', '127.0.1.9']

let ours: Namespace
let theirs: Namespace
let here: WebServers
let there: WebServers
/** Root's own, for the script: a program in a folder that others can change is refused by both. */
let folder: string
beforeAll(async () => {
  ours = await Namespace.create('ours')
  theirs = await Namespace.create('theirs')
  here = new WebServers(ours)
  there = new WebServers(theirs)
  folder = await mkdtemp('/run/director-')
  await writeFile(join(folder, 'weight'), '#!/bin/sh\nexit $(cat "$0.status")\n')
  await chmod(join(folder, 'weight'), 0o755)
  await writeFile(join(folder, 'weight.status'), '0')
})
afterAll(async () => {
  for (const one of [here, there, ours, theirs]) await one?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

const web = (address: string, digest = HELLO): string => `
  real_server ${address} 8080 {
    weight 3
    HTTP_GET {
      url {
        path /service.txt
        digest ${digest}
      }
      connect_port 8080
      connect_timeout 30
      retry 1
      delay_before_retry 0.1
    }
  }`

/** The course's service with its sorry server, and one that is not HTTP, whose script says the weight. */
const configuration = (...reals: string[]): string => `
global_defs {
  script_user root
}
virtual_server 10.0.0.1 80 {
  delay_loop 0.2
  lb_algo wlc
  lb_kind NAT
  persistence_timeout 120
  protocol TCP
  sorry_server ${SORRY} 8080
${reals.join('')}
}
virtual_server 10.0.0.2 389 {
  delay_loop 0.2
  lb_algo wrr
  lb_kind NAT
  protocol TCP
  real_server ${C} 389 {
    weight 7
    inhibit_on_failure
    MISC_CHECK {
      misc_path ${join(folder, 'weight')}
      misc_timeout 30
      misc_dynamic
      retry 0
    }
  }
}
`

const save = async (namespace: Namespace): Promise<string> => (await new Ipvsadm(namespace.path).save()).sort().join('\n')

/** Waits until both tables are as they should be, and the same to the last character. */
async function become(...destinations: string[]): Promise<void> {
  const expected = [...destinations].sort().join(' ')
  const short = (text: string): string =>
    text
      .split('\n')
      .filter((line) => line.startsWith('-a'))
      .map((line) => line.replace(/^.* -r (\S+) .*-w (\d+)$/, '$1=$2'))
      .sort()
      .join(' ')
  const both = async (): Promise<string> => `${await save(ours)}\n\n${await save(theirs)}`
  await until(both, (text) => text.split('\n\n').every((one) => short(one) === expected), 90)
  expect(await save(ours)).toBe(await save(theirs))
}

const everywhere = async (act: (servers: WebServers) => Promise<void>): Promise<void> => {
  await act(here)
  await act(there)
}

test('keepalived and ipvs director make the same table of the same file, whatever happens', async () => {
  await everywhere(async (servers) => {
    for (const address of [A, B, SORRY]) await servers.serve(address, 8080, 'hello')
  })
  const text = configuration(web(A), web(B))
  const file = join(folder, 'keepalived.conf')
  await writeFile(file, text)
  await using keepalived = await Keepalived.start(theirs, text)
  await using director = await DirectorProcess.start(['--keepalived', file, '--netns', ours.name, '--drain', '0'])
  const [a, b, sorry] = [`${A}:8080=3`, `${B}:8080=3`, `${SORRY}:8080=1`]
  await become(a, b, `${C}:389=7`)

  // One is stopped, and the other answers with another page.
  await everywhere((servers) => servers.stop(A, 8080))
  await become(b, `${C}:389=7`)
  await everywhere((servers) => servers.serve(B, 8080, 'bye'))
  await become(sorry, `${C}:389=7`)
  expect((await director.logged(({ message }) => message.includes('the digest of the body is'))).message).toContain(`${B}:8080 of tcp 10.0.0.1:80 went from up to down`)

  // The script says another weight, then that the server is down, then that it is well.
  await writeFile(join(folder, 'weight.status'), '14')
  await become(sorry, `${C}:389=12`)
  await writeFile(join(folder, 'weight.status'), '1')
  await become(sorry, `${C}:389=0`)
  await writeFile(join(folder, 'weight.status'), '0')
  await become(sorry, `${C}:389=7`)

  // They return.
  await everywhere((servers) => servers.serve(A, 8080, 'hello'))
  await become(a, `${C}:389=7`)
  await everywhere((servers) => servers.serve(B, 8080, 'hello'))
  await become(a, b, `${C}:389=7`)

  // Another file: a weight changes, and one goes.
  const other = configuration(web(A).replace('weight 3', 'weight 5')).replace('lb_algo wrr', 'lb_algo wlc')
  await writeFile(file, other)
  director.signal('SIGHUP')
  await keepalived.reload(other)
  // keepalived leaves a server that was inhibited once at weight 0 after a reload, although its script says that it is well.
  const withoutScript = async (namespace: Namespace): Promise<string> =>
    (await save(namespace)).split('\n').filter((line) => !line.includes(`-r ${C}`)).join('\n')
  await until(() => save(theirs), (table) => table.includes(`-r ${A}:8080 -m -w 5`) && !table.includes(`-r ${B}`), 90)
  await until(async () => [await withoutScript(theirs), await withoutScript(ours)], ([one, other]) => one === other, 90)
  expect(await save(ours)).toContain(`-r ${C}:389 -m -w 7`)
})
