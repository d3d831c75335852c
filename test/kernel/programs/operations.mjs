// Adds as many services as told, one after the other or all in one turn.
import { Ipvs, IpvsSync } from 'ipvs'

const [form, netns, count] = process.argv.slice(2)
const service = n => ({ protocol: 'tcp', address: '10.10.10.100', port: n + 1 })
const ports = Array.from({ length: Number(count) }, (_, n) => n)

if (form === 'IpvsSync') {
  const ipvs = IpvsSync.open({ netns })
  for (const n of ports) ipvs.addService(service(n))
  ipvs.close()
} else {
  const ipvs = await Ipvs.open({ netns })
  if (form === 'Ipvs') for (const n of ports) await ipvs.addService(service(n))
  else await Promise.all(ports.map(n => ipvs.addService(service(n))))
  await ipvs.close()
}
