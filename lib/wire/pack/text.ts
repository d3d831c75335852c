const encoder = new TextEncoder()

/** Writes text into `length` bytes, padded with NULs. The caller has checked that it fits. */
export function writeText(bytes: Uint8Array, at: number, length: number, text: string): void {
  const end = at + length
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 127) {
      bytes.fill(0, at, end)
      encoder.encodeInto(text, bytes.subarray(at, end))
      return
    }
    bytes[at + i] = code
  }
  for (let i = at + text.length; i < end; i++) bytes[i] = 0
}

/** Length of text in bytes, as the kernel counts it. */
export const byteLength = (text: string): number => encoder.encode(text).length
