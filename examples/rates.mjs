/**
 * Prints changes of the table, and the rates of services with traffic:
 *
 *     node examples/rates.mjs [SECONDS]
 */
import { Ipvs } from 'ipvs'

const interval = Number(process.argv[2] ?? 1)
if (!(interval >= 0.001 && interval <= 86_400)) {
  console.error('usage: node rates.mjs [SECONDS]     SECONDS from 0.001 to 86400, 1 by default')
  process.exit(2)
}
const stop = new AbortController()
for (const name of ['SIGTERM', 'SIGINT']) process.once(name, () => stop.abort())

const nameOf = (service) => 'fwmark' in service ? `fwmark ${service.fwmark}` : `${service.protocol} ${service.address}:${service.port}`

const ipvs = await Ipvs.open()
for await (const { changes, rates } of ipvs.watch({ interval, signal: stop.signal, initial: true })) {
  for (const { type, service, destination } of changes) console.log(type, nameOf(service), destination?.address ?? '')
  for (const { service, destination, perSecond } of rates) {
    if (destination !== undefined || perSecond.inPackets === 0) continue
    // The rate covers the last two seconds for which the kernel has updated its counters, whatever the interval.
    const { connections, inBytes, outBytes } = perSecond
    const bytes = `${inBytes.toFixed(0)} bytes in, ${outBytes.toFixed(0)} bytes out`
    console.log(`${nameOf(service)}: ${connections.toFixed(1)} connections, ${bytes} each second`)
  }
}
await ipvs.close()
