const decoder = new TextDecoder()

/** Reads text from at most `length` bytes, up to the NUL. */
export function readText(bytes: Uint8Array, at: number, length: number): string {
  let end = at
  while (end < at + length && bytes[end] !== 0) end++
  return decoder.decode(bytes.subarray(at, end))
}

const words = new Map<number, string>()

/** The same for names that repeat. Names of up to four bytes, like those of schedulers, are decoded only once. */
export function readWord(bytes: Uint8Array, at: number, length: number): string {
  if (bytes[at + 4] !== 0 && bytes[at + 3] !== 0 && bytes[at + 2] !== 0 && bytes[at + 1] !== 0) return readText(bytes, at, length)
  let key = 0
  for (let i = 0; i < 4 && bytes[at + i] !== 0; i++) key = key << 8 | bytes[at + i]
  let word = words.get(key)
  if (word === undefined) words.set(key, word = readText(bytes, at, length))
  return word
}
