import { addressFamily, canonicalAddress } from '../model/address.js'
import type { FileDraft } from './drafts.js'
import type { Statement } from './statement.js'
import type { VrrpAddress, VrrpGroup, VrrpInstance, VrrpProgram } from './types.js'
import { level, type Context, type Keyword, type Level } from './walk.js'

/** Reads what a director needs from keepalived's own blocks. Mistakes in them get no diagnostics here, because keepalived reports them. */

const ours = 'read for `vrrp`: keepalived itself goes on doing it'

/** Reads a program of VRRP; `undefined` if the line names none, which keepalived reports. */
function program(statement: Statement): VrrpProgram | undefined {
  const [, path, user, group] = statement.words
  return path === undefined
    ? undefined
    : {
        keyword: statement.keyword,
        command: path.text.split(/[ \t]+/).filter((word) => word !== ''),
        ...(user !== undefined && { user: user.text }),
        ...(group !== undefined && { group: group.text }),
      }
}

const programs = <Draft extends { programs: VrrpProgram[] }>(): Record<string, Keyword<Draft>> =>
  Object.fromEntries(
    ['notify', 'notify_master', 'notify_backup', 'notify_fault', 'notify_stop', 'notify_deleted', 'notify_master_rx_lower_pri'].map(
      (keyword) => [
        keyword,
        {
          status: 'keepalived',
          ours,
          read(statement, draft) {
            const read = program(statement)
            if (read !== undefined) draft.programs.push(read)
          },
        } satisfies Keyword<Draft>,
      ],
    ),
  )

/** `ADDRESS[/LENGTH] [brd ADDRESS] [dev INTERFACE] …` */
function readAddress(line: Statement): VrrpAddress | undefined {
  const [, text, length] = /^([^/]*)(?:\/([0-9]{1,3}))?$/.exec(line.keyword) ?? []
  const address = text === undefined ? undefined : canonicalAddress(text)
  if (address === undefined) return undefined
  const device = line.words.findIndex((word) => word.text === 'dev')
  const name = device < 0 ? undefined : line.text(device + 1)
  return {
    address,
    prefixLength: length === undefined ? (addressFamily(address) === 4 ? 32 : 128) : Number(length),
    ...(name !== undefined && { interface: name }),
  }
}

const addresses: Keyword<VrrpInstance> = {
  status: 'keepalived', ours,
  values: (_statement, draft) => (line) => {
    const address = readAddress(line)
    if (address !== undefined) draft.addresses.push(address)
  },
}

/** A number from 1 to `max`, which keepalived accepts; `undefined` for anything else. */
const number = (text: string | undefined, max: number): number | undefined =>
  text !== undefined && /^[0-9]+$/.test(text) && Number(text) >= 1 && Number(text) <= max ? Number(text) : undefined

const instanceLevel: Level<VrrpInstance & { file: FileDraft }> = level<VrrpInstance & { file: FileDraft }>(
  'vrrp_instance',
  {
    interface: { status: 'keepalived', ours, read: (statement, draft) => void (draft.interface = statement.text(1) ?? draft.interface) },
    virtual_router_id: {
      status: 'keepalived',
      ours,
      read: (statement, draft) => void (draft.virtualRouterId = number(statement.text(1), 255) ?? draft.virtualRouterId),
    },
    priority: {
      status: 'keepalived',
      ours,
      read: (statement, draft) => void (draft.priority = number(statement.text(1), 255) ?? draft.priority),
    },
    virtual_ipaddress: addresses,
    virtual_ipaddress_excluded: addresses,
    ...programs(),
    lvs_sync_daemon_interface: {
      status: 'keepalived',
      ours: 'read for `vrrp`, as `lvs_sync_daemon` with this instance',
      read(statement, draft, { diagnostics }) {
        const name = statement.text(1)
        if (name === undefined) return
        diagnostics.warning(
          statement.place,
          'lvs_sync_daemon_interface is the old way to write it',
          `Write lvs_sync_daemon ${name} ${draft.name} into global_defs`,
        )
        draft.file.syncDaemon ??= { value: { interface: name, instance: draft.name, by: 'vrrp' }, place: statement.place }
      },
    },
  },
  { lenient: true },
)

const groupLevel: Level<VrrpGroup> = level<VrrpGroup>('vrrp_sync_group', {
  group: {
    status: 'keepalived', ours,
    values: (_statement, draft) => (line) => void draft.instances.push(...line.words.map((word) => word.text)),
  },
  ...programs(),
}, { lenient: true })

export const vrrpInstance: Keyword<FileDraft> = {
  status: 'keepalived', ours,
  open(statement, file) {
    const instance: VrrpInstance = { name: statement.text(1) ?? '', priority: 100, addresses: [], programs: [] }
    const draft = Object.defineProperty(instance, 'file', { value: file, enumerable: false }) as VrrpInstance & { file: FileDraft }
    return { level: instanceLevel, draft, close: () => file.vrrp.instances.push({ ...instance }) }
  },
}

export const vrrpSyncGroup: Keyword<FileDraft> = {
  status: 'keepalived', ours,
  open(statement, file) {
    const draft: VrrpGroup = { name: statement.text(1) ?? '', instances: [], programs: [] }
    return { level: groupLevel, draft, close: () => file.vrrp.groups.push(draft) }
  },
}

/** `lvs_sync_daemon IF [[inst] VRRP] [id N] [maxlen N] [port N] [ttl N] [group A]`. The old form has the id without the word `id`. */
export const syncDaemon: Keyword<FileDraft> = {
  status: 'done', ours: '`daemons`, both roles; with a VRRP instance it is keepalived\'s own, with `-P` too',
  read(statement, file, { diagnostics }: Context) {
    const name = statement.need(1, 'the name of an interface')
    if (name === undefined) return
    const daemon: NonNullable<FileDraft['syncDaemon']>['value'] = { interface: name, by: 'director' }
    const numbers: Record<string, [keyof typeof daemon, number, number]> = {
      id: ['syncId', 0, 255],
      maxlen: ['maxLength', 1, 65507],
      port: ['port', 1, 65535],
      ttl: ['ttl', 1, 255],
    }
    for (let index = 2; index < statement.words.length; index++) {
      const word = statement.text(index)!
      if (Object.hasOwn(numbers, word)) {
        const [property, min, max] = numbers[word]
        const value = statement.integer(++index, { min, max, what: 'a number', tolerant: false })
        if (value !== undefined) Object.assign(daemon, { [property]: value })
      } else if (word === 'group') {
        const address = canonicalAddress(statement.text(++index) ?? '')
        if (address !== undefined && /^(?:2(?:2[4-9]|3[0-9])\.|ff)/.test(address)) daemon.group = address
        else diagnostics.warning(statement.at(index), `'${statement.text(index) ?? ''}' is no multicast group, so the kernel's own is used`, 'Write an address like 224.0.0.81')
      } else if (word === 'inst') daemon.instance = statement.text(++index)
      else if (daemon.instance === undefined) daemon.instance = word
      else if (/^[0-9]+$/.test(word) && Number(word) <= 255 && daemon.syncId === undefined) daemon.syncId = Number(word)
      else diagnostics.warning(statement.at(index), `'${word}' is not looked at`, 'Write lvs_sync_daemon INTERFACE [inst INSTANCE] [id N] [maxlen N] [port N] [ttl N] [group ADDRESS]')
    }
    if (daemon.instance !== undefined) daemon.by = 'vrrp'
    if (file.syncDaemon !== undefined)
      diagnostics.warning(statement.place, 'lvs_sync_daemon was given already, so this one does not count', 'Write one')
    file.syncDaemon ??= { value: daemon, place: statement.at(1) }
  },
}

export const vrrpLevels = { vrrp_instance: instanceLevel, vrrp_sync_group: groupLevel }
