import { isAbsolute } from 'node:path'
import { object, refuseUnknown, string, type Known } from '../../arguments/validate.js'
import { conflict, invalidType, invalidValue, outOfRange } from '../../model/errors.js'
import type { Login } from './authentication.js'
import type { EtcdOptions, EtcdTls } from './types.js'

const SECONDS = { min: 0.05, max: 3600 }

const OPTIONS = ['endpoints', 'tls', 'user', 'password', 'timeout', 'heartbeat'] as const
const TLS: Known = { what: 'the TLS options', names: new Set(['authorities', 'certificate', 'key', 'passphrase', 'serverName']) }

/** The options of a connection, checked and complete. */
export interface EtcdSettings {
  endpoints: string[]
  tls: EtcdTls | undefined
  login: Login | undefined
  timeout: number
  heartbeat: number
}

function endpoint(value: unknown, field: string): string {
  const expected = 'an address of etcd for clients, like \'https://10.0.0.1:2379\''
  const text = string(value, field, expected)
  if (!URL.canParse(text)) throw invalidValue(field, expected, text)
  const url = new URL(text)
  if (url.username !== '' || url.password !== '') throw conflict(field, 'has a user in it: give options.user and options.password')
  const isBare = url.pathname === '/' && url.search === '' && url.hash === ''
  if (!isBare || !['http:', 'https:'].includes(url.protocol)) throw invalidValue(field, expected, text)
  return url.origin
}

function endpoints(value: unknown): string[] {
  if (!Array.isArray(value)) return [endpoint(value, 'options.endpoints')]
  if (value.length === 0) throw conflict('options.endpoints', 'needs at least one address')
  return [...new Set(value.map((one, index) => endpoint(one, `options.endpoints[${index}]`)))]
}

export function seconds(value: unknown, field: string, byDefault: number, { min, max } = SECONDS): number {
  if (value === undefined) return byDefault
  if (typeof value !== 'number') throw invalidType(field, 'a number of seconds', value)
  if (!(value >= min && value <= max)) throw outOfRange(field, `a number of seconds from ${min} to ${max}`, value)
  return value
}

/** An absolute path, if there is one. */
export function path(value: unknown, field: string): string | undefined {
  if (value === undefined) return undefined
  const text = string(value, field, 'an absolute path')
  if (!isAbsolute(text) || text.includes('\0')) throw invalidValue(field, 'an absolute path', text)
  return text
}

function tls(value: unknown): EtcdTls | undefined {
  if (value === undefined) return undefined
  const given = object(value, 'options.tls') as EtcdTls
  refuseUnknown(given as Record<string, unknown>, 'options.tls', TLS)
  for (const name of ['authorities', 'certificate', 'key'] as const) path(given[name], `options.tls.${name}`)
  for (const name of ['passphrase', 'serverName'] as const) if (given[name] !== undefined) string(given[name], `options.tls.${name}`)
  if ((given.certificate === undefined) !== (given.key === undefined)) {
    throw conflict(`options.tls.${given.key === undefined ? 'key' : 'certificate'}`, 'is missing: a certificate and its key belong together')
  }
  return given
}

function login({ user, password }: EtcdOptions): Login | undefined {
  if (user === undefined && password === undefined) return undefined
  const name = string(user, 'options.user', 'the name of a user of etcd')
  if (name === '') throw invalidValue('options.user', 'the name of a user of etcd', name)
  if (typeof password === 'function') return { name, password }
  return { name, password: string(password, 'options.password', 'the user\'s password, or a function that finds it') }
}

/**
 * Checks the options of a connection.
 *
 * @param more names of further options, which the caller checks
 * @throws ArgumentError naming the option that is wrong
 */
export function etcdSettings(options: EtcdOptions, what: string, more: readonly string[] = []): EtcdSettings {
  const given = object(options, 'options') as unknown as EtcdOptions
  refuseUnknown(given as unknown as Record<string, unknown>, 'options', { what, names: new Set([...OPTIONS, ...more]) })
  const settings = {
    endpoints: endpoints(given.endpoints), tls: tls(given.tls), login: login(given),
    timeout: seconds(given.timeout, 'options.timeout', 5), heartbeat: seconds(given.heartbeat, 'options.heartbeat', 2),
  }
  if (settings.tls !== undefined && settings.endpoints.every((one) => one.startsWith('http:'))) {
    throw conflict('options.tls', 'is for endpoints that begin with \'https:\', and there is none')
  }
  return settings
}

/** A prefix of keys without the slash at its end. */
export function keyPrefix(value: unknown): string {
  const expected = 'what the keys of the fleet begin with, like \'/ipvs\''
  const prefix = string(value, 'options.prefix', expected).replace(/\/+$/, '')
  if (prefix === '') throw invalidValue('options.prefix', expected, value)
  return prefix
}
