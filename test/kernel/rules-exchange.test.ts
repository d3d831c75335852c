import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { IpvsSync } from 'ipvs'
import { formatRules, parseCommands, parseRules } from 'ipvs/rules'
import { formatListing, versionLine, type ListingFormat } from '../../lib/command/listing.js'
import { sortTable } from '../../lib/rules/sort.js'
import { Namespace } from '../../scripts/network/namespace.js'
import { Random, randomRules } from './rules-random.js'

/** From Linux 7.1 on, services change their order while their hash table grows. It does not grow if up to 2⁸ of them may share a row. */
function keepOrder(ipvs: IpvsSync): void {
  try {
    ipvs.sysctl.set('svc_lfactor', 8)
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOENT') throw error
  }
}

/**
 * How many rule sets are exchanged. An emulated processor exchanges fewer, because starting ipvsadm is slow there. RULE_SETS=3000 exchanges
 * many, RULE_SEED others.
 */
const sets = Number(process.env.RULE_SETS ?? (process.env.IPVS_LAB === 'qemu' ? 5 : 40))
const firstSeed = Number(process.env.RULE_SEED ?? 1)

const views: readonly { options: string, format: ListingFormat, nosort?: boolean }[] = [
  { options: '-n', format: { view: 'plain' } },
  { options: '-n --nosort', format: { view: 'plain' }, nosort: true },
  { options: '-n --stats', format: { view: 'stats' } },
  { options: '-n --rate --exact', format: { view: 'rate', exact: true } },
  { options: '-n --thresholds', format: { view: 'thresholds' } },
  { options: '-n --persistent-conn', format: { view: 'persistent-conn' } },
  { options: '-n --tun-info', format: { view: 'tun-info' } },
]

/** Texts that ipvsadm printed one after the other, in one process. */
const separator = '=====\n'

/**
 * The lines of a save in a fixed order. ipvsadm's comparison of addresses that are far apart is not transitive, so the result of its sort
 * depends on the order in which the kernel lists them, which differs between namespaces.
 */
const inOrder = (saved: string): string => saved.split('\n').sort().join('\n')

describe('rule sets written by one and read by the other', () => {
  let ours: Namespace
  let theirs: Namespace
  let here: IpvsSync
  let there: IpvsSync

  beforeAll(async () => {
    ours = await Namespace.create('ours')
    theirs = await Namespace.create('theirs')
    here = IpvsSync.open({ netns: ours.name })
    there = IpvsSync.open({ netns: theirs.name })
    keepOrder(there)
  })

  afterAll(async () => {
    here?.close()
    there?.close()
    await ours?.[Symbol.asyncDispose]()
    await theirs?.[Symbol.asyncDispose]()
  })

  test(`${sets} of them, saved and listed byte for byte`, { timeout: 3_600_000 }, async () => {
    const script = ['ipvsadm -C', 'ipvsadm -R', 'ipvsadm -S -n', ...views.map(({ options }) => `ipvsadm -L ${options}`)].join(` && echo -n '${separator}' && `)
    for (let seed = firstSeed; seed < firstSeed + sets; seed++) {
      const text = randomRules(new Random(seed)).map((line) => `${line}\n`).join('')
      const told = `rule set ${seed}\n${text}`
      // We list and save rules that ipvsadm wrote.
      const [, , saved, ...listings] = (await theirs.must('sh', ['-c', script], { input: text })).split(separator)
      const table = there.snapshot()
      expect(formatRules(table), told).toBe(saved)
      for (const [index, { options, format, nosort }] of views.entries()) {
        expect(versionLine(there.info()) + formatListing(nosort ? table.services : sortTable(table.services), format), `-L ${options}, ${told}`).toBe(listings[index])
      }
      // ipvsadm saves rules that we wrote, and we read what it saved.
      here.flush()
      here.batch(parseCommands(text, { names: 'refuse' }))
      expect(inOrder(await ours.must('ipvsadm', ['-S', '-n'])), told).toBe(inOrder(saved))
      expect(inOrder(formatRules(parseRules(saved, { names: 'refuse' }))), told).toBe(inOrder(saved))
      // ipvsadm restores our full save, and nothing is lost.
      const full = formatRules(here.snapshot(), { full: true })
      await theirs.must('sh', ['-c', 'ipvsadm -C && ipvsadm -R'], { input: full })
      expect(inOrder(formatRules(there.snapshot(), { full: true })), told).toBe(inOrder(full))
    }
  })
})
