import { expect, test } from 'vitest'
import { loadOrder, readDependencies } from '../../../scripts/lab/modules.js'

const dependencies =
  readDependencies(`kernel/net/netfilter/ipvs/ip_vs.ko: kernel/net/netfilter/nf_conntrack.ko kernel/net/nf_defrag_ipv6.ko kernel/lib/libcrc32c.ko
kernel/net/netfilter/ipvs/ip_vs_rr.ko.xz: kernel/net/netfilter/ipvs/ip_vs.ko kernel/net/netfilter/nf_conntrack.ko kernel/net/nf_defrag_ipv6.ko kernel/lib/libcrc32c.ko
kernel/net/netfilter/nf_conntrack.ko: kernel/net/nf_defrag_ipv6.ko kernel/lib/libcrc32c.ko
kernel/net/nf_defrag_ipv6.ko:
kernel/lib/libcrc32c.ko:
kernel/drivers/net/dash-ed.ko.zst:
`)

test('a module comes after all that it needs, the farthest first', () => {
  expect(loadOrder(['ip_vs'], dependencies)).toEqual([
    'kernel/lib/libcrc32c.ko', 'kernel/net/nf_defrag_ipv6.ko', 'kernel/net/netfilter/nf_conntrack.ko', 'kernel/net/netfilter/ipvs/ip_vs.ko',
  ])
})

test('nothing is loaded twice', () => {
  const order = loadOrder(['nf_conntrack', 'ip_vs', 'ip_vs_rr', 'ip_vs'], dependencies)
  expect(order).toEqual([...new Set(order)])
  expect(order.at(-1)).toBe('kernel/net/netfilter/ipvs/ip_vs_rr.ko.xz')
  expect(order).toHaveLength(5)
})

test('hyphens and underscores are the same, compressed modules have the same names', () => {
  expect(loadOrder(['dash_ed'], dependencies)).toEqual(['kernel/drivers/net/dash-ed.ko.zst'])
  expect(loadOrder(['dash-ed'], dependencies)).toEqual(['kernel/drivers/net/dash-ed.ko.zst'])
})

test('what this kernel has not as a module is left out', () => {
  expect(loadOrder(['virtio', 'libcrc32c'], dependencies)).toEqual(['kernel/lib/libcrc32c.ko'])
})
