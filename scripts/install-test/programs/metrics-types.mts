// Compiled, never run: metrics, with or without the types of prom-client.
import { Ipvs } from 'ipvs'
import { IpvsCollector, MetricsWriter } from 'ipvs/metrics'

export async function metrics(): Promise<string> {
  const ipvs = await Ipvs.open()
  const collector: IpvsCollector = new IpvsCollector({ ipvs, registers: [] })
  return `${String(collector)}${await new MetricsWriter({ ipvs }).text()}`
}
