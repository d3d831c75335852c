/* eslint-disable no-control-regex -- to keep control characters out is what many of these are for */

/** Texts of the configuration as regular expressions: validation and JSON schema use the same. With the flag u, as validators of JSON schema read them. */

const BYTE = '(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])'
const IPV4 = `${BYTE}(?:\\.${BYTE}){3}`
const GROUP = '[0-9A-Fa-f]{1,4}'
const TAIL = `(?:${GROUP}:${GROUP}|${IPV4})`

/** RFC 4291, section 2.2, in the grammar of RFC 3986: what `parseAddress` reads. */
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

/** Visible ASCII, as names in the kernel are. */
export const nameOf = (length: number): RegExp => new RegExp(`^[\\x21-\\x7e]{1,${length}}$`, 'u')

/** As the kernel's `dev_valid_name` has it, for names of one byte a character. */
export const INTERFACE = /^(?!\.{1,2}$)[^\s/:\u0000\u{80}-\u{10ffff}]{1,15}$/u

/** An absolute path without a NUL. */
export const PATH = /^\/[^\u0000]*$/u
/** A word of a command line. */
export const WORD = /^[^\u0000]*$/u
/** What can stand in a request line. */
export const REQUEST_PATH = /^[^\u0000-\u0020\u007f]+$/u
/** What can stand in a header. */
export const HEADER = /^[^\u0000-\u001f\u007f]+$/u
export const DIGEST = /^[0-9A-Fa-f]{32}$/u
export const HEXADECIMAL = /^(?:[0-9A-Fa-f]{2} *)*$/u
export const HEXADECIMAL_OR_ANY = /^(?:[0-9A-FXa-fx]{2} *)*$/u
export const PATTERN_FLAGS = /^(?!.*(.).*\1)[imsu]*$/u
export const ANY = /^/u
export const NOT_EMPTY = /^[^]/u
/** Names of users and groups, or their numbers. */
export const ACCOUNT = /^[^\s:\u0000]+$/u
/** A domain name, the root's '.' included. */
export const DOMAIN = /^(?=.{1,254}$)(?:\.|(?:[^\s.\u0000]{1,63}\.)*[^\s.\u0000]{1,63}\.?)$/u
