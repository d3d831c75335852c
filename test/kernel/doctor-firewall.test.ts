import { describe, expect, test } from 'vitest'
import { Namespace } from '../../scripts/network/namespace.js'
import { methods, stories, VIP, type Examined, type Machines, type Ports } from '../support/doctor-machines.js'
import { until } from '../support/until.js'

/** Whether this kernel has firewalls: user-mode Linux has none. */
async function hasFirewall(): Promise<boolean> {
  await using namespace = await Namespace.create('firewall')
  return (await namespace.run('nft', ['add', 'table', 'inet', 'tried'])).status === 0
}

const reason = await hasFirewall()
  ? undefined
  : 'this kernel has no nf_tables: npm run lab -- --on qemu -- npx vitest run --project kernel doctor-firewall'

const told = reason === undefined ? stories(3) : (name: string): void => test(`${name} (left out)`, ({ skip }) => skip(reason))
const story: (name: string, tell: (m: Machines) => Promise<void>) => void = told

const rules = (m: Machines, text: string) => async (): Promise<void> => {
  await m.workshop.director.namespace.must('nft', ['-f', '-'], { input: text })
}

/** What clients get by each method. */
const served = (m: Machines, ports: Ports): Promise<string[]> =>
  Promise.all(methods.map(async (method) => `${method}: ${await m.ask(ports[method])}`))
const ALL = methods.map((method) => `${method}: one`)

/** Puts up a firewall, has both machines examined while clients come by some methods, carries out what mends it, and looks again. */
async function behind(m: Machines, text: string, coming: readonly (keyof Ports)[] = methods): Promise<Examined & { ports: Ports }> {
  const ports = await m.table()
  const found = await m.broken({
    ports: coming.map((method) => ports[method]),
    hurt: rules(m, text),
    mend: () => Promise.resolve(),
  })
  return { ...found, ports }
}

/** Runs what a finding says, as an operator would; then nothing is missing, and all are served. */
async function mended(m: Machines, { findings, ports }: Examined & { ports: Ports }): Promise<void> {
  for (const { mend } of findings.filter(({ row }) => /^(firewall|conntrack|masquerade)/.test(row))) await m.workshop.director.namespace.must('sh', ['-c', mend[0]])
  expect(await served(m, ports)).toEqual(ALL)
  // Handshakes that hung are remembered for a minute.
  await until(async () => (await m.examineDirector()).findings.map(({ row }) => row), ({ length }) => length === 0)
}

const down = async (m: Machines): Promise<void> => {
  await m.workshop.director.namespace.must('nft', ['flush', 'ruleset'])
  await m.ipvs.sysctl.set('conntrack', 0)
}

const protect = (name: string, tell: (m: Machines) => Promise<void>): void => story(name, async (m) => {
  try {
    await tell(m)
  } finally {
    await down(m)
  }
})

const base = (hook: string, policy: string, ...lines: string[]): string =>
  `table inet f {\nchain ${hook} {\ntype filter hook ${hook} priority 0; policy ${policy};\n${lines.map((line) => `${line}\n`).join('')}}\n}\n`

const ESTABLISHED = base('forward', 'drop', 'ct state established,related accept')

const MASQUERADE = 'table ip n {\nchain post {\ntype nat hook postrouting priority 100;\nip daddr 10.10.10.0/24 masquerade\n}\n}\n'

describe.concurrent('a director with a firewall', () => {
  protect('that does not let answers pass: only nat needs it', async (m) => {
    const found = await behind(m, base('forward', 'drop'))
    expect(found.director).toEqual([`firewall-forward, certain: ${m.destination(found.ports.nat)}`])
    await mended(m, found)
  })

  protect('that does not let clients in', async (m) => {
    const found = await behind(m, base('input', 'drop', 'iif lo accept', 'icmp type echo-request accept', 'tcp dport { 22, 9000-9100 } accept'), [])
    expect(found.director).toEqual(methods.map((method) => `firewall-input, certain: port ${found.ports[method]}`))
    await mended(m, found)
  })

  protect('that does not let IPVS send on', async (m) => {
    const found = await behind(m, base('output', 'drop', 'oifname lo accept', 'udp dport 53 accept'))
    const { nat, dr, tun } = found.ports
    expect(found.director).toEqual([
      `firewall-output, certain: ${m.destination(nat)} ${m.destination(tun)}`, `firewall-output, certain: ${m.destination(dr)}`,
    ])
    await mended(m, found)
  })

  protect('that wants to know connections, without vs/conntrack', async (m) => {
    const found = await behind(m, ESTABLISHED)
    expect(found.director).toEqual([`conntrack-off, certain: ${m.destination(found.ports.nat)}`])
    await mended(m, found)
  })

  protect('that drops what is invalid, with vs/conntrack', async (m) => {
    await m.ipvs.sysctl.set('conntrack', 1)
    const found = await behind(m, ESTABLISHED + base('input', 'accept', 'ct state invalid drop'))
    const { dr, tun } = found.ports
    expect(found.director).toEqual([`conntrack-direct, certain: ${m.destination(dr)} ${m.destination(tun)}`])
    await m.workshop.director.namespace.must('sh', ['-c', found.findings[0].mend[1].replace('or: ', '')])
    await mended(m, { ...found, findings: [] })
  })

  protect('that would give what it sends on an address of its own, without vs/conntrack', async (m) => {
    await m.onServer.on('route del default')()
    try {
      const found = await behind(m, MASQUERADE, ['nat'])
      expect(found.director).toEqual([`masquerade-without-conntrack, certain: ${m.destination(found.ports.nat)}`])
      await mended(m, found)
    } finally {
      await m.onServer.on(`route add default via ${m.workshop.directorAddress[4]}`)()
    }
  })

  protect('of iptables, that wants to know connections, without vs/conntrack', async (m) => {
    const ports = await m.table()
    const found = await m.broken({
      ports: methods.map((method) => ports[method]),
      hurt: () => m.workshop.director.namespace.must('sh', ['-c', [
        'iptables -P FORWARD DROP', 'iptables -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT',
        'iptables -A FORWARD -p tcp --dport 22 -j ACCEPT', 'iptables -A INPUT -m comment --comment all -j ACCEPT',
      ].join(' && ')]),
      mend: () => Promise.resolve(),
    })
    expect(found.director).toEqual([`conntrack-off, certain: ${m.destination(ports.nat)}`])
    await mended(m, { ...found, ports })
  })

  protect('that is as it should be has no finding', async (m) => {
    const ports = await m.table()
    const wanted = methods.map((method) => ports[method]).join(', ')
    const found = await m.broken({
      ports: methods.map((method) => ports[method]),
      hurt: rules(m, [
        'table inet f {',
        '  set inside { type ipv4_addr; flags interval; elements = { 10.10.10.0/24 } }',
        '  chain input { type filter hook input priority 0; policy drop; iif lo accept; jump services;',
        '    ct state vmap { established : accept, related : accept, invalid : drop }; meta l4proto { icmp, ipv6-icmp } accept; }',
        `  chain services { ip daddr ${VIP} tcp dport { ${wanted} } accept; limit rate 5/minute log; }`,
        '  chain forward { type filter hook forward priority 0; policy drop; ip saddr @inside accept; }',
        '  chain output { type filter hook output priority 0; policy accept; }',
        '  chain post { type nat hook postrouting priority 100; ip saddr @inside oifname != "br0" masquerade; }',
        '}', '',
      ].join('\n')),
      mend: () => Promise.resolve(),
    })
    expect(found).toMatchObject({ director: [], server: [] })
    expect(await served(m, ports)).toEqual(ALL)
  })
})
