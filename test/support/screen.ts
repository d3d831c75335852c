import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { must, run } from '../../scripts/setup/run.js'
import { until } from './until.js'

/**
 * A terminal with a program in it: what a user sees, and what a user types. tmux is the terminal. Its socket has a folder of its own. The
 * folder that tmux makes in /tmp otherwise stays there, and no other user can use it.
 */
export class Screen {
  private constructor(private readonly folder: string) {}

  /**
   * @param words the program, which is looked up on PATH, and its arguments
   */
  static async open(name: string, words: readonly string[], { columns, rows }: { columns: number, rows: number }): Promise<Screen> {
    const screen = new Screen(await mkdtemp(join(tmpdir(), `${name}-`)))
    await screen.tmux('-f', '/dev/null', 'new-session', '-d', '-x', String(columns), '-y', String(rows), ...words)
    return screen
  }

  private get socket(): string {
    return join(this.folder, 'socket')
  }

  private tmux(...args: string[]): Promise<string> {
    return must('tmux', ['-u', '-S', this.socket, ...args], { env: { TERM: 'xterm', TMUX: '' } })
  }

  /** Presses keys by tmux's names: 'q', 'C-z', 'Enter', 'Home'. Words are typed as they are. */
  async press(...keys: string[]): Promise<void> {
    await this.tmux('send-keys', ...keys)
  }

  /** Sends bytes as the terminal would send them. */
  async send(text: string): Promise<void> {
    await this.tmux('send-keys', '-H', ...[...Buffer.from(text)].map((byte) => byte.toString(16)))
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.tmux('resize-window', '-x', String(columns), '-y', String(rows))
  }

  /** The lines on the screen. A wrapped line counts as one, because commands contain the checkout's path, which can be long. */
  async lines(): Promise<string[]> {
    return (await this.tmux('capture-pane', '-p', '-J')).trimEnd().split('\n').map((line) => line.trimEnd())
  }

  /** Waits until the screen shows what is wanted, and returns its lines. */
  shows(wanted: (lines: string[]) => boolean): Promise<string[]> {
    return until(() => this.lines(), wanted)
  }

  /** Whether the program still runs. */
  async alive(): Promise<boolean> {
    return (await run('tmux', ['-S', this.socket, 'has-session'])).status === 0
  }

  async close(): Promise<void> {
    await run('tmux', ['-S', this.socket, 'kill-server'])
    await rm(this.folder, { recursive: true, force: true })
  }
}
