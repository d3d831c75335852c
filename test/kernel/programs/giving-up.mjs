// Opens a handle in another network namespace, becomes an ordinary user, and reads what only /proc has.
// Arguments: a form, a namespace.
import { Ipvs, IpvsSync } from 'ipvs'

const [form, netns] = process.argv.slice(2)
const ipvs = form === 'IpvsSync' ? IpvsSync.open({ netns }) : await Ipvs.open({ netns })
const services = (await ipvs.services()).length
process.setgroups([])
process.setuid(65534)
try {
  await ipvs.totals()
} catch ({ name, code, message }) {
  console.log(JSON.stringify({ services, name, code, message }))
}
await ipvs.close()
