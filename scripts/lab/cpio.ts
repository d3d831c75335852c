/** A file of an initial RAM disk. A path that ends in '/' is a folder. */
export interface ArchiveEntry { path: string, mode: number, content?: Uint8Array }

const aligned = (length: number): number => (length + 3) & ~3

/**
 * A cpio archive in the "newc" format, which the kernel unpacks as its first root
 * (Documentation/driver-api/early-userspace/buffer-format.rst).
 */
export function archive(entries: ArchiveEntry[]): Buffer {
  const folder = 0o040000
  const file = 0o100000
  const parts = [...entries, { path: 'TRAILER!!!', mode: 0 }].flatMap(({ path, mode, content = new Uint8Array() }: ArchiveEntry, index) => {
    const isFolder = path.endsWith('/')
    const name = Buffer.from(`${isFolder ? path.slice(0, -1) : path}\0`)
    const kind = path === 'TRAILER!!!' ? 0 : isFolder ? folder : file
    const fields = [index + 1, kind | mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0]
    const header = Buffer.from(`070701${fields.map(value => value.toString(16).padStart(8, '0')).join('')}`)
    const head = Buffer.alloc(aligned(header.length + name.length))
    header.copy(head)
    name.copy(head, header.length)
    return [head, Buffer.from(content), Buffer.alloc(aligned(content.length) - content.length)]
  })
  return Buffer.concat(parts)
}
