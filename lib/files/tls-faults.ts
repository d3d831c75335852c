import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { getSystemErrorMap } from 'node:util'
import { tlsFilesId, tlsFilesOf, type DirectorConfiguration, type TlsFiles } from '../configuration/index.js'
import { stateOf } from './file-state.js'

/** What is wrong with a file of TLS: the option that names it, why it cannot be used, and what to do. */
export interface TlsFault {
  name: 'authorities' | 'certificate' | 'key'
  path: string
  words: string
  advice: string
}

/** A fault that was found, on its way out. */
class Unusable extends Error {
  constructor(words: string, readonly advice: string) {
    super(words)
  }
}

const CERTIFICATE = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^]*?(?:-----END (?:X509 |TRUSTED )?CERTIFICATE-----|$)/g

function contentOf(path: string): string {
  try {
    // To read a FIFO would wait for whoever writes into it.
    if (statSync(path).isFile()) return readFileSync(path, 'latin1')
  } catch (error) {
    const { code, errno, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new Unusable(`${path} does not exist`, 'Put the file there, or take the line out')
    const text = getSystemErrorMap().get(errno ?? 0)?.[1] ?? message
    throw new Unusable(`${path} cannot be read: ${text} (${code})`, 'Let the user that the director runs as read it')
  }
  throw new Unusable(`${path} is no file`, 'Write the path of a file in PEM')
}

/** Certificates in PEM. TLS itself leaves out those that it cannot read, and all that come after them, without a word. */
function certificatesOf(path: string): X509Certificate[] {
  const texts = contentOf(path).match(CERTIFICATE)
  if (texts === null) {
    throw new Unusable(`${path} has no certificate in PEM`, 'Write a file of certificates in PEM, which begin with -----BEGIN CERTIFICATE-----')
  }
  return texts.map((text, index) => {
    try {
      return new X509Certificate(text)
    } catch {
      throw new Unusable(`${path} is damaged: certificate ${index + 1} of ${texts.length} cannot be read`, 'Copy the file anew')
    }
  })
}

function keyOf(path: string, passphrase: string | undefined): ReturnType<typeof createPrivateKey> {
  const text = contentOf(path)
  if (!/-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/.test(text)) {
    throw new Unusable(`${path} has no private key in PEM`, 'Write a file with a key in PEM, which begins with -----BEGIN PRIVATE KEY-----')
  }
  try {
    return createPrivateKey({ key: text, passphrase })
  } catch {
    if (!text.includes('ENCRYPTED')) throw new Unusable(`${path} is damaged: its key cannot be read`, 'Copy the file anew')
    const words = passphrase === undefined ? 'needs a passphrase, and there is none' : 'cannot be opened with its passphrase'
    throw new Unusable(`${path} ${words}`, 'Write the passphrase that the key was written with')
  }
}

function findFaults({ authorities, certificate, key, passphrase }: TlsFiles): TlsFault[] {
  const faults: TlsFault[] = []
  function attempt<Result>(name: TlsFault['name'], path: string | undefined, use: (path: string) => Result): Result | undefined {
    if (path === undefined) return undefined
    try {
      return use(path)
    } catch (error) {
      if (!(error instanceof Unusable)) throw error
      faults.push({ name, path, words: error.message, advice: error.advice })
      return undefined
    }
  }
  attempt('authorities', authorities, certificatesOf)
  const [own] = attempt('certificate', certificate, certificatesOf) ?? []
  attempt('key', key, (path) => {
    const found = keyOf(path, passphrase)
    if (own?.checkPrivateKey(found) === false) {
      throw new Unusable(`${path} is not the key of the certificate ${certificate}`, 'Write the key that the certificate was made with')
    }
  })
  if (faults.length > 0) return faults
  // Whatever else there is: a key that is too short for today's TLS.
  const [name, path] = Object.entries({ certificate, authorities, key }).find(([, one]) => one !== undefined) as [TlsFault['name'], string]
  attempt(name, path, () => {
    const read = (one: string | undefined): string | undefined => one === undefined ? undefined : contentOf(one)
    try {
      createSecureContext({ ca: read(authorities), cert: read(certificate), key: read(key), passphrase })
    } catch (error) {
      const { reason, message } = error as Error & { reason?: string }
      throw new Unusable(`${path} cannot be used for TLS: ${reason ?? message}`, 'Write another one')
    }
  })
  return faults
}

/** What the files are now, as text: it is the same while none of them becomes another. */
export const tlsFilesState = ({ authorities, certificate, key }: TlsFiles): string =>
  [authorities, certificate, key].map((path) => path === undefined ? '' : stateOf(path)).join()

/** What was found, and of which state: a bundle of authorities takes long, and each check and each service from etcd asks. */
const found = new Map<string, { state: string, faults: TlsFault[] }>()

/** What is wrong on this machine with files that TLS is to use: they are missing, no PEM, or do not belong together. */
export function tlsFaults(files: TlsFiles): TlsFault[] {
  const id = tlsFilesId(files)
  const state = tlsFilesState(files)
  const known = found.get(id)
  if (known?.state === state) return known.faults
  const faults = findFaults(files)
  found.set(id, { state, faults })
  return faults
}

/** The same of every file of TLS that a configuration names, with the field that names it. Each file is told once. */
export function tlsFaultsOf(configuration: DirectorConfiguration): (TlsFault & { field: string })[] {
  const told = new Set<string>()
  return [...tlsFilesOf(configuration)].flatMap(({ field, files }) =>
    tlsFaults(files).flatMap((fault) => {
      if (told.has(fault.words)) return []
      told.add(fault.words)
      return [{ ...fault, field: `${field}.${fault.name}` }]
    }))
}
