import { promisify } from 'node:util'
import { errnoName, IpvsError } from '../model/errors.js'
import type { NativeHandle } from '../wire/addon.js'
import { addon } from '../wire/load.js'
import type { Request } from '../model/types.js'

// An `import` of node:fs would also load what node:fs itself loads only when it is needed: streams and promises, a tenth of the time that
// importing this package takes.
const { constants, read, readSync, write, writeSync } = process.getBuiltinModule('node:fs')

const readAt = promisify(read)
const writeAt = promisify(write)

const CHUNK = 65_536

/** A file of /proc that belongs to a network namespace, and the operation that reads or writes it. */
export interface NamespaceFile {
  path: string
  operation: Request
}

/** What opens files in a network namespace. */
export type Opener = Pick<NativeHandle, 'openInNamespace'>

/** Closes a descriptor that the addon has opened. In worker threads `fs.close` warns about descriptors that `fs` has not opened. */
const close = (descriptor: number): void => addon.closeDescriptor(descriptor)

/**
 * Opens a file. /proc shows the namespace of the thread that opens it. If the handle's namespace is another one, a thread enters it, which
 * needs CAP_SYS_ADMIN.
 */
function open(handle: Opener, { path, operation }: NamespaceFile, flags: number): number {
  const descriptor = handle.openInNamespace(path, flags)
  if (descriptor < 0) throw fileError(descriptor, path, operation)
  return descriptor
}

const ADVICE: Partial<Record<string, string>> = {
  ENOENT: 'this kernel does not have it, or has not loaded IPVS',
  EACCES: 'it may not be opened: that needs root, or CAP_NET_ADMIN over the network namespace',
  EPERM: 'it may not be opened: it belongs to another network namespace than that of the process, and entering one needs CAP_SYS_ADMIN',
  EINVAL: 'the kernel does not accept the value',
  EMFILE: 'this process cannot open more files. Close some, or raise its limit (ulimit -n)',
}

function fileError(errno: number, path: string, operation: Request): IpvsError {
  const code = errnoName(errno)
  const advice = code === 'EROFS'
    ? 'it is mounted read-only, as in a container. Give it when the container starts, '
      + `docker run --sysctl ${path.slice('/proc/sys/'.length).replaceAll('/', '.')}=VALUE, or set it on the host for --network host`
    : ADVICE[code] ?? 'it could not be read or written'
  return new IpvsError(`${path}: ${advice} (${code})`, { errno, operation })
}

/** Reads a file piece by piece, without blocking the event loop. */
export async function* readPieces(handle: Opener, file: NamespaceFile): AsyncGenerator<string> {
  const descriptor = open(handle, file, constants.O_RDONLY)
  try {
    const buffer = Buffer.allocUnsafe(CHUNK)
    for (;;) {
      const { bytesRead } = await readAt(descriptor, buffer, 0, CHUNK, null)
      if (bytesRead === 0) return
      yield buffer.toString('latin1', 0, bytesRead)
    }
  } finally {
    close(descriptor)
  }
}

/** The same on the calling thread. */
export function* readPiecesSync(handle: Opener, file: NamespaceFile): Generator<string> {
  const descriptor = open(handle, file, constants.O_RDONLY)
  try {
    const buffer = Buffer.allocUnsafe(CHUNK)
    for (;;) {
      const bytesRead = readSync(descriptor, buffer, 0, CHUNK, null)
      if (bytesRead === 0) return
      yield buffer.toString('latin1', 0, bytesRead)
    }
  } finally {
    close(descriptor)
  }
}

/** Reads a whole file. */
export async function readText(handle: Opener, file: NamespaceFile): Promise<string> {
  let text = ''
  for await (const piece of readPieces(handle, file)) text += piece
  return text
}

export const readTextSync = (handle: Opener, file: NamespaceFile): string => [...readPiecesSync(handle, file)].join('')

/** Writes a setting, which the kernel takes or refuses as a whole. */
export async function writeText(handle: Opener, file: NamespaceFile, text: string): Promise<void> {
  const descriptor = open(handle, file, constants.O_WRONLY)
  try {
    await writeAt(descriptor, Buffer.from(text, 'latin1'))
  } catch (error) {
    throw settingError(error, file)
  } finally {
    close(descriptor)
  }
}

export function writeTextSync(handle: Opener, file: NamespaceFile, text: string): void {
  const descriptor = open(handle, file, constants.O_WRONLY)
  try {
    writeSync(descriptor, text)
  } catch (error) {
    throw settingError(error, file)
  } finally {
    close(descriptor)
  }
}

function settingError(error: unknown, { path, operation }: NamespaceFile): unknown {
  const { errno } = error as NodeJS.ErrnoException
  return errno === undefined ? error : fileError(errno, path, operation)
}
