import { pause, STRIDE, worked } from '../../client/pause.js'
import { familyOf, hasMark, keyOf } from '../../model/keys.js'
import type { AddressServiceKey, DestinationKey } from '../../model/types.js'
import type { DirectorSight } from '../director-sight.js'
import { Judge, type Interface, type Packet } from '../firewall/judge.js'
import { answer, firstPacket, secondPacket, tunnelled } from '../firewall/packets.js'
import { familyOfTable, STATE, type Chain, type Hook } from '../firewall/ruleset.js'
import type { Found, Row } from '../row.js'
import type { Watched } from '../traffic.js'
import { hangs } from './hanging.js'

type Way = readonly (readonly [hook: Hook, below?: number])[]

/** IPVS takes packets out of these hooks at these priorities (`ip_vs_ops4` of net/netfilter/ipvs/ip_vs_core.c): chains behind see none. */
const IN: Way = [['prerouting'], ['input', 99]]
const OUT: Way = [['output'], ['postrouting']]
const BACK: Way = [['prerouting'], ['forward', 100]]

/** The interfaces that packets of clients come from. */
const incoming = ({ machine }: DirectorSight): Interface[] => {
  const own = new Set(machine.addresses.map((address) => machine.link(address.interface)))
  return [...own].filter((link) => link !== undefined).filter(({ loopback, up }) => up && !loopback)
}

/** The chain that drops a packet, whatever interface of these it uses; `undefined` if it may get through. */
async function droppingChain(sight: DirectorSight, packets: readonly Packet[], way: Way): Promise<Chain | undefined> {
  const ruleset = await sight.machine.ruleset()
  if (ruleset === undefined || ruleset.chains.size === 0) return undefined
  let dropping: Chain | undefined
  for (const packet of packets) {
    const chain = new Judge(ruleset, packet).droppingChain(way)
    if (chain === undefined) return undefined
    dropping ??= chain
    if (worked(STRIDE)) await pause()
  }
  return dropping
}

const fromAnywhere = (sight: DirectorSight, packet: Packet): Packet[] => incoming(sight).map((link) => ({ ...packet, incoming: link }))

/** A packet with the interface by which an address is reached. */
async function by(sight: DirectorSight, address: string, side: 'incoming' | 'outgoing', packet: Packet): Promise<Packet[]> {
  const link = sight.machine.link((await sight.machine.route(address)).interface)
  return link === undefined ? [] : [{ ...packet, [side]: link }]
}

/** Whether IPVS tells connection tracking of its connections. */
const isTracked = async (sight: DirectorSight): Promise<boolean> => await sight.ipvsSetting('conntrack') === '1'

/** Those that packets travel to, of services that are recognised by their addresses. */
function* travelled(sight: DirectorSight): Generator<{ one: Watched, service: AddressServiceKey, destination: DestinationKey }> {
  for (const one of sight.watched) {
    const { service, destination } = one
    if (hasMark(service) || destination.forward === 'local' || destination.forward === 'bypass' || sight.isOwn(destination.address)) continue
    yield { one, service, destination }
  }
}

const chainWords = ({ table, name }: Chain): string => `${table} ${name}`
/** `ip` or `ip6`, in which a rule names addresses. */
const ip = (address: string): string => address.includes(':') ? 'ip6' : 'ip'
const insert = (chain: Chain, words: string): string => `nft insert rule ${chainWords(chain)} ${words} accept`
/** Lets in what is for a service. */
const insertFor = (chain: Chain, { address, port, protocol }: AddressServiceKey): string =>
  insert(chain, `${ip(address)} daddr ${address}${port === 0 ? '' : ` ${protocol} dport ${port}`}`)
const where = (chain: Chain): string => `${chainWords(chain)}${familyOfTable(chain.table) === 'inet' ? '' : ', which may be that of iptables'}`

/** What the firewall of this machine does with packets, judged by the rules of nf_tables. */
export const firewallRows: readonly Row<DirectorSight>[] = [
  {
    name: 'firewall-input',
    on: 'director',
    severity: 'fault',
    certainty: 'certain',
    missing: 'the firewall of this machine drops what clients send to the service, before IPVS sees it',
    client: 'a timeout, or that the connection is refused, if the firewall says so',
    sign: 'the rules of nf_tables (hooks prerouting and input): the first packet to the service is dropped, whoever sends it',
    async look(sight) {
      const found: Found[] = []
      for (const service of sight.services) {
        if (hasMark(service) || (await sight.machine.route(service.address)).type !== 'local') continue
        const packet = firstPacket(service.protocol, service, STATE.new)
        const chain = await droppingChain(sight, fromAnywhere(sight, packet), IN)
        if (!chain) continue
        found.push({
          breaks: [{ service: keyOf(service) }],
          missing: `the firewall of this machine (${where(chain)}) drops what clients send to the service, before IPVS sees it`,
          mend: [insertFor(chain, service)],
        })
      }
      return found
    },
  },
  {
    name: 'firewall-output',
    on: 'director',
    severity: 'fault',
    certainty: 'certain',
    missing: 'the firewall of this machine drops what IPVS sends on to the destination',
    client: 'a timeout',
    sign: 'the rules of nf_tables (hooks output and postrouting): the first packet to the destination is dropped',
    async look(sight) {
      const found: Found[] = []
      for (const { one, service, destination } of travelled(sight)) {
        const { forward, address, tunnel } = one.destination
        const state = await isTracked(sight) ? STATE.new : STATE.untracked
        const packet = forward === 'tun'
          ? tunnelled(tunnel?.type ?? 'ipip', address, familyOf(service))
          : firstPacket(service.protocol, forward === 'nat' ? destination : service, state)
        const chain = await droppingChain(sight, await by(sight, address, 'outgoing', packet), OUT)
        if (!chain) continue
        const to = forward === 'dr' ? service.address : address
        found.push({
          breaks: [one.breaks],
          missing: `the firewall of this machine (${where(chain)}) drops what IPVS sends on to the destination`,
          mend: [insert(chain, `${ip(to)} daddr ${to}`)],
        })
      }
      return found
    },
  },
  {
    name: 'firewall-forward',
    on: 'director',
    severity: 'fault',
    certainty: 'certain',
    missing: 'the firewall of this machine drops the answers of destinations with `nat`; `dr` and `tun` do not need it',
    client: 'a timeout',
    sign: 'the rules of nf_tables (hooks prerouting and forward): the destination\'s answer is dropped, whomever it is for, whatever the state of its connection',
    look: (sight) => lostAnswers(sight, false),
  },
  {
    name: 'conntrack-off',
    on: 'director',
    severity: 'fault',
    certainty: 'certain',
    missing:
      'the firewall of this machine asks for the state of connections, which IPVS does not tell it (`net.ipv4.vs.conntrack` is 0): ' +
      'the answers of destinations with `nat` are invalid to it, and dropped',
    client: 'a timeout',
    sign: '`net.ipv4.vs.conntrack` is 0, and the rules of nf_tables (hooks prerouting and forward) let the destination\'s answer pass only where it is `established`',
    look: (sight) => lostAnswers(sight, true),
  },
  {
    name: 'conntrack-direct',
    on: 'director',
    severity: 'fault',
    certainty: 'certain',
    missing:
      'the firewall of this machine drops what is `invalid`, and with `net.ipv4.vs.conntrack` = 1 that is what clients send by `dr` and `tun`: ' +
      'connection tracking sees no answers',
    client: 'a connection that hangs after the handshake',
    sign: '`net.ipv4.vs.conntrack` is 1, and the rules of nf_tables (hooks prerouting, input and output) drop the client\'s second packet where it is `invalid`',
    async look(sight) {
      const found: Found[] = []
      if (!await isTracked(sight)) return found
      for (const { one, service } of travelled(sight)) {
        if (one.destination.forward === 'nat' || service.protocol !== 'tcp') continue
        const first = fromAnywhere(sight, firstPacket('tcp', service, STATE.new))
        const second = secondPacket('tcp', service, STATE.invalid)
        const chain = await droppingChain(sight, fromAnywhere(sight, second), IN)
        if (!chain || await droppingChain(sight, first, IN)) continue
        found.push({
          breaks: [one.breaks],
          missing:
            `the firewall of this machine (${where(chain)}) drops what is \`invalid\`, and with \`net.ipv4.vs.conntrack\` = 1 that is what clients ` +
            'send by `dr` and `tun`: connection tracking sees no answers',
          mend: ['sysctl -w net.ipv4.vs.conntrack=0', `or: ${insert(chain, `${ip(service.address)} daddr ${service.address}`)}`],
        })
      }
      return found
    },
  },
  {
    name: 'masquerade-without-conntrack',
    on: 'director',
    severity: 'fault',
    certainty: 'certain',
    missing:
      'what goes to the destination should get an address of this machine (masquerade, snat), and does not: ' +
      'IPVS\'s packets are not tracked (`net.ipv4.vs.conntrack` is 0)',
    client: 'a timeout',
    sign:
      '`nat`: handshakes hang and no packet came back; `net.ipv4.vs.conntrack` is 0, and the rules of nf_tables (hook postrouting) ' +
      'translate what goes to the destination',
    async look(sight) {
      const found: Found[] = []
      const ruleset = await sight.machine.ruleset()
      if (ruleset === undefined || await isTracked(sight)) return found
      for (const { one, service, destination } of travelled(sight)) {
        if (one.destination.forward !== 'nat' || !hangs(one) || one.outPackets > 0n) continue
        const packets = await by(sight, destination.address, 'outgoing', firstPacket(service.protocol, destination, STATE.new))
        if (packets.every((packet) => new Judge(ruleset, packet).isTranslatedAt('postrouting')))
          found.push({ breaks: [one.breaks], mend: ['sysctl -w net.ipv4.vs.conntrack=1'] })
      }
      return found
    },
  },
]

/** Answers that the firewall drops: those that it would let pass if it knew their connections, or the others. */
async function lostAnswers(sight: DirectorSight, ifKnown: boolean): Promise<Found[]> {
  const found: Found[] = []
  const tracked = await isTracked(sight)
  for (const { one, service, destination } of travelled(sight)) {
    if (one.destination.forward !== 'nat') continue
    const dropping = async (state: number): Promise<Chain | undefined> =>
      droppingChain(sight, await by(sight, destination.address, 'incoming', answer(service.protocol, destination, state)), BACK)
    const chain = await dropping(tracked ? STATE.established : service.protocol === 'tcp' ? STATE.invalid : STATE.new)
    if (!chain || (!tracked && !await dropping(STATE.established)) !== ifKnown) continue
    const port = destination.port === 0 ? '' : ` ${service.protocol} sport ${destination.port}`
    const mend = insert(chain, `${ip(destination.address)} saddr ${destination.address}${port}`)
    found.push({
      breaks: [one.breaks],
      missing: ifKnown
        ? `the firewall of this machine (${where(chain)}) asks for the state of connections, which IPVS does not tell it ` +
          '(`net.ipv4.vs.conntrack` is 0): the answers of destinations with `nat` are invalid to it, and dropped'
        : `the firewall of this machine (${where(chain)}) drops the answers of destinations with \`nat\``,
      mend: ifKnown ? [mend, 'or, where there is neither `dr` nor `tun`: sysctl -w net.ipv4.vs.conntrack=1'] : [mend],
    })
  }
  return found
}
