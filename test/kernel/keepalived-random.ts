import type { Random } from './rules-random.js'

/** Random keepalived.conf files: all that keepalived reads about the table, with common mistakes that it tolerates. */

const schedulers = ['rr', 'wrr', 'lc', 'wlc', 'lblc', 'lblcr', 'sh', 'mh', 'dh', 'fo', 'ovf', 'sed', 'nq']
const trailing = ['', '', '', ' # comment', ' ! comment', ' surplus words']

/** A block with its lines in a random order. */
function shuffled(random: Random, lines: readonly string[]): string[] {
  const rest = [...lines]
  const order: string[] = []
  while (rest.length > 0) order.push(...rest.splice(random.integer(0, rest.length - 1), 1))
  return order
}

const sometimes = (random: Random, probability: number, line: () => string): string[] => random.chance(probability) ? [line()] : []

const number = (random: Random, from: number, to: number): string => `${random.integer(from, to)}${random.chance(0.05) ? 'x' : ''}${random.pick(trailing)}`

function method(random: Random, keyword: string): string {
  const word = random.pick(['NAT', 'NAT', 'DR', 'TUN', 'TUN', 'dr', 'Nat'])
  if (word !== 'TUN') return `${keyword} ${word}`
  return `${keyword} TUN ${random.pick(['', '', 'type ipip', 'type gue port 6080', 'type gue port 6080 csum', 'type gue port 6080 remcsum', 'type gre', 'type gre csum', 'type gue', 'type ipip csum', 'type foo', 'nocsum'])}`
}

interface Setting {
  six: boolean
  /** keepalived forgets the mask of a group. */
  group: boolean
  /** Number that makes addresses of this virtual server differ from those of others. */
  index: number
}

const realAddress = ({ six, index }: Setting, last: number): string => six ? `2001:db8:${index}::${last.toString(16)}` : `10.2.${index}.${last}`

function realServer(random: Random, setting: Setting, last: number): string[] {
  // Only a tunnel goes to the other family; otherwise keepalived leaves the server out, and so do we.
  const home = random.chance(0.15) ? { ...setting, six: !setting.six } : setting
  const port = random.pick([' 80', ' 80', ' 80', ' 8080', ''])
  const lines = [
    ...sometimes(random, 0.7, () => `weight ${random.pick(['0', '1', '2', '100', '65535', '010', '0x10', '2.5', '-1', '2147483648', '7x'])}${random.pick(trailing)}`),
    ...sometimes(random, 0.3, () => `uthreshold ${number(random, 0, 5000)}`),
    ...sometimes(random, 0.2, () => method(random, 'lvs_method')),
    ...sometimes(random, 0.1, () => 'lb_kind DR'),
    ...sometimes(random, 0.2, () => 'inhibit_on_failure'),
    ...sometimes(random, 0.1, () => 'alpha'),
    ...sometimes(random, 0.1, () => 'persistence_timeout 60'),
    ...sometimes(random, 0.5, () => `TCP_CHECK {\nconnect_port 1${random.integer(0, 9)}\n}`),
    ...sometimes(random, 0.1, () => 'PING_CHECK { }'),
  ]
  return [`real_server ${realAddress(home, last)}${port} {`, ...shuffled(random, lines), '}']
}

function body(random: Random, setting: Setting, protocols: readonly string[]): string[] {
  const scheduler = random.pick([...schedulers, 'none', 'RR'])
  const flags =
    scheduler === 'sh'
      ? ['sh-port', 'sh-fallback', 'mh-port']
      : scheduler === 'mh'
        ? ['mh-port', 'mh-fallback', 'sh-port']
        : ['flag-1', 'flag-2', 'sh-port']
  const masks = setting.six
    ? ['64', '128', '129', '1', 'x']
    : ['255.255.255.0', '255.255.0.0', '24', '255.0.255.0', '255.255.255.255', '255.255.255', 'x']
  const head = shuffled(random, [
    ...sometimes(random, 0.9, () => `${random.pick(['lb_algo', 'lvs_sched'])} ${scheduler}`),
    ...sometimes(random, 0.85, () => method(random, random.pick(['lb_kind', 'lvs_method']))),
    ...sometimes(random, 0.85, () => `protocol ${random.pick(protocols)}`),
    ...sometimes(random, 0.3, () => random.pick(flags)),
    ...sometimes(random, 0.3, () => random.pick(flags)),
    ...sometimes(random, 0.2, () => 'ops'),
    ...sometimes(random, 0.1, () => 'nat_mask 255.255.255.0'),
    ...sometimes(random, 0.4, () => `persistence_timeout ${random.pick(['600', '1', '2678400', '2678401', '0', '50s', ''])}`),
    ...sometimes(random, setting.group ? 0 : 0.25, () => `persistence_granularity ${random.pick(masks)}`),
    ...sometimes(random, 0.1, () => 'persistence_engine sip'),
    ...sometimes(random, 0.2, () => `weight ${random.pick(['3', '0', '5x'])}`),
    ...sometimes(random, 0.2, () => 'inhibit_on_failure'),
    ...sometimes(random, 0.3, () => `delay_loop ${random.pick(['6', '6 seconds', '2.5', '1s'])}`),
    ...sometimes(random, 0.15, () => 'alpha'),
    ...sometimes(random, 0.2, () => `quorum ${random.pick(['1', '0'])}`),
  ])
  const sorry = random.chance(0.4)
    ? [`sorry_server ${realAddress(setting, 200)}${random.pick([' 80', ' 81', ''])}`, ...sometimes(random, 0.3, () => 'sorry_server_inhibit'), ...sometimes(random, 0.2, () => method(random, 'sorry_server_lvs_method'))]
    : []
  const servers = Array.from({ length: random.integer(0, 4) }, (_, index) => realServer(random, setting, index + 1))
  const split = random.integer(0, head.length)
  // A method that stands after a server does not apply to it.
  return [
    ...(random.chance(0.8) ? head : head.slice(0, split)),
    ...sorry,
    ...servers.flat(),
    ...(random.chance(0.8) ? [] : head.slice(split)),
  ]
}

/** A file with some virtual servers, and one that is always there. */
export function randomKeepalived(random: Random): string {
  const blocks: string[][] = [
    ['virtual_server 10.255.255.1 80 {', 'lb_algo rr', 'lb_kind NAT', 'protocol TCP', 'real_server 10.255.255.2 80 {', '}', '}'],
  ]
  const count = random.integer(1, 6)
  for (let index = 1; index <= count; index++) {
    const kind = random.next()
    const setting = { six: random.chance(0.3), group: kind >= 0.8, index }
    const address = setting.six ? `2001:db8:f${index}::1` : `10.1.${index}.1`
    const lines = body(random, setting, kind < 0.7 ? ['TCP', 'TCP', 'UDP', 'SCTP', 'tcp', 'ICMP'] : ['TCP', 'UDP'])
    if (kind < 0.6) blocks.push([`virtual_server ${address}${setting.six ? '' : random.pick(['', '', '', '/32', '-9'])}${random.pick([' 80', ' 80', ' 80', ''])} {`, ...lines, '}'])
    else if (kind < 0.8) blocks.push([`virtual_server fwmark ${index} {`, ...setting.six ? ['ip_family inet6'] : [], ...lines, '}'])
    else {
      const range = setting.six ? [`2001:db8:f${index}::1-3 80`] : [`10.1.${index}.1-3 80`, `10.1.${index}.16/30 80`, `10.1.${index}.40-10.1.${index}.42 80`]
      const marks = sometimes(random, 0.4, () => `fwmark ${100 + index} ${setting.six ? 'inet6' : 'inet'}`)
      const group = [`virtual_server_group g${index} {`, ...range, ...marks, '}']
      const server = [`virtual_server group g${index} {`, ...lines, '}']
      blocks.push(...random.chance(0.5) ? [group, server] : [server, group])
    }
  }
  return blocks.map((lines) => `${lines.join('\n')}\n`).join(random.pick(['\n', '\n# next\n']))
}
