import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import { readDirectorCommand } from '../../../lib/command/director/options.js'

const etcd = ['--etcd', 'http://127.0.0.1:2379,http://127.0.0.2:2379', '--prefix', '/ipvs/']

test('a configuration in etcd, with what goes with it', () => {
  expect(readDirectorCommand([...etcd, '--copy', '/var/lib/ipvs/services', '--announce', 'vip']).source).toEqual({
    type: 'etcd', cluster: { endpoints: ['http://127.0.0.1:2379', 'http://127.0.0.2:2379'] }, prefix: '/ipvs', copy: '/var/lib/ipvs/services',
    id: hostname(), rule: 'majority',
  })
  expect(readDirectorCommand([...etcd, '--id', 'd1', '--agree', 'any']).source).toMatchObject({ id: 'd1', rule: 'any' })
  expect(readDirectorCommand([...etcd, '--announce', 'vip']).announcing).toEqual({ protocol: 'vip', socket: '/run/bird/bird.ctl' })
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
