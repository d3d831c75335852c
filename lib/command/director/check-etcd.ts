import { once } from 'node:events'
import { machineMistakes } from '../../director/machine-mistakes.js'
import { followEtcd } from '../../sources/etcd/index.js'
import { newStatus } from '../new-status.js'
import { complain, json, print } from '../output.js'
import type { EtcdSource } from './options.js'
import { sizeWords } from './read.js'

/** `ipvs director --etcd … --check`: reads what is in etcd once, and tells which keys have mistakes. Returns the exit status. */
export async function checkEtcd({ cluster, prefix }: EtcdSource, scripts: string | undefined, wantsJson: boolean): Promise<number> {
  await using follower = followEtcd({ ...cluster, prefix, objections: machineMistakes, ...scripts !== undefined && { scripts } })
  const away = once(follower, 'away') as Promise<[{ error: Error }]>
  const iterator = follower[Symbol.asyncIterator]()
  const first = await Promise.race([iterator.next(), away.then(([{ error }]) => error)])
  if (first instanceof Error) {
    complain(`etcd cannot be read: ${first.message}`)
    return newStatus.unreachable
  }
  if (first.done === true) return newStatus.no
  const { problems } = follower.status()
  for (const { key, message } of problems) complain(`${key}: ${message}`)
  if (wantsJson) print(json(first.value))
  if (problems.length > 0) {
    complain(`${problems.length} key${problems.length === 1 ? '' : 's'} of ${prefix} ${problems.length === 1 ? 'is' : 'are'} refused; the rest is good: ${sizeWords(first.value)}`)
    return newStatus.refused
  }
  if (!wantsJson) print(`${prefix} is good: ${sizeWords(first.value)}\n`)
  return newStatus.done
}
