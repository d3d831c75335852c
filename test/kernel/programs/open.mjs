// Opens a handle with the options given as JSON and lists the services; prints what came of it as JSON.
import { Ipvs, IpvsSync } from 'ipvs'

const [form, options] = process.argv.slice(2)
try {
  const ipvs = form === 'IpvsSync' ? IpvsSync.open(JSON.parse(options)) : await Ipvs.open(JSON.parse(options))
  console.log(JSON.stringify({ services: await ipvs.services() }))
  await ipvs.close()
} catch ({ name, code, errno, reason, message }) {
  console.log(JSON.stringify({ error: { name, code, errno, reason, message } }))
}
