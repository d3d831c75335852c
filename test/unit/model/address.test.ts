import { isIP, isIPv4 } from 'node:net'
import { describe, expect, it } from 'vitest'
import { addressFamily, canonicalAddress, formatMask, maskOfPrefix, parseMask, prefixOfMask } from '../../../lib/model/address.js'

/** A small generator of numbers that is the same on every run. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ;) {
    state = Math.imul(state, 1664525) + 1013904223 >>> 0
    yield state
  }
}

describe('addresses', () => {
  it.each([
    ['10.10.10.100', '10.10.10.100'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['2001:DB8::1', '2001:db8::1'],
    ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:db8::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
    ['fe80::1', 'fe80::1'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['::ffff:c000:201', '::ffff:192.0.2.1'],
    ['::192.0.2.1', '::c000:201'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ])('%s is written %s', (text, canonical) => {
    expect(canonicalAddress(text)).toBe(canonical)
    expect(canonicalAddress(canonical)).toBe(canonical)
  })

  it.each([
    '',
    ' ',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.',
    '.1.2.3',
    '1..2.3',
    '1.2.3.256',
    '1.2.3.1000',
    '01.2.3.4',
    '1.2.3.04',
    '00.0.0.0',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1.2.3.4/24',
    '1.2.3.-4',
    '1.2.3.+4',
    '1.2.3.0x4',
    '1.2.3.4\0',
    '１.2.3.4',
    'localhost',
    '10.0.0.1:80',
    ':',
    ':::',
    '1:',
    ':1',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '1::2::3',
    '12345::',
    'g::',
    '::1%lo',
    'fe80::1%eth0',
    '[::1]',
    '::1/64',
    '::1.2.3',
    '::1.2.3.4.5',
    '::01.2.3.4',
    '1.2.3.4::',
    '1:2:3:4:5:6:7:1.2.3.4',
    '::1.2.3.4:5',
    '1:2:3:4:5:6:1.2.3.256',
    `${'0'.repeat(40)}::1`,
  ])('%j is no address', (text) => {
    expect(addressFamily(text)).toBe(0)
    expect(canonicalAddress(text)).toBeUndefined()
  })

  it('agrees with Node about what is an address, for text that is nearly one', () => {
    const random = numbers(7)
    const alphabet = '0123456789abcdefABCDEF::::....'
    const disagreed: string[] = []
    for (let i = 0; i < 50_000; i++) {
      let text = ''
      for (let length = random.next().value % 20; length >= 0; length--) text += alphabet[random.next().value % alphabet.length]
      if (addressFamily(text) !== isIP(text)) disagreed.push(text)
    }
    expect(disagreed).toEqual([])
  })

  it('keeps every address through text', () => {
    const random = numbers(3)
    const changed: string[] = []
    for (let i = 0; i < 5000; i++) {
      const groups = Array.from({ length: 8 }, () => random.next().value % 3 === 0 ? random.next().value & 0xffff : 0)
      const text = groups.map((group) => group.toString(16)).join(':')
      const canonical = canonicalAddress(text)!
      // The same address, says the standard library's own canonical form.
      const same = new URL(`http://[${canonical}]/`).hostname === new URL(`http://[${text}]/`).hostname
      if (!same || canonicalAddress(canonical) !== canonical || /:{3}|::.*::/.test(canonical)) changed.push(canonical)
    }
    for (let i = 0; i < 5000; i++) {
      const text = formatMask(random.next().value)
      if (!isIPv4(text) || canonicalAddress(text) !== text) changed.push(text)
    }
    expect(changed).toEqual([])
  })
})

describe('masks', () => {
  it('are the same as prefix lengths where their bits are contiguous', () => {
    for (let length = 0; length <= 32; length++) expect(prefixOfMask(maskOfPrefix(length))).toBe(length)
    expect(formatMask(maskOfPrefix(24))).toBe('255.255.255.0')
    expect(parseMask('255.255.255.0')).toBe(0xffffff00)
  })

  it('have no prefix length otherwise', () => {
    expect(prefixOfMask(parseMask('255.0.255.0')!)).toBeUndefined()
    expect(prefixOfMask(1)).toBeUndefined()
    expect(parseMask('ffff::')).toBeUndefined()
  })
})
