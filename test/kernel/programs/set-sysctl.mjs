/** Sets a setting to a number, and prints what came of it as JSON. Arguments: its name, the number. */
import { IpvsSync } from 'ipvs'

const [name, value] = process.argv.slice(2)
const ipvs = IpvsSync.open()
try {
  ipvs.sysctl.set(name, Number(value))
  console.log('{}')
} catch ({ code, message }) {
  console.log(JSON.stringify({ code, message }))
}
ipvs.close()
