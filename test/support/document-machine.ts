import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Namespace } from '../../scripts/network/namespace.js'
import { run, type Ended } from '../../scripts/setup/run.js'
import { textOf, type Program } from './document-programs.js'
import type { Block } from './markdown.js'
import { until } from './until.js'
import { WebServers } from './web-servers.js'

const checkout = fileURLToPath(new URL('../..', import.meta.url))

/** The networks of the documents. All their addresses belong to the machine, so that every server in a document answers. */
const NETWORKS = ['10.0.0.0/8', '192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24']
const NETWORKS6 = ['2001:db8::/32', 'fd00::/8']

/** System folders that documents write to. The machine has its own, with the system's files in them. */
const FOLDERS = ['/etc', '/var/lib']

/** A script that makes the machine's own folders, reports that they are ready, and keeps them until its input ends. */
const keeper = (folder: string): string => `set -e
for own in ${FOLDERS.join(' ')}; do
  real=${folder}/real$own
  mkdir -p "$real"
  mount --rbind "$own" "$real"
  mount -t tmpfs -o mode=755 own "$own"
  ln -s "$real"/* "$own"
done
rm -f /etc/keepalived /etc/ipvsadm.rules
mkdir -p /etc/keepalived /var/lib/ipvs
echo ready
read -r _ || true`

/** Gives a program the function that it calls after each block. It reports the end of the block, and waits for permission to go on. */
const NEXT_BLOCK = `
globalThis.nextBlock = () => new Promise((resolve) => {
  process.once('message', resolve)
  process.send('there')
})
`

/** A process that runs until it gets a signal. */
interface Running { place: string, child: ChildProcess, said: () => string, ended: Promise<unknown> }

/** The machine of a reader who follows a document: a table, a network and a folder with the package, in namespaces of their own. */
export class DocumentMachine implements AsyncDisposable {
  readonly #running: Running[] = []
  #programs = 0
  #etcd: Running | undefined

  private constructor(
    readonly folder: string,
    readonly namespace: Namespace,
    private readonly keeper: ChildProcess,
    private readonly servers: WebServers,
  ) {}

  /** @param etcd whether etcd serves on every address of the machine */
  static async create({ etcd }: { etcd: boolean }): Promise<DocumentMachine> {
    const folder = await mkdtemp(join(tmpdir(), 'ipvs-document-'))
    const namespace = await Namespace.create('document')
    await namespace.ip('link add eth0 type dummy', 'link set eth0 up')
    await namespace.ip(...NETWORKS.map((network) => `route add local ${network} dev lo`))
    await namespace.ip6(...NETWORKS6.map((network) => `route add local ${network} dev lo`))
    await Promise.all(['bin', 'node_modules', 'real'].map((name) => mkdir(join(folder, name))))
    await symlink(checkout, join(folder, 'node_modules/ipvs'))
    await symlink(join(checkout, 'node_modules/prom-client'), join(folder, 'node_modules/prom-client'))
    await writeFile(join(folder, 'bin/ipvs'), `#!/bin/sh\nexec ${process.execPath} ${join(checkout, 'dist/bin/ipvs.cjs')} "$@"\n`)
    await chmod(join(folder, 'bin/ipvs'), 0o755)
    await symlink(process.execPath, join(folder, 'bin/node'))
    await writeFile(join(folder, 'next-block.mjs'), NEXT_BLOCK)
    const kept = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', keeper(folder)], { stdio: ['pipe', 'pipe', 'inherit'] })
    const said = await Promise.race([once(kept.stdout, 'data'), once(kept, 'close')])
    if (String(said[0]) !== 'ready\n') throw new Error('the folders of the machine could not be made')
    const servers = new WebServers(namespace)
    for (const port of [80, 443, 8080]) await servers.serve('::', port, 'ok\n')
    const machine = new DocumentMachine(folder, namespace, kept, servers)
    if (etcd) await machine.#serveEtcd()
    return machine
  }

  async #serveEtcd(): Promise<void> {
    const options = ['--data-dir', 'etcd', '--log-level', 'error', '--listen-client-urls', 'http://0.0.0.0:2379', '--advertise-client-urls', 'http://10.0.0.1:2379']
    this.#etcd = this.#spawn('etcd', ['etcd', ...options], false)
    await until(() => this.shell('etcdctl endpoint health'), ({ status }) => status === 0)
  }

  /** The command that runs another one on the machine. */
  #inside(words: readonly string[]): [string, string[]] {
    return ['nsenter', [`--net=${this.namespace.path}`, `--mount=/proc/${this.keeper.pid}/ns/mnt`, `--wd=${this.folder}`, ...words]]
  }

  get #environment(): NodeJS.ProcessEnv {
    return { ...process.env, PATH: `${join(this.folder, 'bin')}:${process.env.PATH}`, NODE_OPTIONS: '' }
  }

  /** Runs a command line as a shell does, with `set -e`. */
  async shell(text: string): Promise<Ended> {
    return await run(...this.#inside(['bash', '-ec', text]), { env: this.#environment })
  }

  /** Writes a file where the document says. */
  async write(path: string, text: string): Promise<void> {
    const whole = resolve(this.folder, path)
    await this.#must('sh', ['-c', 'mkdir -p "$1" && cat > "$2"', 'sh', dirname(whole), whole], `${text}\n`)
  }

  async #must(program: string, args: readonly string[], input: string): Promise<void> {
    const { status, stderr } = await run(...this.#inside([program, ...args]), { input })
    if (status !== 0) throw new Error(stderr)
  }

  #start(place: string, words: readonly string[], ipc: boolean): Running {
    const running = this.#spawn(place, words, ipc)
    this.#running.push(running)
    return running
  }

  #spawn(place: string, words: readonly string[], ipc: boolean): Running {
    const [program, args] = this.#inside(words)
    const child = spawn(program, args, { env: this.#environment, stdio: ['ignore', 'pipe', 'pipe', ...ipc ? ['ipc' as const] : []] })
    let said = ''
    for (const stream of [child.stdout!, child.stderr!]) stream.setEncoding('utf8').on('data', (text: string) => { said += text })
    return { place, child, said: () => said, ended: once(child, 'close') }
  }

  /** Waits until the process has printed these words. */
  async #says({ place, child, said, ended }: Running, words: string): Promise<void> {
    let hasEnded = false
    void ended.then(() => { hasEnded = true })
    while (!said().includes(words)) {
      if (hasEnded) throw new Error(`${place} ended and did not say '${words}'. It said:\n${said()}`)
      await Promise.race([once(child.stdout!, 'data'), once(child.stderr!, 'data'), ended])
    }
  }

  /** Starts a shell command that keeps running, and waits until it has begun. */
  async background({ file, line, text, note }: Block): Promise<void> {
    await this.#says(this.#start(`${file}:${line}`, ['bash', '-ec', `exec ${text}`], false), note.says ?? '')
  }

  /** Runs a program up to the end of a block. After the last block, an endless program keeps running. */
  async step(program: Program, block: Block): Promise<void> {
    const place = (at: Block): string => `${at.file}:${at.line}`
    if (block === program.blocks[0]) {
      const file = join(this.folder, `${block.file.replaceAll('/', '-')}-${++this.#programs}.mjs`)
      await writeFile(file, textOf(program))
      this.#start(place(block), [process.execPath, '--import', join(this.folder, 'next-block.mjs'), file], true)
    }
    const running = this.#running.findLast((one) => one.place === place(program.blocks[0]))!
    const isLast = block === program.blocks.at(-1)
    const isEndless = program.blocks.some(({ note }) => note.endless)
    if (block !== program.blocks[0]) running.child.send('go on')
    if (block.note.says !== undefined) {
      await this.#says(running, block.note.says)
      // The program need not wait if it reaches the end of this block.
      return void running.child.send('go on')
    }
    const reached = await Promise.race([once(running.child, 'message').then(() => true), running.ended.then(() => false)])
    if (!reached) throw new Error(`${place(block)} was not carried out to its end. The program said:\n${running.said()}`)
    if (!isLast) return
    running.child.send('go on')
    if (isEndless) return
    this.#running.splice(this.#running.indexOf(running), 1)
    const [status, signal] = (await running.ended) as [number | null, string | null]
    if (status !== 0) throw new Error(`${place(program.blocks[0])} ended with ${status ?? signal}. It said:\n${running.said()}`)
  }

  /** Sends SIGTERM to everything that is running, and waits until it has ended. */
  async endAll(): Promise<void> {
    for (const { place, child, said, ended } of this.#running.splice(0)) {
      child.kill('SIGTERM')
      const [status, signal] = (await ended) as [number | null, string | null]
      if (status !== 0 && signal !== 'SIGTERM') throw new Error(`${place} was told to end, and ended with ${status ?? signal}. It said:\n${said()}`)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child, ended } of [...this.#running, ...this.#etcd === undefined ? [] : [this.#etcd]]) {
      child.kill('SIGKILL')
      await ended
    }
    await this.servers[Symbol.asyncDispose]()
    const gone = once(this.keeper, 'close')
    this.keeper.stdin!.end()
    await gone
    await this.namespace[Symbol.asyncDispose]()
    await rm(this.folder, { recursive: true })
  }
}
