import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Check, DirectorConfiguration } from '../../../lib/configuration/index.js'
import { readSource } from '../../../lib/sources/reading.js'
import { tlsFaults, tlsFaultsOf } from '../../../lib/files/tls-faults.js'

let folder: string
const path = (name: string): string => join(folder, name)
const text = (name: string): string => readFileSync(path(name), 'utf8')

function file(name: string, content: string): string {
  writeFileSync(path(name), content)
  return path(name)
}

const openssl = (...args: string[]): void => {
  execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tls-files-'))
  const request = ['req', '-x509', '-nodes', '-days', '2', '-subj', '/CN=test']
  for (const name of ['own', 'other']) {
    openssl(...request, '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-keyout', `${name}.key`, '-out', `${name}.crt`)
  }
  openssl(...request, '-newkey', 'rsa:512', '-keyout', 'short.key', '-out', 'short.crt')
  openssl('x509', '-in', 'own.crt', '-trustout', '-out', 'trusted.crt')
  openssl('x509', '-in', 'own.crt', '-outform', 'DER', '-out', 'own.der')
  openssl('pkcs8', '-topk8', '-in', 'own.key', '-out', 'encrypted.key', '-passout', 'pass:secret')
  openssl('ec', '-in', 'own.key', '-out', 'old.key', '-aes128', '-passout', 'pass:secret')
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('files of TLS', () => {
  test('that are what they should be are good', () => {
    const bundle = file('bundle.crt', `two authorities\n${text('own.crt')}\n${text('other.crt')}`)
    const both = file('both.pem', text('own.crt') + text('own.key'))
    expect(tlsFaults({ authorities: bundle, certificate: path('own.crt'), key: path('own.key') })).toEqual([])
    expect(tlsFaults({ authorities: path('trusted.crt') })).toEqual([])
    expect(tlsFaults({ certificate: both, key: both })).toEqual([])
    for (const key of ['encrypted.key', 'old.key']) {
      expect(tlsFaults({ certificate: path('own.crt'), key: path(key), passphrase: 'secret' })).toEqual([])
    }
  })

  test('are told by what is wrong with each of them', () => {
    const damaged = file('damaged.crt', text('own.crt') + text('other.crt').slice(0, 200))
    const broken = file('broken.key', text('own.key').replace(/\n.{20}/, '\n'))
    const certificate = path('own.crt')
    const words = (files: Parameters<typeof tlsFaults>[0]): string[] => tlsFaults(files).map(({ name, words }) => `${name}: ${words}`)
    expect(words({ authorities: path('none'), certificate: folder, key: `${certificate}/x` })).toEqual([
      `authorities: ${path('none')} does not exist`, `certificate: ${folder} is no file`, `key: ${certificate}/x does not exist`,
    ])
    expect(words({ authorities: path('own.der'), certificate: path('own.key'), key: certificate })).toEqual([
      `authorities: ${path('own.der')} has no certificate in PEM`, `certificate: ${path('own.key')} has no certificate in PEM`,
      `key: ${certificate} has no private key in PEM`,
    ])
    expect(words({ authorities: damaged })).toEqual([`authorities: ${damaged} is damaged: certificate 2 of 2 cannot be read`])
    expect(words({ certificate, key: broken })).toEqual([`key: ${broken} is damaged: its key cannot be read`])
    expect(words({ certificate, key: path('other.key') })).toEqual([`key: ${path('other.key')} is not the key of the certificate ${certificate}`])
    for (const key of ['encrypted.key', 'old.key']) {
      expect(words({ certificate, key: path(key) })).toEqual([`key: ${path(key)} needs a passphrase, and there is none`])
      expect(words({ certificate, key: path(key), passphrase: 'other' })).toEqual([`key: ${path(key)} cannot be opened with its passphrase`])
    }
    expect(words({ certificate: path('short.crt'), key: path('short.key') })).toEqual([
      expect.stringMatching(/^certificate: .*short\.crt cannot be used for TLS: .*too small$/),
    ])
  })

  test('that were good are looked at again when they have changed', () => {
    const changing = file('changing.crt', text('own.crt'))
    expect(tlsFaults({ authorities: changing })).toEqual([])
    file('changing.crt', 'nothing')
    expect(tlsFaults({ authorities: changing })).toMatchObject([{ name: 'authorities', words: `${changing} has no certificate in PEM` }])
    file('changing.crt', text('other.crt'))
    expect(tlsFaults({ authorities: changing })).toEqual([])
    rmSync(changing)
    expect(tlsFaults({ authorities: changing })).toMatchObject([{ words: `${changing} does not exist` }])
  })

  test('are told once, at the check that names them first', () => {
    const tls = { certificate: path('own.crt'), key: path('none') }
    const secure: Check = { type: 'tls', tls }
    const web: Check = { type: 'http', urls: [{ path: '/' }], tls: { ...tls, authorities: path('none') } }
    const service = { protocol: 'tcp', address: '10.0.0.1', port: 443 } as const
    const destinations = ['10.0.0.2', '10.0.0.3'].map((address) => ({ address, port: 443, checks: [{ type: 'tcp' as const }, web] }))
    const configuration: DirectorConfiguration = { services: [{ ...service, checks: [secure], destinations }] }
    expect(tlsFaultsOf(configuration).map(({ field, words }) => `${field} ${words}`)).toEqual([
      `services[0].checks[0].tls.key ${path('none')} does not exist`,
    ])
    expect(tlsFaultsOf({ services: [{ ...service, destinations }] }).map(({ field }) => field)).toEqual([
      'services[0].destinations[0].checks[1].tls.authorities',
    ])
  })

  test('are read once while they stay as they are, whether they are good or not: thousands of checks ask', () => {
    const files = { authorities: file('changing.crt', 'no certificate') }
    const faults = tlsFaults(files)
    expect(faults).toHaveLength(1)
    expect(tlsFaults(files)).toBe(faults)
    file('changing.crt', text('own.crt'))
    expect(tlsFaults(files)).toEqual([])
  })
})

describe('a configuration with a file of TLS that is of no use', () => {
  test('is refused at the line of keepalived.conf, also of a file that is included, where this machine is to direct it', () => {
    const main = file('keepalived.conf', [
      'include ssl.conf', 'virtual_server 10.0.0.1 443 {', '  lb_kind NAT', '  protocol TCP', '  real_server 10.0.0.2 443 {',
      '    SSL_GET {', '      url {', '        path /', '      }', '    }', '  }', '}', '',
    ].join('\n'))
    const included = file('ssl.conf', `SSL {\n  certificate ${path('own.crt')}\n  key ${path('other.key')}\n}\n`)
    const source = { type: 'keepalived', file: main } as const
    expect(readSource(source).configuration).toBeDefined()
    const { configuration, diagnostics, paths } = readSource({ ...source, isForHere: true })
    expect(configuration).toBeUndefined()
    // Who follows the file hears when it is mended.
    expect(paths).toContain(path('other.key'))
    expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([{
      file: included, line: 3, column: 7, severity: 'error', message: `${path('other.key')} is not the key of the certificate ${path('own.crt')}`,
      advice: expect.stringContaining('Write the key') as string,
    }])
    file('ssl.conf', `SSL {\n  certificate ${path('own.crt')}\n  key ${path('own.key')}\n}\n`)
    expect(readSource({ ...source, isForHere: true }).configuration).toBeDefined()
  })

  test('is not refused for a file that no check uses', () => {
    const main = file('unused.conf', `SSL {\n  ca ${path('none')}\n}\nvirtual_server 10.0.0.1 80 {\n  protocol TCP\n  real_server 10.0.0.2 80 {\n    TCP_CHECK {\n    }\n  }\n}\n`)
    expect(readSource({ type: 'keepalived', file: main, isForHere: true }).configuration).toBeDefined()
  })

  test('is refused at the check in JSON', () => {
    const lines = [
      '{ "services": [{ "protocol": "tcp", "address": "10.0.0.1", "port": 443, "destinations": [', '  { "address": "10.0.0.2", "port": 443 },',
      `  { "address": "10.0.0.3", "port": 443, "checks": [{ "type": "tls", "tls": { "authorities": "${path('none')}" } }] }`, '] }] }',
    ]
    const { configuration, diagnostics } = readSource({ type: 'json', file: file('director.json', `\ufeff${lines.join('\n')}`), isForHere: true })
    expect(configuration).toBeUndefined()
    expect(diagnostics).toMatchObject([{
      file: path('director.json'), line: 3, column: lines[2].indexOf('"authorities"') + 1, severity: 'error',
      message: `services[0].destinations[1].checks[0].tls.authorities is refused: ${path('none')} does not exist`,
    }])
  })
})
