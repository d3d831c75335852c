import { Ipvs, IpvsSync } from 'ipvs'
import { Namespace } from '../../scripts/network/namespace.js'
import { Ipvsadm } from './ipvsadm.js'

/** Both forms of the API. Awaiting a result of the synchronous one changes nothing, so the same test serves both. */
export const apis = [['Ipvs', Ipvs], ['IpvsSync', IpvsSync]] as const

/** A table of the kernel in a new network namespace, with a handle and with ipvsadm as the witness. */
export class Scene<Handle extends Ipvs | IpvsSync = Ipvs> {
  private constructor(readonly namespace: Namespace, readonly ipvs: Handle, readonly ipvsadm: Ipvsadm) {}

  static async create<Handle extends Ipvs | IpvsSync>(
    Api: { open(options: { netns: string }): Promise<Handle> | Handle },
    label: string,
  ): Promise<Scene<Handle>> {
    const namespace = await Namespace.create(label)
    return new Scene(namespace, await Api.open({ netns: namespace.name }), new Ipvsadm(namespace.path))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ipvs.close()
    await this.namespace[Symbol.asyncDispose]()
  }
}

/** Counters and rates of an entry that has seen no packet. */
export const uncounted = {
  stats: { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n },
  rates: { connections: 0, inPackets: 0, outPackets: 0, inBytes: 0, outBytes: 0 },
}
