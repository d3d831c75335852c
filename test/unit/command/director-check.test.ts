import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { formatDiagnostic, parseKeepalived } from 'ipvs/keepalived'
import { run } from '../../../scripts/setup/run.js'
import { randomKeepalived } from '../../kernel/keepalived-random.js'
import { Random } from '../../kernel/rules-random.js'
import { command } from '../../support/director-process.js'

/** How many generated files the command reads: each takes a process. KEEPALIVED_FILES=200 for a long look, KEEPALIVED_SEED for others. */
const files = Number(process.env.KEEPALIVED_FILES ?? 3)
const firstSeed = Number(process.env.KEEPALIVED_SEED ?? 1)

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'director-check-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const check = (file: string, ...options: string[]) => run(process.execPath, [command, 'director', '--keepalived', file, '--check', ...options])

test(`the command reads ${files} generated files as parseKeepalived does, which is compared with keepalived itself`, { timeout: 3_600_000 }, async () => {
  for (let seed = firstSeed; seed < firstSeed + files; seed++) {
    const file = join(folder, 'keepalived.conf')
    const text = randomKeepalived(new Random(seed))
    writeFileSync(file, text)
    const { configuration, diagnostics } = parseKeepalived(text, { file })
    const { status, stdout, stderr } = await check(file, '--json')
    expect(configuration, `seed ${seed}`).toBeDefined()
    expect({ status, configuration: JSON.parse(stdout) as unknown }, `seed ${seed}\n${text}`).toEqual({ status: 0, configuration: JSON.parse(JSON.stringify(configuration)) as unknown })
    expect(stderr.trimEnd().split('\n'), `seed ${seed}`).toEqual(diagnostics.length === 0 ? [''] : diagnostics.map(formatDiagnostic))
  }
})

test('a program that is not there is told at its line, with what to do', async () => {
  const file = join(folder, 'keepalived.conf')
  const script = join(folder, 'script')
  writeFileSync(file, [
    'global_defs {', '  script_user root', '}',
    'virtual_server 10.0.0.1 80 {', '  protocol TCP', '  lb_algo rr', '  lb_kind NAT', '  real_server 10.0.0.2 80 {',
    `    MISC_CHECK {`, `      misc_path "${script} x"`, '    }', '  }', '}', '',
  ].join('\n'))
  const refused = await check(file)
  expect(refused.status).toBe(5)
  expect(refused.stderr).toContain(`${file}:10:17: error: ${script} does not exist. Put the program there, or take the line out: nothing counts as healthy because its check cannot run\n`)
  const outside = await check(file, '--scripts', '/usr/bin')
  expect(outside.stderr).toContain(`${file}:10:17: error: ${script} is not in /usr/bin, where --scripts says that programs are. Put it there, or name another folder\n`)
})
