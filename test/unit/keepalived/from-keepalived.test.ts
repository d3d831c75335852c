import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { checkerLevels } from '../../../lib/keepalived/checkers.js'
import { globalLevels } from '../../../lib/keepalived/globals.js'
import { serverLevels } from '../../../lib/keepalived/virtual-server.js'
import { vrrpLevels } from '../../../lib/keepalived/vrrp.js'
import type { Documented, Level } from '../../../lib/keepalived/walk.js'

const document = new URL('../../../docs/from-keepalived.md', import.meta.url)
const [begin, end] = ['<!-- keywords:', '<!-- end of keywords -->']

/** Keywords of a block, those with the same words together. */
function table(title: string, { keywords }: { keywords: ReadonlyMap<string, Documented> }): string {
  const rows = new Map<string, string[]>()
  for (const [keyword, { status, ours }] of keywords) {
    const words = `${status} | ${ours}`
    rows.set(words, [...rows.get(words) ?? [], `\`${keyword}\``])
  }
  return `### ${title}\n\n| keyword | | here |\n| --- | --- | --- |\n${[...rows].map(([words, names]) => `| ${names.join(' ')} | ${words} |\n`).join('')}`
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- levels of every draft
const levels: [string, Level<any>][] = [
  ['Outside of every block', globalLevels['']],
  ['global_defs', globalLevels.global_defs],
  ['virtual_server', serverLevels.virtual_server],
  ['real_server', serverLevels.real_server],
  ...Object.entries(checkerLevels),
  ['SSL', globalLevels.SSL],
  ['track_file', globalLevels.track_file],
  ...Object.entries(vrrpLevels),
]

test('the documentation has every keyword that is read, with what becomes of it', async () => {
  const text = readFileSync(document, 'utf8')
  const from = text.indexOf('\n', text.indexOf(begin)) + 1
  const made = `${text.slice(0, from)}\n${levels.map(([title, level]) => table(title, level)).join('\n')}\n${text.slice(text.indexOf(end))}`
  await expect(made).toMatchFileSnapshot(document.pathname)
})

/** The keywords of keepalived 2.2.7 and after that are about virtual servers, as its sources name them. */
const known: Record<string, string> = {
  virtual_server:
    'ip_family delay_loop delay_before_retry retry warmup connect_timeout lvs_sched lb_algo ops hashed flag-1 flag-2 flag-3 sh-port sh-fallback mh-port mh-fallback lvs_method lb_kind persistence_timeout persistence_granularity persistence_engine protocol ha_suspend smtp_alert virtualhost snmp_name alpha omega quorum hysteresis quorum_up quorum_down weight inhibit_on_failure sorry_server sorry_server_inhibit sorry_server_lvs_method real_server',
  real_server:
    'weight lvs_method uthreshold lthreshold inhibit_on_failure notify_up notify_down alpha retry delay_before_retry warmup delay_loop connect_timeout smtp_alert virtualhost snmp_name HTTP_GET SSL_GET TCP_CHECK SMTP_CHECK DNS_CHECK MISC_CHECK UDP_CHECK PING_CHECK FILE_CHECK BFD_CHECK',
  TCP_CHECK:
    'connect_ip connect_port bindto bind_port bind_if fwmark connect_timeout retry delay_before_retry delay_loop warmup alpha log_all_failures',
  HTTP_GET: 'http_protocol virtualhost enable_sni sni_name fast_recovery tls_compliant nb_get_retry url connect_ip retry',
  url: 'path digest status_code virtualhost regex regex_no_match regex_options regex_min_offset regex_max_offset regex_stack tls_compliant',
  SMTP_CHECK: 'helo_name host connect_ip',
  UDP_CHECK: 'payload require_reply min_reply_length max_reply_length',
  DNS_CHECK: 'type name',
  PING_CHECK: 'connect_timeout',
  MISC_CHECK: 'misc_path misc_timeout misc_dynamic user retry delay_before_retry delay_loop warmup alpha log_all_failures',
  FILE_CHECK: 'track_file weight',
  track_file: 'file weight init_file',
  SSL: 'password ca certificate key',
  global_defs:
    'lvs_flush lvs_flush_on_stop lvs_timeouts lvs_sync_daemon checker_log_all_failures rs_init_notifies no_checker_emails smtp_alert smtp_alert_checker smtp_server smtp_connect_timeout smtp_helo_name notification_email notification_email_from router_id script_user enable_script_security use_symlink_paths set_supplementary_groups notify_fifo lvs_notify_fifo notify_fifo_script lvs_notify_fifo_script reload_check_config reload_time_file reload_file reload_repeat include_check random_seed default_interface nftables_ipvs nftables_ipvs_priority nftables_ipvs_start_fwmark net_namespace_ipvs checker_priority checker_no_swap checker_rt_priority checker_rlimit_rttime checker_cpu_affinity',
  'Outside of every block':
    'global_defs virtual_server virtual_server_group SSL track_file vrrp_track_file bfd_instance net_namespace net_namespace_ipvs namespace_with_ipsets instance use_pid_dir',
}

test.each(Object.entries(known))('%s: no keyword of keepalived is unknown', (title, keywords) => {
  const [, level] = levels.find(([name]) => name === title)!
  expect(keywords.split(' ').filter((keyword) => !level.keywords.has(keyword))).toEqual([])
})
