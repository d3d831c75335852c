// Compiled, never run: every export, with its types, as a user's program has them.
import { Ipvs, IpvsError, IpvsSync, formatPlan, type BatchResult, type ListedService, type Plan, type ServiceKey } from 'ipvs'
import { measure, type Measurement } from 'ipvs/bench'
import { Director, type DirectorConfiguration } from 'ipvs/director'
import { examineDirector, type Finding } from 'ipvs/doctor'
import { followEtcd } from 'ipvs/etcd'
import { parseKeepalived } from 'ipvs/keepalived'
import { Network, type Route } from 'ipvs/network'
import { formatRules, parseRules } from 'ipvs/rules'

const web: ServiceKey = { protocol: 'tcp', address: '192.0.2.1', port: 80 }

export async function main(signal: AbortSignal): Promise<string> {
  const ipvs: Ipvs = await Ipvs.open()
  const listed: ListedService | undefined = await ipvs.getService(web)
  const bytes: bigint | undefined = listed?.stats.inBytes
  const result: BatchResult = await ipvs.batch((b) => b.addService({ ...web, scheduler: 'rr' }), { signal })
  const plan: Plan = await ipvs.plan(parseRules('-A -t 192.0.2.1:80\n', { names: 'refuse' }))
  const configuration: DirectorConfiguration = parseKeepalived('').configuration ?? { services: [] }
  const director = new Director({ ipvs, configuration })
  director.on('up', ({ weight }) => weight.toFixed())
  const followed = new Director({ ipvs, configuration: followEtcd({ endpoints: ['http://192.0.2.3:2379'], prefix: '/ipvs' }) })
  await followed.close()
  const network = await Network.open()
  const route: Route = await network.route('192.0.2.2')
  const findings: Finding[] = (await examineDirector(ipvs)).findings
  const measured: Measurement = await measure(() => ipvs.info())
  try {
    IpvsSync.open().close()
  } catch (error) {
    if (error instanceof IpvsError) return error.code
  }
  return `${bytes} ${result.done} ${formatPlan(plan)} ${formatRules(await ipvs.snapshot())} ${JSON.stringify([measured, route, findings])}`
}

// @ts-expect-error a port is a number
export const wrong: ServiceKey = { protocol: 'tcp', address: '192.0.2.1', port: '80' }
