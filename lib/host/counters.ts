/** Counters of /proc/net/snmp, snmp6 and netstat, by group and name: 'Ip.InAddrErrors', 'Ip6.InAddrErrors', 'TcpExt.ListenDrops'. */
export type Counters = ReadonlyMap<string, number>

/** Parses the files' pairs of lines: names, then numbers, both after the name of their group. */
export function parseCounters(text: string): Counters {
  const counters = new Map<string, number>()
  const lines = text.split('\n')
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const names = lines[i].split(' ')
    const numbers = lines[i + 1].split(' ')
    for (let n = 1; n < names.length; n++) counters.set(`${names[0].slice(0, -1)}.${names[n]}`, Number(numbers[n]))
  }
  return counters
}

/** Parses /proc/net/snmp6: a line for each counter. Of its groups only that of IPv6 itself is needed. */
export function parseCounters6(text: string): Counters {
  return new Map([...text.matchAll(/^Ip6(\w+)\s+(\d+)$/gm)].map(([, name, value]) => [`Ip6.${name}`, Number(value)]))
}
