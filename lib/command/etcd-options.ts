import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { isArgumentError } from '../model/errors.js'
import { etcdSettings, keyPrefix } from '../sources/etcd/options.js'
import type { EtcdOptions } from '../sources/etcd/index.js'
import { UsageError, type NewOptions, type Values } from './new-options.js'
import { systemWords } from './output.js'

/** How a cluster of etcd is reached, for all commands that do. */
export const ETCD_OPTIONS = {
  etcd: { argument: 'text' },
  prefix: { argument: 'text' },
  cacert: { argument: 'text' },
  cert: { argument: 'text' },
  key: { argument: 'text' },
  user: { argument: 'text' },
  'password-file': { argument: 'text' },
} as const satisfies NewOptions

/** A cluster of etcd, and what all keys of a fleet begin with. */
export interface EtcdPlace {
  cluster: EtcdOptions
  /** Without a slash at its end. */
  prefix: string
}

/** What the options of the package are called on the command line. */
const SPELLINGS: Readonly<Record<string, string>> = {
  endpoints: '--etcd', prefix: '--prefix', tls: '--cacert, --cert and --key', 'tls.certificate': '--cert', 'tls.key': '--key', user: '--user', password: '--password-file',
}

/** The password in a file, without the end of its line. */
const passwordIn = (file: string): string => readFileSync(file, 'utf8').replace(/\r?\n$/, '')

/**
 * Reads how etcd is reached.
 *
 * @throws UsageError
 */
export function etcdPlace(given: Values<typeof ETCD_OPTIONS>): EtcdPlace {
  const { etcd, prefix, cacert, cert, key, user, 'password-file': passwordFile } = given
  if (etcd === undefined) throw new UsageError('which etcd? Give --etcd URL[,URL…]')
  if (prefix === undefined) throw new UsageError('which fleet? Give --prefix PREFIX: what all its keys in etcd begin with, like /ipvs')
  if ((user === undefined) !== (passwordFile === undefined)) {
    throw new UsageError(`${user === undefined ? '--password-file' : '--user'} needs ${user === undefined ? '--user' : '--password-file'} beside it`)
  }
  if (passwordFile !== undefined) {
    try {
      passwordIn(passwordFile)
    } catch (error) {
      throw new UsageError(`--password-file '${passwordFile}' cannot be read: ${systemWords(error)}`)
    }
  }
  const file = (path: string | undefined): string | undefined => path === undefined ? undefined : resolve(path)
  const cluster: EtcdOptions = {
    endpoints: etcd.split(',').filter((url) => url !== ''),
    ...(cacert ?? cert ?? key) !== undefined && { tls: {
      ...cacert !== undefined && { authorities: file(cacert) },
      ...cert !== undefined && { certificate: file(cert) },
      ...key !== undefined && { key: file(key) },
    } },
    // A password that is changed in the file counts from the next token on.
    ...passwordFile !== undefined && { user, password: () => passwordIn(passwordFile) },
  }
  try {
    etcdSettings(cluster, 'the options')
    return { cluster, prefix: keyPrefix(prefix) }
  } catch (error) {
    if (!isArgumentError(error)) throw error
    const field = error.field.replace(/^options\./, '').replace(/\[\d+\]$/, '')
    const problem = error.message.slice(error.field.length).replaceAll(/options\.(\w+)/g, (name, option: string) => SPELLINGS[option] ?? name)
    throw new UsageError(`${SPELLINGS[field] ?? field}${problem}`)
  }
}

/** What the help of a command says of them. */
export const etcdHelp = `  --etcd URL[,URL…]    members of the cluster: https://10.0.0.1:2379
  --prefix PREFIX      what all keys of the fleet begin with: /ipvs
  --cacert FILE        authorities that etcd's certificate must come from (default: the system's)
  --cert FILE  --key FILE
                       the client's certificate and its key
  --user NAME  --password-file FILE
                       a user of etcd. The file has the password, and is read again for each token
`
