/** Random numbers that are the same for the same seed. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed
  }

  /** From 0 up to, not including, 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  integer(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1))
  }

  pick<T>(from: readonly T[]): T {
    return from[this.integer(0, from.length - 1)]
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }
}

const schedulers = ['rr', 'wrr', 'lc', 'wlc', 'lblc', 'lblcr', 'dh', 'sh', 'sed', 'nq', 'fo', 'ovf', 'mh']
const flags: Partial<Record<string, readonly string[]>> = { sh: ['sh-fallback', 'sh-port'], mh: ['mh-fallback', 'mh-port'] }
const numbered = ['flag-1', 'flag-2', 'flag-3']
const masks = ['255.255.255.0', '255.0.0.0', '255.0.255.0', '128.0.0.0', '255.255.255.255', '24']

/** First bytes of addresses: both halves of the range, whose differences ipvsadm's sort does not get right. */
const firstBytes = [1, 10, 127, 172, 192, 198, 223]
const address4 = (random: Random): string => `${random.pick(firstBytes)}.${random.integer(0, 255)}.${random.integer(0, 255)}.${random.integer(1, 254)}`
const word = (random: Random): string => (random.chance(0.4) ? '0' : random.integer(0, 0xffff).toString(16))
const address6 = (random: Random): string =>
  random.chance(0.1) ? `::${random.integer(1, 223)}.0.${random.integer(0, 255)}.1` : `${random.pick(['2001', 'fd00', 'a', '2'])}:${[1, 2, 3, 4, 5, 6].map(() => word(random)).join(':')}:1`

const some = <T>(random: Random, from: readonly T[]): T[] => from.filter(() => random.chance(0.5))

/**
 * Commands that add services with destinations, with every option that ipvsadm has for them. All are valid, and nothing is added twice.
 */
export function randomRules(random: Random): string[] {
  const lines: string[] = []
  const taken = new Set<string>()
  for (let count = random.integer(0, 12); count > 0; count--) {
    const six = random.chance(0.35)
    const mark = random.chance(0.2)
    const port = random.chance(0.1) ? 0 : random.integer(1, 65_535)
    const protocol = random.pick(['-t', '-u', '--sctp-service'])
    const endpoint = (sixth: boolean, at: number): string => (sixth ? `[${address6(random)}]:${at}` : `${address4(random)}:${at}`)
    const service = mark ? `-f ${random.integer(1, 2 ** 31 - 1)}${six ? ' -6' : ''}` : `${protocol} ${endpoint(six, port)}`
    if (taken.has(service)) continue
    taken.add(service)
    const scheduler = random.pick(schedulers)
    const words = ['-A', service, '-s', scheduler]
    if (random.chance(0.4) || (port === 0 && !mark)) {
      words.push('-p')
      if (random.chance(0.7)) words.push(String(random.integer(1, 2_678_400)))
      if (random.chance(0.5)) words.push('-M', six ? String(random.integer(1, 128)) : random.pick(masks))
      if (random.chance(0.2)) words.push('--pe', 'sip')
    }
    if ((mark || protocol === '-u') && random.chance(0.3)) words.push('-o')
    const chosen = some(random, flags[scheduler] ?? numbered)
    if (chosen.length > 0 && random.chance(0.5)) words.push('-b', chosen.join(','))
    lines.push(words.join(' '))
    lines.push(...randomDestinations(random, service, { six, port: mark ? undefined : port, endpoint }))
  }
  return lines
}

interface Home {
  six: boolean
  /** Port of the service; none of a firewall mark's. */
  port: number | undefined
  endpoint: (six: boolean, port: number) => string
}

function randomDestinations(random: Random, service: string, { six, port, endpoint }: Home): string[] {
  const lines: string[] = []
  const taken = new Set<string>()
  for (let count = random.integer(0, 6); count > 0; count--) {
    const method = random.pick(['-g', '-m', '-i'])
    const at = method === '-m' || port === undefined ? random.integer(0, 65_535) : port
    const destination = endpoint(method === '-i' && random.chance(0.2) ? !six : six, at)
    if (taken.has(destination)) continue
    taken.add(destination)
    const words = ['-a', service, '-r', destination, method]
    if (random.chance(0.6)) words.push('-w', String(random.pick([0, 1, 2, 100, 65_535])))
    if (random.chance(0.3)) {
      const upper = random.integer(0, 2 ** 31 - 1)
      words.push('-x', String(upper))
      if (random.chance(0.5)) words.push('-y', String(random.integer(0, upper)))
    }
    if (method === '-i' && random.chance(0.7)) {
      const type = random.pick(['ipip', 'gue', 'gre'])
      words.push('--tun-type', type)
      if (type === 'gue') words.push('--tun-port', String(random.integer(1, 65_535)))
      if (type !== 'ipip' && random.chance(0.7)) {
        words.push(random.pick(type === 'gue' ? ['--tun-nocsum', '--tun-csum', '--tun-remcsum'] : ['--tun-nocsum', '--tun-csum']))
      }
    }
    lines.push(words.join(' '))
  }
  return lines
}
