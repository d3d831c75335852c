import { hostname } from 'node:os'
import { describe, expect, test } from 'vitest'
import { readDirectorCommand, type EtcdSource } from '../../../lib/command/director/options.js'

const etcd = ['--etcd', 'http://127.0.0.1:2379,http://127.0.0.2:2379', '--prefix', '/ipvs/']

test('a configuration in etcd, with what goes with it', () => {
  expect(readDirectorCommand([...etcd, '--id', 'd2', '--copy', '/var/lib/ipvs/services', '--announce', 'vip']).source).toEqual({
    type: 'etcd', cluster: { endpoints: ['http://127.0.0.1:2379', 'http://127.0.0.2:2379'] }, prefix: '/ipvs', copy: '/var/lib/ipvs/services',
    id: 'd2', rule: 'majority',
  })
  expect(readDirectorCommand(etcd).source).toMatchObject({ id: hostname() })
  expect(readDirectorCommand([...etcd, '--id', 'd1', '--agree', 'any']).source).toMatchObject({ id: 'd1', rule: 'any' })
  expect(readDirectorCommand([...etcd, '--announce', 'vip']).announcing).toEqual({ protocol: 'vip', socket: '/run/bird/bird.ctl' })
})

describe('directors with the same command line', () => {
  const members = ['http://10.0.0.1:2379', 'http://10.0.0.2:2379', 'http://10.0.0.3:2379']

  /** The members of etcd in the order in which a director tries them. */
  function orderOf(id: string, given = members): readonly string[] {
    const { source } = readDirectorCommand(['--etcd', given.join(), '--prefix', '/ipvs', '--id', id])
    return (source as EtcdSource).cluster.endpoints as string[]
  }

  test('spread over the members of etcd: the name of each chooses where it begins, and the others follow in their order', () => {
    const [first, second, third] = members
    expect(['d1', 'd2', 'director'].map((id) => orderOf(id))).toEqual([
      [first, second, third], [second, third, first], [third, first, second],
    ])
    const begins = Array.from({ length: 300 }, (_, number) => orderOf(`director-${number}`)[0])
    for (const member of members) expect(begins.filter((one) => one === member).length).toBeGreaterThan(75)
  })

  test('begin where they began before, when they are started again', () => {
    expect(orderOf('lb7')).toEqual(orderOf('lb7'))
    expect(orderOf('d2', ['http://10.0.0.1:2379'])).toEqual(['http://10.0.0.1:2379'])
  })
})

test.each([
  [[...etcd, '--config', '/x.json'], '--config and --etcd are two configurations'],
  [['--etcd', 'http://127.0.0.1:2379'], 'which fleet?'],
  [['--config', '/x.json', '--prefix', '/ipvs'], '--prefix goes with --etcd'],
  [['--config', '/x.json', '--agree', 'any'], '--agree goes with --etcd'],
  [[...etcd, '--follow'], '--follow is for files'],
  [[...etcd, '--copy', 'here'], '--copy \'here\'; expected the absolute path'],
  [[...etcd, '--agree', 'some'], '--agree \'some\'; expected one of majority, any, all, own'],
  [[...etcd, '--id', 'a/b'], '--id \'a/b\'; expected a name without a slash'],
  [[...etcd, '--bird', '/x'], '--bird goes with --announce'],
  [[...etcd, '--announce', 'a b'], '--announce \'a b\'; expected the name of a protocol'],
  [[...etcd, '--cert', '/x'], '--key is missing'],
  [[...etcd, '--user', 'me', '--password-file', '/no/such/file'], '--password-file \'/no/such/file\' cannot be read'],
])('%j is refused', (args, words) => {
  expect(() => readDirectorCommand(args)).toThrow(words)
})
