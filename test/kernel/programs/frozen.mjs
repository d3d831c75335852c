// Refusals where the intrinsics are frozen (node --frozen-intrinsics). Argument: a namespace. Prints the codes.
import { Ipvs, IpvsSync } from 'ipvs'

const [netns] = process.argv.slice(2)
const service = { protocol: 'tcp', address: '10.20.0.1', port: 80 }
const codes = []
const note = error => codes.push(error.code)
const ipvs = await Ipvs.open({ netns })
await ipvs.removeService(service).catch(note)
await ipvs.batch([{ type: 'removeService', service }]).catch(note)
await ipvs.addService({ ...service, port: -1 }).catch(note)
await ipvs.batch([{ type: 'addService', service: { ...service, port: -1 } }]).catch(note)
await ipvs.batch([{ type: 'addService', service }], { signal: AbortSignal.abort() }).catch(note)
await ipvs.apply({ services: [service] }, { signal: AbortSignal.abort() }).catch(note)
await ipvs.close()
await ipvs.info().catch(note)
const sync = IpvsSync.open({ netns })
try {
  sync.removeService(service)
} catch (error) {
  note(error)
}
sync.close()
await Ipvs.open({ netns: 'no-such-namespace' }).catch(note)
console.log(JSON.stringify(codes))
