import { spawn, type ChildProcess } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { ensure } from '../../scripts/setup/programs.js'
import { must } from '../../scripts/setup/run.js'

/** Certificates for a cluster and its clients, from an authority of their own. */
export interface Certificates {
  authorities: string
  certificate: string
  key: string
}

/** How the key of a certificate is made. */
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

/** An authority, and certificates that come from it. */
class Authority {
  private constructor(private readonly folder: string) {}

  static async create(folder: string): Promise<Authority> {
    await ensure('openssl')
    const authority = new Authority(folder)
    const files = ['-keyout', authority.#at('authority-key'), '-out', authority.file]
    await must('openssl', ['req', '-x509', ...KEY, ...files, '-days', '2', '-subj', '/CN=authority of a test'])
    return authority
  }

  #at(end: string): string {
    return join(this.folder, `${end}.pem`)
  }

  get file(): string {
    return this.#at('authority')
  }

  /**
   * Makes a certificate that is valid for servers at these addresses and for clients.
   *
   * @param subject whom it names. etcd takes a common name for a user's name
   */
  async certify(subject: string, addresses: readonly string[]): Promise<Certificates> {
    const file = subject.replaceAll(/\W/g, '')
    const [certificate, key, extensions, request] = [file, `${file}-key`, `${file}-extensions`, `${file}-request`].map((end) => this.#at(end))
    // etcd's gateway connects to its member with the member's own certificate, so this must be a client's certificate too.
    await writeFile(extensions, `extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=${addresses.map((one) => `IP:${one}`).join(',')}\n`)
    await must('openssl', ['req', '-new', ...KEY, '-keyout', key, '-out', request, '-subj', subject])
    const by = ['-CA', this.file, '-CAkey', this.#at('authority-key'), '-CAcreateserial']
    await must('openssl', ['x509', '-req', '-in', request, ...by, '-days', '2', '-extfile', extensions, '-out', certificate])
    return { authorities: this.file, certificate, key }
  }
}

/** A member of a cluster: a process of etcd. */
export class Member {
  #child: ChildProcess | undefined
  #log = ''
  #isNew = true
  #isFrozen = false

  constructor(readonly name: string, readonly address: string, private readonly cluster: EtcdCluster) {}

  get url(): string {
    return `${this.cluster.certificates === undefined ? 'http' : 'https'}://${this.address}:2379`
  }

  get peerUrl(): string {
    return `http://${this.address}:2380`
  }

  get dataFolder(): string {
    return join(this.cluster.folder, this.name)
  }

  /** Starts the process, without waiting until it answers. */
  start(): void {
    const { certificates: tls, members, options } = this.cluster
    const given: Record<string, string> = {
      name: this.name,
      'data-dir': this.dataFolder,
      'listen-client-urls': this.url,
      'advertise-client-urls': this.url,
      'listen-peer-urls': this.peerUrl,
      'initial-advertise-peer-urls': this.peerUrl,
      'initial-cluster': members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(','),
      'initial-cluster-state': this.#isNew ? 'new' : 'existing',
      logger: 'zap',
      'log-level': 'warn',
      ...(tls !== undefined && {
        'cert-file': tls.certificate,
        'key-file': tls.key,
        'trusted-ca-file': tls.authorities,
        'client-cert-auth': 'true',
      }),
      ...options,
    }
    this.#isNew = false
    this.#isFrozen = false
    const child = spawn('etcd', Object.entries(given).map(([name, value]) => `--${name}=${value}`), { stdio: ['ignore', 'ignore', 'pipe'] })
    child.stderr.setEncoding('utf8').on('data', (text: string) => { this.#log += text })
    this.#child = child
    const kill = (): unknown => child.kill('SIGKILL')
    process.once('exit', kill)
    child.once('exit', () => process.off('exit', kill))
  }

  get log(): string {
    return this.#log
  }

  /** Whether the process runs. */
  get runs(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Whether the process can answer. */
  get answers(): boolean {
    return this.runs && !this.#isFrozen
  }

  /** Stops the process with SIGSTOP. Its connections stay open. */
  freeze(): void {
    this.#isFrozen = true
    this.#child!.kill('SIGSTOP')
  }

  /** Continues the process. */
  thaw(): void {
    this.#isFrozen = false
    this.#child!.kill('SIGCONT')
  }

  /** Kills the process, as a crash does. */
  async kill(): Promise<void> {
    if (!this.runs) return
    const ended = once(this.#child!, 'exit')
    this.#child!.kill('SIGKILL')
    await ended
  }

  /** Kills the process and deletes its data. The next start makes a new member. */
  async wipe(): Promise<void> {
    await this.kill()
    await rm(this.dataFolder, { recursive: true, force: true })
    this.#isNew = true
  }
}

/**
 * A cluster of etcd in processes of its own. It has loopback addresses of its own, so that its ports are always free. Nothing of it is left
 * behind.
 */
export class EtcdCluster implements AsyncDisposable {
  readonly members: Member[] = []
  certificates: Certificates | undefined
  #authority: Authority | undefined
  /** The user of etcdctl, as 'NAME:PASSWORD'. */
  user = ''

  private constructor(
    readonly folder: string,
    readonly options: Record<string, string>,
  ) {}

  /** @param options more options of etcd, without the dashes before their names */
  static async start({
    members = 1,
    tls = false,
    options = {},
  }: { members?: number, tls?: boolean, options?: Record<string, string> } = {}): Promise<EtcdCluster> {
    await ensure('etcd', 'etcdctl')
    const cluster = new EtcdCluster(await mkdtemp(join(tmpdir(), 'etcd-')), options)
    const [second, third] = [randomInt(1, 255), randomInt(1, 255)]
    for (let index = 1; index <= members; index++) cluster.members.push(new Member(`m${index}`, `127.${second}.${third}.${index}`, cluster))
    try {
      if (tls) await cluster.#certify()
      for (const member of cluster.members) member.start()
      await cluster.answers()
    } catch (error) {
      await cluster[Symbol.asyncDispose]()
      throw error
    }
    return cluster
  }

  async #certify(): Promise<void> {
    this.#authority = await Authority.create(this.folder)
    this.certificates = await this.#authority.certify('/O=test', this.members.map(({ address }) => address))
  }

  get endpoints(): string[] {
    return this.members.map(({ url }) => url)
  }

  /** Makes a certificate that the cluster knows, for a client with the name of a user. */
  certificatesOf(user: string): Promise<Certificates> {
    return this.#authority!.certify(`/CN=${user}`, ['127.0.0.1'])
  }

  #options(patience = 30, tls = this.certificates, user = this.user): string[] {
    const endpoints = this.members.filter(({ answers }) => answers).map(({ url }) => url)
    return [
      `--endpoints=${endpoints.join(',')}`,
      `--command-timeout=${patience}s`,
      ...(user === '' ? [] : [`--user=${user}`]),
      ...(tls === undefined ? [] : [`--cacert=${tls.authorities}`, `--cert=${tls.certificate}`, `--key=${tls.key}`]),
    ]
  }

  /** etcd's own client, as the independent witness. */
  ctl(...args: string[]): Promise<string> {
    return must('etcdctl', [...this.#options(), ...args], { env: { ETCDCTL_API: '3' } })
  }

  /** The same by the certificate of a client alone. */
  ctlBy(certificates: Certificates, ...args: string[]): Promise<string> {
    return must('etcdctl', [...this.#options(undefined, certificates, ''), ...args], { env: { ETCDCTL_API: '3' } })
  }

  /** Gives a user another password. */
  async setPassword(user: string, password: string): Promise<void> {
    await must('etcdctl', [...this.#options(), 'user', 'passwd', user, '--interactive=false'], {
      env: { ETCDCTL_API: '3' },
      input: `${password}\n`,
    })
  }

  /** Puts a value. Objects are written as JSON. */
  async put(key: string, value: unknown): Promise<void> {
    await this.ctl('put', '--', key, typeof value === 'string' ? value : JSON.stringify(value))
  }

  /** Waits until the running members can agree on a change. */
  async answers(): Promise<void> {
    for (const end = Date.now() + 120_000; ;) {
      const dead = this.members.find(({ runs, log }) => !runs && log !== '')
      try {
        await must('etcdctl', [...this.#options(2), 'get', 'nothing'], { env: { ETCDCTL_API: '3' } })
        return
      } catch (error) {
        if (Date.now() > end) throw error
        if (this.members.every(({ runs }) => !runs)) throw new Error(`etcd ended: ${dead?.log}`, { cause: error })
      }
      await wait(50)
    }
  }

  /** The leader, as etcdctl reports it. */
  async leader(): Promise<Member> {
    const status = JSON.parse(await this.ctl('endpoint', 'status', '-w', 'json')) as {
      Endpoint: string
      Status: { header: { member_id: number }, leader: number }
    }[]
    const { Endpoint } = status.find(({ Status }) => Status.leader === Status.header.member_id)!
    return this.members.find(({ url }) => url === Endpoint)!
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const member of this.members) await member.kill()
    await rm(this.folder, { recursive: true, force: true })
  }
}
