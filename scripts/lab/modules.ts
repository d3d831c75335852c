/** The modules that a guest needs before it can mount the disk, including those of QEMU's shared folder. */
export const diskModules = [
  'crc32c_generic', 'virtio', 'virtio_ring', 'virtio_pci_modern_dev', 'virtio_pci_legacy_dev', 'virtio_pci', 'virtio_console',
  'virtio_rng', '9pnet', '9pnet_virtio', '9p', 'overlay',
]

/** IPVS: the core, every scheduler, the SIP persistence engine, the FTP helper. */
export const ipvsModules = [
  'ip_vs', 'ip_vs_rr', 'ip_vs_wrr', 'ip_vs_lc', 'ip_vs_wlc', 'ip_vs_fo', 'ip_vs_ovf', 'ip_vs_lblc', 'ip_vs_lblcr', 'ip_vs_dh',
  'ip_vs_sh', 'ip_vs_mh', 'ip_vs_sed', 'ip_vs_nq', 'ip_vs_twos', 'ip_vs_pe_sip', 'ip_vs_ftp', 'xt_ipvs',
]

/**
 * Modules for networks in namespaces: links, tunnels, connection tracking, address translation, packet marks. The kernel loads more on
 * demand, because modprobe works in a guest.
 */
export const networkModules = [
  'veth', 'bridge', 'dummy', 'tun', 'ipip', 'sit', 'ip6_tunnel', 'fou', 'fou6', 'gre', 'ip_gre', 'ip6_gre',
  'nf_conntrack', 'nf_nat', 'ip_tables', 'iptable_filter', 'iptable_mangle', 'iptable_nat', 'ip6_tables', 'ip6table_filter',
  'ip6table_mangle', 'ip6table_nat',
  'xt_mark', 'xt_conntrack', 'xt_MASQUERADE', 'xt_nat', 'xt_tcpudp', 'nf_tables', 'nft_compat', 'nft_chain_nat', 'nft_masq', 'nft_ct',
  'nft_counter',
]

export const wantedModules = [...diskModules, ...networkModules, ...ipvsModules]

/** A module's file and the files of the modules it depends on. */
export type Dependencies = Map<string, { file: string, needs: string[] }>

/** The name of a module's file: without folders and suffixes, and with '_' instead of '-'. */
const nameOf = (file: string): string => file.slice(file.lastIndexOf('/') + 1).replace(/\.ko(\.\w+)?$/, '').replaceAll('-', '_')

/** Reads a modules.dep: `FILE: FILE…`, where the dependencies follow, nearest first. */
export function readDependencies(text: string): Dependencies {
  const lines = text.split('\n').filter(line => line.includes(':'))
  return new Map(lines.map(line => {
    const [file, needs] = line.split(':', 2)
    return [nameOf(file), { file, needs: needs.split(' ').filter(part => part !== '') }]
  }))
}

/**
 * The files to load for these modules, each once and after its dependencies. Modules that this kernel lacks or has built in are left out.
 */
export function loadOrder(names: string[], dependencies: Dependencies): string[] {
  const order = new Set<string>()
  for (const name of names) {
    const known = dependencies.get(name.replaceAll('-', '_'))
    if (known === undefined) continue
    for (const file of [...known.needs].reverse()) order.add(file)
    order.add(known.file)
  }
  return [...order]
}
