const decoder = new TextDecoder()

/** Text in `length` bytes, up to its closing NUL. */
export function readText(bytes: Uint8Array, at: number, length: number): string {
  let end = at
  while (end < at + length && bytes[end] !== 0) end++
  return decoder.decode(bytes.subarray(at, end))
}

const words = new Map<number, string>()

/** The same for names that repeat. Those of up to four bytes, as schedulers have, are made once. */
export function readWord(bytes: Uint8Array, at: number, length: number): string {
  if (bytes[at + 4] !== 0 && bytes[at + 3] !== 0 && bytes[at + 2] !== 0 && bytes[at + 1] !== 0) return readText(bytes, at, length)
  let key = 0
  for (let i = 0; i < 4 && bytes[at + i] !== 0; i++) key = key << 8 | bytes[at + i]
  let word = words.get(key)
  if (word === undefined) words.set(key, word = readText(bytes, at, length))
  return word
}
