import { resolve } from 'node:path'
import { conflict, invalidType, invalidValue } from '../model/errors.js'
import { integer, object, refuseUnknown, type Known } from '../arguments/validate.js'
import { SOCKET_BUFFER } from '../model/limits.js'
import type { NativeOpenOptions } from '../wire/addon.js'
import type { OpenOptions } from '../model/types.js'

/** Where `ip netns` keeps its names (ip-netns(8)). */
const NAMED = '/run/netns'

const OPTIONS: Known = { what: 'the options of open', names: new Set(['netns', 'receiveBuffer', 'sendBuffer']) }
const BY_NUMBER: Known = { what: 'netns', names: new Set(['pid', 'fd']) }

const EXPECTED = 'a name, a path, { pid } or { fd }'

const NUMBER = { min: 0, max: 2 ** 31 - 1 }

/**
 * A string with a slash in it is a path, as names have none. A relative one is resolved at once: a thread opens it later, perhaps after a
 * chdir().
 */
function byText(netns: string): string {
  if (netns === '' || netns === '.' || netns === '..' || netns.includes('\0')) throw invalidValue('netns', EXPECTED, netns)
  return netns.includes('/') ? resolve(netns) : `${NAMED}/${netns}`
}

/** What the addon needs to find a network namespace. */
function place(netns: unknown): Pick<NativeOpenOptions, 'netnsPath' | 'netnsFd'> {
  if (netns === undefined) return {}
  if (typeof netns === 'string') return { netnsPath: byText(netns) }
  if (typeof netns !== 'object' || netns === null) throw invalidType('netns', EXPECTED, netns)
  const { pid, fd } = object(netns, 'netns')
  refuseUnknown(netns as Record<string, unknown>, 'netns', BY_NUMBER)
  if (pid !== undefined && fd !== undefined) throw conflict('netns', 'has a pid and a descriptor: give one of them')
  if (fd !== undefined) return { netnsFd: integer(fd, 'netns.fd', NUMBER) }
  if (pid !== undefined) return { netnsPath: `/proc/${integer(pid, 'netns.pid', { ...NUMBER, min: 1 })}/ns/net` }
  throw invalidType('netns', EXPECTED, netns)
}

/** Validates the options of `open`. */
export function nativeOptions(options: OpenOptions | undefined): NativeOpenOptions {
  if (options === undefined) return {}
  const given = object(options, 'options')
  refuseUnknown(given, 'options', OPTIONS)
  const native: NativeOpenOptions = place(given.netns)
  if (given.receiveBuffer !== undefined) native.receiveBuffer = integer(given.receiveBuffer, 'options.receiveBuffer', SOCKET_BUFFER)
  if (given.sendBuffer !== undefined) native.sendBuffer = integer(given.sendBuffer, 'options.sendBuffer', SOCKET_BUFFER)
  return native
}
