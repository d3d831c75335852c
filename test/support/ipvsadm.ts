import { must, run, type Ended } from '../../scripts/setup/run.js'

/** What one `ipvsadm -L` line for a service or destination says, by the names of its columns. */
export interface Row {
  /**
   * As ipvsadm spells it: '10.10.10.2:80', '[fd00::2]:80'; for services with the kind before it: 'TCP 10.10.10.100:80', 'FWM 7', 'FWM 8
   * IPv6'.
   */
  entry: string
  columns: string[]
}

/** A service of `ipvsadm -L` with its destinations, in the order listed. */
export interface ListedRow extends Row {
  destinations: Row[]
}

/** A line of `ipvsadm -L --daemon`. */
export interface DaemonRow {
  role: string
  interface: string
  syncId: number
  maxLength: number
  group: string
  port: number
  ttl: number
}

/**
 * ipvsadm as the independent witness: it reads and writes the same kernel table by code that has nothing to do with this package's.
 */
export class Ipvsadm {
  /** @param namespacePath The file of the network namespace whose table is read. */
  constructor(private readonly namespacePath: string) {}

  /** Runs ipvsadm and returns its outcome, even if it failed. */
  try(args: string, input?: string): Promise<Ended> {
    return run('nsenter', [`--net=${this.namespacePath}`, 'ipvsadm', ...words(args)], { input })
  }

  private say(args: string, input?: string): Promise<string> {
    return must('nsenter', [`--net=${this.namespacePath}`, 'ipvsadm', ...words(args)], { input })
  }

  /** Carries out command lines, in one process each, so that every one must succeed. */
  async run(...lines: string[]): Promise<void> {
    for (const line of lines) await this.say(line)
  }

  /** Carries out any number of command lines in one process. */
  async restore(lines: readonly string[]): Promise<void> {
    await this.say('-R', `${lines.join('\n')}\n`)
  }

  /** The table as the command lines that would make it (thresholds, timeouts and sync daemons are not in them). */
  async save(): Promise<string[]> {
    return (await this.say('-Sn')).split('\n').filter(line => line !== '')
  }

  /**
   * The table with the columns that `option` chooses: '' for connections, '--thresholds', '--persistent-conn', '--stats', '--rate',
   * '--tun-info'.
   */
  async list(option = ''): Promise<ListedRow[]> {
    const services: ListedRow[] = []
    for (const line of (await this.say(`-Ln --exact ${option}`)).split('\n').slice(2)) {
      const destination = /^ {2}-> (\S+) +(.*?) *$/.exec(line)
      const service = /^(TCP|UDP|SCTP|FWM) +(\S+(?: IPv6)?) *(.*?) *$/.exec(line)
      if (service !== null) services.push({ entry: `${service[1]} ${service[2]}`, columns: words(service[3]), destinations: [] })
      else if (destination !== null && services.length > 0)
        services.at(-1)!.destinations.push({ entry: destination[1], columns: words(destination[2]) })
    }
    return services
  }

  /** The counters of every service and destination: connections, incoming and outgoing packets, incoming and outgoing bytes. */
  async statistics(): Promise<Record<string, bigint[]>> {
    const listed = await this.list('--stats')
    const numbers = ({ columns }: Row): bigint[] => columns.map(column => BigInt(column))
    return Object.fromEntries<bigint[]>(listed.flatMap((service): [string, bigint[]][] => [
      [service.entry, numbers(service)],
      ...service.destinations.map((destination): [string, bigint[]] => [`${service.entry} -> ${destination.entry}`, numbers(destination)]),
    ]))
  }

  /** Upper and lower threshold of every destination of a table that has one service. */
  async thresholds(): Promise<Record<string, [upper: number, lower: number]>> {
    const listed = await this.list('--thresholds')
    return Object.fromEntries(
      listed.flatMap(({ destinations }) => destinations.map(({ entry, columns }) => [entry, [Number(columns[0]), Number(columns[1])]])),
    )
  }

  /** Seconds: TCP, TCP after a FIN, UDP. */
  async timeouts(): Promise<number[]> {
    return words((await this.say('-L --timeout')).replace(/^.*: /, '')).map(word => Number(word))
  }

  async daemons(): Promise<DaemonRow[]> {
    const line = /^(\w+) sync daemon \(mcast=(.*), syncid=(\d+), maxlen=(\d+), group=(.*), port=(\d+), ttl=(\d+)\)$/gm
    return [...(await this.say('-L --daemon')).matchAll(line)].map(([, role, name, syncId, maxLength, group, port, ttl]) =>
      ({ role, interface: name, syncId: Number(syncId), maxLength: Number(maxLength), group, port: Number(port), ttl: Number(ttl) }))
  }
}

const words = (text: string): string[] => text.split(/\s+/).filter(word => word !== '')
