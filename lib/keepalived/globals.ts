import { readFactor } from './checkers.js'
import type { FileDraft, TrackFile } from './drafts.js'
import { virtualServerGroup } from './group.js'
import { mail, notDone, tellMail } from './keywords.js'
import type { Statement } from './statement.js'
import { virtualServer } from './virtual-server.js'
import { syncDaemon, vrrpInstance, vrrpSyncGroup } from './vrrp.js'
import { level, type Keyword, type Level } from './walk.js'

/** Keywords outside of virtual servers. */

type Global = Keyword<FileDraft>

/** A keyword that is left to keepalived. It is skipped with its block, without a diagnostic. */
const own: Global = { status: 'keepalived', ours: 'keepalived\'s own' }
/** The same for a keyword that has no block. */
const ownLine: Global = { ...own, read: () => {} }

const fifo = (name: 'all' | 'vrrp' | 'lvs', note: boolean): Global => ({
  status: note ? 'not done' : 'keepalived', ours: note ? 'read for `vrrp`; no line is written into it: the director\'s events tell more' : 'read for `vrrp`',
  read(statement, file, { diagnostics }) {
    const path = statement.need(1, 'a path')
    if (path === undefined) return
    file.vrrp.fifos[name] = path
    if (note)
      diagnostics.warning(
        statement.place,
        'No line about real servers is written into this FIFO',
        "Follow the director's events, its log or its metrics",
      )
  },
})

const tuning = (name: string): [string, Global] => [name, {
  status: 'not done', ours: 'the unit file of the director has the like (Nice=, CPUSchedulingPolicy=, CPUAffinity=, LimitRTTIME=)',
  read(statement, _file, { diagnostics, once }) {
    once('tuning', () => diagnostics.note(statement.place, `${statement.keyword} is about keepalived's checker process, which does not run here`, 'Say the like for the director in its unit file: Nice=, CPUSchedulingPolicy=, CPUAffinity=, LimitRTTIME='))
  },
}]

const vrrpOwn = [
  'process_names',
  'vrrp_process_name',
  'checker_process_name',
  'lvs_process_name',
  'bfd_process_name',
  'startup_script',
  'startup_script_timeout',
  'shutdown_script',
  'shutdown_script_timeout',
  'max_auto_priority',
  'min_auto_priority_delay',
  'dynamic_interfaces',
  'default_interface',
  'disable_local_igmp',
  'linkbeat_use_polling',
  'child_wait_time',
  'use_pid_dir',
  'vrrp_mcast_group4',
  'vrrp_mcast_group6',
  'vrrp_garp_master_delay',
  'vrrp_garp_master_repeat',
  'vrrp_garp_master_refresh',
  'vrrp_garp_master_refresh_repeat',
  'vrrp_garp_lower_prio_delay',
  'vrrp_garp_lower_prio_repeat',
  'vrrp_down_timer_adverts',
  'vrrp_garp_interval',
  'vrrp_gna_interval',
  'vrrp_min_garp',
  'vrrp_garp_extra_if',
  'vrrp_lower_prio_no_advert',
  'vrrp_higher_prio_send_advert',
  'vrrp_version',
  'vrrp_iptables',
  'vrrp_ipsets',
  'nftables',
  'nftables_priority',
  'nftables_ifindex',
  'nftables_counters',
  'vrrp_check_unicast_src',
  'vrrp_skip_check_adv_addr',
  'vrrp_strict',
  'vrrp_priority',
  'vrrp_no_swap',
  'vrrp_rt_priority',
  'vrrp_cpu_affinity',
  'vrrp_rlimit_rttime',
  'vrrp_rlimit_rtime',
  'vrrp_notify_fifo_script',
  'vrrp_notify_priority_changes',
  'bfd_priority',
  'bfd_no_swap',
  'bfd_rt_priority',
  'bfd_cpu_affinity',
  'bfd_rlimit_rttime',
  'bfd_rlimit_rtime',
  'enable_dbus',
  'dbus_service_name',
  'vrrp_netlink_cmd_rcv_bufs',
  'vrrp_netlink_cmd_rcv_bufs_force',
  'vrrp_netlink_monitor_rcv_bufs',
  'vrrp_netlink_monitor_rcv_bufs_force',
  'process_monitor_rcv_bufs',
  'process_monitor_rcv_bufs_force',
  'lvs_netlink_cmd_rcv_bufs',
  'lvs_netlink_cmd_rcv_bufs_force',
  'lvs_netlink_monitor_rcv_bufs',
  'lvs_netlink_monitor_rcv_bufs_force',
  'vrrp_rx_bufs_policy',
  'vrrp_rx_bufs_multiplier',
  'vrrp_startup_delay',
  'vmac_prefix',
  'vmac_addr_prefix',
  'random_seed',
  'reload_check_config',
  'reload_time_file',
  'reload_repeat',
  'reload_file',
  'config_save_dir',
  'tmp_config_directory',
  'data_use_instance',
  'fifo_write_vrrp_states_on_reload',
  'use_symlink_paths',
  'set_supplementary_groups',
  'umask',
  'snmp_vrrp_trap',
  'vrrp_owner_ignore_adverts',
  'json_version',
  'iproute_usr_dir',
  'iproute_etc_dir',
  'namespace_with_ipsets',
  'smtp_alert_vrrp',
  'no_email_faults',
]

const snmp: Global = {
  status: 'not done', ours: 'no SNMP: the director\'s metrics',
  read(statement, _file, { diagnostics, once }) {
    once('snmp', () => diagnostics.note(statement.place, 'The director answers no SNMP', 'Let monitoring follow its metrics (--listen)'))
  },
}

const fifoScript: Global = notDone(
  "the director's events",
  'This program is not started: no line about real servers is written into a FIFO',
  "Follow the director's events, its log or its metrics",
)

const flushOnStop: Global = notDone('`--remove-on-exit`', 'Nothing but the director\'s own services is ever flushed, and at its end they stay', 'Start the director with --remove-on-exit')

const namespace = (name: 'netns' | 'ipvsNetns'): Global => ({
  status: 'not done', ours: 'read for `vrrp`; `--netns` names the director\'s namespace',
  read(statement, file, { diagnostics }) {
    const value = statement.need(1, 'the name of a network namespace')
    if (value === undefined) return
    file.vrrp[name] = value
    diagnostics.warning(statement.place, `The namespace ${value} is not entered because of this line`, `Start the director with --netns ${value}`)
  },
})

const timeouts: Record<string, 'tcp' | 'tcpFin' | 'udp'> = { tcp: 'tcp', tcpfin: 'tcpFin', udp: 'udp' }

const globalLevel: Level<FileDraft> = level<FileDraft>(
  'global_defs',
  {
    ...Object.fromEntries(vrrpOwn.map((name) => [name, ownLine])),
    ...Object.fromEntries(
      [
        'checker_priority',
        'checker_no_swap',
        'checker_rt_priority',
        'checker_cpu_affinity',
        'checker_rlimit_rttime',
        'checker_rlimit_rtime',
      ].map(tuning),
    ),
    router_id: ownLine,
    notification_email: {
      status: 'not done',
      ours: mail().ours,
      values(statement, _file, context) {
        tellMail(statement, context)
        return () => {}
      },
    },
    notification_email_from: mail(),
    smtp_server: mail(),
    smtp_connect_timeout: mail(),
    smtp_helo_name: mail(),
    smtp_alert: mail(),
    smtp_alert_checker: mail(),
    no_checker_emails: mail(),
    enable_traps: snmp,
    snmp_socket: snmp,
    enable_snmp_keepalived: snmp,
    enable_snmp_checker: snmp,
    enable_snmp_vrrp: ownLine,
    enable_snmp_rfc: ownLine,
    enable_snmp_rfcv2: ownLine,
    enable_snmp_rfcv3: ownLine,
    lvs_timeouts: {
      status: 'done',
      ours: '`timeouts`; they stay when the director ends',
      read(statement, file, { diagnostics }) {
        if (statement.need(1, 'tcp N, tcpfin N or udp N') === undefined) return
        for (let index = 1; index < statement.words.length; index += 2) {
          const word = statement.text(index)!
          if (!Object.hasOwn(timeouts, word)) {
            diagnostics.warning(
              statement.at(index),
              `'${word}' is none of tcp, tcpfin and udp, and does not count`,
              'Write lvs_timeouts [tcp N] [tcpfin N] [udp N]',
            )
            index--
            continue
          }
          const value = statement.integer(index + 1, { min: 1, max: 2 ** 31 - 1, what: 'a number of seconds', tolerant: false })
          if (value !== undefined) file.timeouts[timeouts[word]] = value
        }
      },
    },
    lvs_flush: notDone(
      '`--prune`',
      'The table is not flushed at the start: connections would be lost, and services of other programs',
      'Start the director with --prune: it takes away what the file does not name, and nothing else',
    ),
    lvs_flush_on_stop: flushOnStop,
    lvs_flush_onstop: flushOnStop,
    lvs_sync_daemon: syncDaemon,
    net_namespace: namespace('netns'),
    net_namespace_ipvs: namespace('ipvsNetns'),
    checker_log_all_failures: {
      status: 'done',
      ours: '`logEachFailure` of checks',
      read(statement, file) {
        file.logAll = statement.boolean() ?? file.logAll
      },
    },
    rs_init_notifies: {
      status: 'done',
      ours: '`notifyAtStart`',
      read(_statement, file) {
        file.notifyAtStart = true
      },
    },
    nftables_ipvs: notDone(
      'a service for each address of a group',
      'No nftables rules are made: each address of a group is a service of its own',
      'Leave it out, or make the rules that mark packets, and write virtual_server fwmark N',
    ),
    nftables_ipvs_priority: { status: 'not done', ours: 'as `nftables_ipvs`', read: () => {} },
    nftables_ipvs_start_fwmark: { status: 'not done', ours: 'as `nftables_ipvs`', read: () => {} },
    script_user: {
      status: 'done',
      ours: '`user` and `group` of programs that name none',
      read(statement, file) {
        statement.only(3)
        const user = statement.need(1, 'the name of a user')
        if (user !== undefined) file.scriptUser = { user, ...(statement.text(2) !== undefined && { group: statement.text(2) }) }
      },
    },
    enable_script_security: { status: 'done', ours: 'always so: programs that others than root can change are refused', read: () => {} },
    notify_fifo: fifo('all', false),
    vrrp_notify_fifo: fifo('vrrp', false),
    lvs_notify_fifo: fifo('lvs', true),
    notify_fifo_script: ownLine,
    lvs_notify_fifo_script: fifoScript,
    include_check: {
      status: 'done',
      ours: 'what `include` asks for from here on',
      read(statement, _file, { reader, diagnostics }) {
        const kinds = ['read', 'match', 'wildcard_match', 'brace_match']
        let asked = new Set(statement.words.length === 1 ? kinds : [...reader.includeCheck])
        statement.words.slice(1).forEach(({ text }, index) => {
          const [, sign, kind] = /^([+-]?)(.*)$/s.exec(text)!
          if (!kinds.includes(kind))
            diagnostics.warning(
              statement.at(index + 1),
              `'${text}' is nothing that an include can be asked for`,
              `Write ${kinds.join(', ')}`,
            )
          else if (sign === '-') asked.delete(kind)
          else asked = new Set(sign === '' && index === 0 ? ['read', kind] : [...asked, kind])
        })
        reader.includeCheck = asked
      },
    },
  },
  { hints: { lvs_id: 'Write router_id, its name now' } },
)

const sslLevel: Level<NonNullable<FileDraft['ssl']>> = level<NonNullable<FileDraft['ssl']>>(
  'SSL',
  Object.fromEntries(
    (['password', 'ca', 'certificate', 'key'] as const).map((name) => [
      name,
      {
        status: 'done',
        ours: `\`${{ password: 'passphrase', ca: 'authorities', certificate: 'certificate', key: 'key' }[name]}\` of the \`tls\` of SSL_GET`,
        read(statement: Statement, draft, { diagnostics }) {
          statement.only(2)
          const value = statement.need(1, name === 'password' ? 'a password' : 'a path')
          if (value === undefined) return
          if (name === 'password') draft.password = value
          else if (value.startsWith('/')) draft[name] = { value, place: statement.at(1) }
          else
            diagnostics.error(
              statement.at(1),
              `'${value}' is no absolute path, and where it is looked for is not certain`,
              "Write the file's whole path",
            )
        },
      } satisfies Keyword<NonNullable<FileDraft['ssl']>>,
    ]),
  ),
)

const trackFileLevel: Level<TrackFile> = level<TrackFile>('track_file', {
  file: {
    status: 'done', ours: '`path` of file checks',
    read(statement, draft) {
      draft.file = statement.quoted()?.[1]?.text ?? statement.need(1, 'a path') ?? draft.file
    },
  },
  weight: {
    status: 'done', ours: '`factor` of file checks that have none',
    read(statement, draft) {
      draft.weight = readFactor(statement) ?? draft.weight
      statement.only(2)
    },
  },
  init_file: {
    status: 'done', ours: '`initial` and `overwrite` of file checks',
    read(statement, draft, { diagnostics }) {
      draft.initial ??= 0
      for (let index = 1; index < statement.words.length; index++) {
        const word = statement.text(index)!
        if (word === 'overwrite') draft.overwrite = true
        else if (/^[+-]?[0-9]{1,10}$/.test(word) && Math.abs(Number(word)) <= 2 ** 31 - 1) draft.initial = Number(word)
        else diagnostics.warning(statement.at(index), `'${word}' is not looked at`, 'Write init_file [NUMBER] [overwrite]')
      }
    },
  },
}, {})

const trackFile: Global = {
  status: 'done', ours: 'what FILE_CHECK names',
  open(statement, file) {
    const name = statement.need(1, 'a name')
    if (name === undefined) return undefined
    const draft: TrackFile = { name, place: statement.place }
    return { level: trackFileLevel, draft, close: () => file.trackFiles.push(draft) }
  },
}

const rootOwn = [
  'static_ipaddress',
  'static_routes',
  'static_rules',
  'track_group',
  'garp_group',
  'linkbeat_interfaces',
  'vrrp_script',
  'vrrp_track_process',
  'track_process',
  'bfd_instance',
  'interface_up_down_delays',
]

/** Keywords outside of every block. */
export const rootLevel: Level<FileDraft> = level<FileDraft>(
  '',
  {
    global_defs: { status: 'done', ours: 'see below', open: (_statement, file) => ({ level: globalLevel, draft: file }) },
    SSL: { status: 'done', ours: '`tls` of SSL_GET', open: (_statement, file) => ({ level: sslLevel, draft: (file.ssl ??= {}) }) },
    virtual_server: virtualServer,
    virtual_server_group: virtualServerGroup,
    track_file: trackFile,
    vrrp_track_file: trackFile,
    vrrp_instance: vrrpInstance,
    vrrp_sync_group: vrrpSyncGroup,
    net_namespace: namespace('netns'),
    net_namespace_ipvs: namespace('ipvsNetns'),
    instance: ownLine,
    ...Object.fromEntries(
      ['use_pid_dir', 'namespace_with_ipsets', 'linkbeat_use_polling', 'child_wait_time', 'random_seed', 'config_save_dir'].map((name) => [
        name,
        ownLine,
      ]),
    ),
    ...Object.fromEntries(rootOwn.map((name) => [name, own])),
  },
  {
    hints: {
      real_server: 'It belongs into a virtual_server: look whether that ended too early',
      notify_fifo: 'It belongs into global_defs',
      virtual_servers: 'Write virtual_server',
    },
  },
)

export const globalLevels = { '': rootLevel, global_defs: globalLevel, SSL: sslLevel, track_file: trackFileLevel }
