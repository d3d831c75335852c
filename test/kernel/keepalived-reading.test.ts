import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { IpvsSync } from 'ipvs'
import { formatDiagnostic, parseKeepalived, type Parsed } from 'ipvs/keepalived'
import { Namespace } from '../../scripts/network/namespace.js'
import { Ipvsadm } from '../support/ipvsadm.js'
import { keepalivedFiles, keepalivedFolder, readKeepalivedFile } from '../support/keepalived-files.js'
import { Keepalived } from '../support/keepalived.js'
import { tableAtStart } from '../support/table-at-start.js'
import { randomKeepalived } from './keepalived-random.js'
import { Random } from './rules-random.js'

/** How many generated files keepalived and we read. KEEPALIVED_FILES=1000 sets the number, KEEPALIVED_SEED chooses other files. */
const files = Number(process.env.KEEPALIVED_FILES ?? (process.env.IPVS_LAB === 'qemu' ? 5 : 50))
const firstSeed = Number(process.env.KEEPALIVED_SEED ?? 1)

describe('keepalived and we read the same rules', () => {
  let ours: Namespace
  let theirs: Namespace
  let here: IpvsSync
  let there: IpvsSync

  beforeAll(async () => {
    ours = await Namespace.create('ours')
    theirs = await Namespace.create('theirs')
    here = IpvsSync.open({ netns: ours.name })
    there = IpvsSync.open({ netns: theirs.name })
  })

  afterAll(async () => {
    here?.close()
    there?.close()
    await ours?.[Symbol.asyncDispose]()
    await theirs?.[Symbol.asyncDispose]()
  })

  /** The table as ipvsadm prints it: rules and thresholds, one service after another, in a fixed order. */
  async function seen(namespace: Namespace): Promise<string[]> {
    const ipvsadm = new Ipvsadm(namespace.path)
    const thresholds = (await ipvsadm.list('--thresholds')).flatMap(({ entry, destinations }) => destinations.map((one) => `${entry} -> ${one.entry} ${one.columns.slice(0, 2).join(' ')}`))
    return [...(await ipvsadm.save()).sort(), ...thresholds.sort()]
  }

  async function compare(text: string, { configuration, diagnostics }: Parsed, told: string): Promise<void> {
    const said = diagnostics.map(formatDiagnostic).join('\n')
    expect.soft(configuration, `${told}\n${said}`).toBeDefined()
    if (configuration === undefined) return
    here.flush()
    here.batch(tableAtStart(configuration))
    there.flush()
    await using keepalived = await Keepalived.start(theirs, text, [], keepalivedFolder)
    expect.soft(await seen(ours), `${told}\n${said}\n${keepalived.lines.join('\n')}`).toEqual(await seen(theirs))
  }

  test.each(keepalivedFiles)('of %s', async (name) => {
    const { text, parsed } = readKeepalivedFile(name)
    await compare(text, parsed, text)
  })

  test(`of ${files} generated files from seed ${firstSeed} on`, { timeout: 3_600_000 }, async () => {
    for (let seed = firstSeed; seed < firstSeed + files; seed++) {
      const text = randomKeepalived(new Random(seed))
      await compare(text, parseKeepalived(text, { id: 'lab' }), `seed ${seed}\n${text.split('\n').map((line, index) => `${index + 1}: ${line}`).join('\n')}`)
    }
  })
})
