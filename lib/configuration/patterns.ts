/* eslint-disable no-control-regex -- many of these patterns exist to exclude control characters */

/**
 * Regular expressions for the configuration's texts. Validation and the JSON schema share them. They have the flag u, as JSON schema
 * validators assume.
 */

const BYTE = '(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])'
const IPV4 = `${BYTE}(?:\\.${BYTE}){3}`
const GROUP = '[0-9A-Fa-f]{1,4}'
const TAIL = `(?:${GROUP}:${GROUP}|${IPV4})`

/** IPv6 as in RFC 4291, section 2.2, with the grammar of RFC 3986. Matches what `parseAddress` reads. */
const IPV6 = [
  `(?:${GROUP}:){6}${TAIL}`,
  ...[5, 4, 3, 2, 1, 0].map((after) => `${before(5 - after)}::(?:${GROUP}:){${after}}${TAIL}`),
  `${before(6)}::${GROUP}`,
  `${before(7)}::`,
].join('|')

/** At most `most` groups. */
function before(most: number): string {
  return most === 0 ? '' : `(?:(?:${GROUP}:){0,${most - 1}}${GROUP})?`
}

export const ADDRESS = new RegExp(`^(?:${IPV4}|${IPV6})$`, 'u')
export const NETMASK = new RegExp(`^${IPV4}$`, 'u')

/** Visible ASCII, like the kernel's names. */
export const nameOf = (length: number): RegExp => new RegExp(`^[\\x21-\\x7e]{1,${length}}$`, 'u')

/** Follows the kernel's `dev_valid_name`, restricted to ASCII. */
export const INTERFACE = /^(?!\.{1,2}$)[^\s/:\u0000\u{80}-\u{10ffff}]{1,15}$/u

/** An absolute path without a NUL. */
export const PATH = /^\/[^\u0000]*$/u
/** A word of a command line. */
export const WORD = /^[^\u0000]*$/u
/** Allowed in a request line. */
export const REQUEST_PATH = /^[^\u0000-\u0020\u007f]+$/u
/** Allowed in a header. */
export const HEADER = /^[^\u0000-\u001f\u007f]+$/u
export const DIGEST = /^[0-9A-Fa-f]{32}$/u
export const HEXADECIMAL = /^(?:[0-9A-Fa-f]{2} *)*$/u
export const HEXADECIMAL_OR_ANY = /^(?:[0-9A-FXa-fx]{2} *)*$/u
export const PATTERN_FLAGS = /^(?!.*(.).*\1)[imsu]*$/u
export const ANY = /^/u
export const NOT_EMPTY = /^[^]/u
/** Names of users and groups, or their numbers. */
export const ACCOUNT = /^[^\s:\u0000]+$/u
/** A domain name, including the root '.'. */
export const DOMAIN = /^(?=.{1,254}$)(?:\.|(?:[^\s.\u0000]{1,63}\.)*[^\s.\u0000]{1,63}\.?)$/u
