import { isArgumentError } from '../model/errors.js'
import { IpvsSync } from '../ipvs-sync.js'
import { complain } from './output.js'
import type { OwnOptions } from './own-options.js'
import { netnsWords, refusal } from './refusals.js'

/** ipvsadm's exit statuses. */
export const status = { done: 0, listing: 1, misused: 2, refused: 255 } as const

/** Opens a handle, and closes it at the end. */
export async function withHandle(own: OwnOptions, use: (ipvs: IpvsSync) => Promise<number> | number): Promise<number> {
  let ipvs: IpvsSync
  try {
    ipvs = IpvsSync.open(own.netns === undefined ? {} : { netns: own.netns })
  } catch (error) {
    if (isArgumentError(error)) complain(`ipvs: ${netnsWords(own.netns)}`)
    else complain(`Can't initialize ipvs: ${refusal(error)}`)
    return status.misused
  }
  try {
    return await use(ipvs)
  } finally {
    ipvs.close()
  }
}
