import { expect, test } from 'vitest'
import type { ServiceKey } from 'ipvs'
import { ownership } from '../../../lib/state/ownership.js'
import type { Ownership } from '../../../lib/state/types.js'

const tcp = (address: string, port = 80): ServiceKey => ({ protocol: 'tcp', address, port })

const cases: [Ownership, ServiceKey[], ServiceKey[]][] = [
  [{}, [tcp('10.0.0.1'), tcp('fd00::1')], [{ fwmark: 1, family: 4 }]],
  [{ protocol: 'udp' }, [{ protocol: 'udp', address: '10.0.0.1', port: 53 }], [tcp('10.0.0.1', 53)]],
  [{ address: '10.0.0.1' }, [tcp('10.0.0.1')], [tcp('10.0.0.2'), tcp('::ffff:10.0.0.1')]],
  [{ address: '10.1.2.3/12' }, [tcp('10.0.0.0'), tcp('10.15.255.255')], [tcp('10.16.0.0'), tcp('11.0.0.1')]],
  [{ address: '0.0.0.0/0' }, [tcp('255.255.255.255')], [tcp('::1')]],
  [{ address: '10.0.0.128/25' }, [tcp('10.0.0.128'), tcp('10.0.0.255')], [tcp('10.0.0.127')]],
  [{ address: '::/0' }, [tcp('ffff::1')], [tcp('1.2.3.4')]],
  [{ address: 'fd00:1::/33' }, [tcp('fd00:1:7fff::')], [tcp('fd00:1:8000::'), tcp('fd00:2::')]],
  [{ address: 'fd00::1/128' }, [tcp('fd00::1')], [tcp('fd00::2')]],
  [{ port: 443 }, [tcp('10.0.0.1', 443)], [tcp('10.0.0.1', 80)]],
  [{ port: [8000, 8080] }, [tcp('10.0.0.1', 8000), tcp('10.0.0.1', 8080)], [tcp('10.0.0.1', 7999), tcp('10.0.0.1', 8081)]],
  [{ fwmark: [5, 6] }, [{ fwmark: 5, family: 4 }, { fwmark: 6, family: 6 }], [{ fwmark: 7, family: 4 }, tcp('10.0.0.1')]],
  [{ fwmark: 5, family: 6 }, [{ fwmark: 5, family: 6 }], [{ fwmark: 5, family: 4 }]],
  [[{ port: 1 }, { fwmark: 2 }], [tcp('10.0.0.1', 1), { fwmark: 2, family: 4 }], [tcp('10.0.0.1', 2)]],
  [(key) => 'port' in key && key.port === 9, [tcp('10.0.0.1', 9)], [tcp('10.0.0.1', 8)]],
]

test.each(cases)('%j owns what is in it, and nothing else', (owns, inside, outside) => {
  const owned = ownership(owns)
  expect(inside.map(owned)).toEqual(inside.map(() => true))
  expect(outside.map(owned)).toEqual(outside.map(() => false))
})
