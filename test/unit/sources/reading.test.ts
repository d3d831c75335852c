import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readSource } from '../../../lib/sources/reading.js'
import { ConfigurationReader } from '../../../lib/sources/thread.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'reading-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const virtual = (address: string): string => `virtual_server ${address} 80 {\n  lb_kind NAT\n  protocol TCP\n  real_server 10.0.0.2 80 {\n    TCP_CHECK {\n    }\n  }\n}\n`
const addresses = (path: string): unknown[] | undefined =>
  readSource({ type: 'keepalived', file: path }).configuration?.services.map((service) =>
    'address' in service ? service.address : undefined,
  )

describe('reading a keepalived.conf', () => {
  test('runs programs for which the file names no user as the user that is given, and tells where the file names them', () => {
    const path = file('keepalived.conf', [
      'virtual_server 10.0.0.1 80 {', '  protocol TCP', '  lb_algo rr', '  lb_kind NAT', '  real_server 10.0.0.2 80 {',
      '    MISC_CHECK {', '      misc_path /usr/bin/true', '    }', '  }', '}', '',
    ].join('\n'))
    const { programs, diagnostics } = readSource({ type: 'keepalived', file: path, scriptUser: 'keepalived_script' })
    expect(programs).toMatchObject([{ command: ['/usr/bin/true'], user: 'keepalived_script', file: path, line: 7 }])
    expect(diagnostics).toEqual([])
    expect(readSource({ type: 'keepalived', file: path }).diagnostics).toMatchObject([{ severity: 'warning' }])
  })

  test('follows includes from the folder of the file that has them', () => {
    mkdirSync(join(folder, 'conf.d'))
    mkdirSync(join(folder, 'conf.d/folder.conf'))
    file('conf.d/b.conf', virtual('10.1.0.2'))
    file('conf.d/a.conf', `include more/*\n${virtual('10.1.0.1')}`)
    mkdirSync(join(folder, 'conf.d/more'))
    file('conf.d/more/x', virtual('10.1.0.9'))
    const main = file('keepalived.conf', `include conf.d/*.conf\n${virtual('10.1.0.3')}`)
    expect(addresses(main)).toEqual(['10.1.0.9', '10.1.0.1', '10.1.0.2', '10.1.0.3'])
    expect(readSource({ type: 'keepalived', file: main }).paths).toEqual(
      expect.arrayContaining([main, join(folder, 'conf.d/a.conf'), join(folder, 'conf.d/')]),
    )
  })

  test('tells the place of a mistake in an included file', () => {
    const bad = file('bad.conf', virtual('nowhere'))
    const { configuration, diagnostics } = readSource({ type: 'keepalived', file: file('keepalived.conf', 'include bad.conf\n') })
    expect(configuration).toBeUndefined()
    expect(diagnostics).toContainEqual(expect.objectContaining({ file: bad, line: 1, severity: 'error' }))
  })

  test('takes ha_suspend as keepalived means it', () => {
    const main = file('keepalived.conf', virtual('10.1.0.1').replace('protocol', 'ha_suspend\n  protocol'))
    const { configuration, diagnostics } = readSource({ type: 'keepalived', file: main })
    expect(configuration!.services[0]).toMatchObject({ onlyWhileHeld: true })
    expect(diagnostics.filter(({ message }) => message.includes('ha_suspend'))).toEqual([])
  })
})

describe('reading a file in JSON', () => {
  test('tells the place of every mistake', () => {
    const path = file(
      'director.json',
      '{ "services": [\n  { "protocol": "tcp", "address": "10.0.0.1", "port": "80" },\n  { "protocol": "tcp", "address": "10.0.0.1", "port": 80, "quorom": 1 }\n] }',
    )
    const { configuration, diagnostics } = readSource({ type: 'json', file: path })
    expect(configuration).toBeUndefined()
    expect(diagnostics.map(({ line, column, message }) => `${line}:${column} ${message.split(' ')[0]}`)).toEqual(['2:47 services[0].port', '3:59 services[1].quorom'])
  })

  test('reads one that is good, with a byte-order mark too', () => {
    const path = file('director.json', '\ufeff{ "services": [] }')
    expect(readSource({ type: 'json', file: path })).toMatchObject({ configuration: { services: [] }, diagnostics: [] })
  })

  test('tells why there is none', () => {
    const { configuration, diagnostics } = readSource({ type: 'json', file: join(folder, 'nothing.json') })
    expect(configuration).toBeUndefined()
    expect(diagnostics[0].message).toContain('ENOENT')
  })
})

describe('reading a file again and again', () => {
  test('gives what has not changed as the same object, with its defaults, whatever stands around it', async () => {
    const path = file('keepalived.conf', virtual('10.1.0.1') + virtual('10.1.0.2'))
    const reader = new ConfigurationReader({ type: 'keepalived', file: path })
    const { configuration: first } = await reader.read()
    expect(first!.services[0]).toMatchObject({ quorum: 1, destinations: [{ whenDown: 'remove', checks: [{ type: 'tcp', failures: 2 }] }] })
    file('keepalived.conf', virtual('10.1.0.3') + virtual('10.1.0.2') + virtual('10.1.0.1').replace('10.0.0.2', '10.0.0.3'))
    const { configuration: second } = await reader.read()
    expect(second!.services.map((service) => 'address' in service && service.address)).toEqual(['10.1.0.3', '10.1.0.2', '10.1.0.1'])
    expect(second!.services[1]).toBe(first!.services[1])
    expect(second!.services[2]).not.toBe(first!.services[0])
    expect(second!.services[2].destinations[0].address).toBe('10.0.0.3')
  })

  test('keeps what it knows over a file that is refused, and names the programs of the others', async () => {
    const path = file('keepalived.conf', virtual('10.1.0.1'))
    const reader = new ConfigurationReader({ type: 'keepalived', file: path })
    const { configuration: first, named } = await reader.read()
    expect(named).toEqual([])
    file('keepalived.conf', 'virtual_server nowhere 80 {\n}\n')
    expect(await reader.read()).toMatchObject({ configuration: undefined, named: [], diagnostics: [{ severity: 'error' }] })
    file('keepalived.conf', virtual('10.1.0.1').replace('TCP_CHECK {', 'MISC_CHECK {\n misc_path /usr/bin/true') + virtual('10.1.0.2'))
    expect((await reader.read()).named).toMatchObject([{ field: 'services[0].destinations[0].checks[0]', command: ['/usr/bin/true'] }])
    file('keepalived.conf', virtual('10.1.0.1'))
    expect((await reader.read()).configuration).toEqual(first)
  })
})
