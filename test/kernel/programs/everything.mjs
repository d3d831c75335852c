// Reads everything that only /proc has, and makes a plan that drains. Prints the outcome of each as JSON.
// Arguments: a form, and perhaps a network namespace.
import { Ipvs, IpvsSync } from 'ipvs'

const [form, netns] = process.argv.slice(2)
const ipvs = form === 'IpvsSync' ? IpvsSync.open({ netns }) : await Ipvs.open({ netns })
const web = { protocol: 'tcp', address: '10.10.10.100', port: 80 }

async function outcome(work) {
  try {
    return await work()
  } catch ({ name, code, message }) {
    return { name, code, message }
  }
}

const collect = async (list) => {
  const all = []
  for await (const one of list) all.push(one)
  return all.length
}

const answers = {
  totals: await outcome(async () => Object.keys(await ipvs.totals())),
  processorTotals: await outcome(async () => (await ipvs.processorTotals()).length > 0),
  connections: await outcome(() => collect(ipvs.connections())),
  get: await outcome(() => ipvs.sysctl.get('conntrack')),
  set: await outcome(async () => {
    await ipvs.sysctl.set('conntrack', 1)
    return ipvs.sysctl.get('conntrack')
  }),
}
if (form === 'Ipvs') {
  answers.warnings = await outcome(async () => {
    await ipvs.addService(web)
    await ipvs.addDestination(web, { address: '10.10.10.2', port: 80 })
    const plan = await ipvs.plan({ services: [{ ...web, destinations: [] }] }, { drain: { timeout: 1 }, prune: 'all' })
    return plan.warnings.filter(({ code }) => code === 'sysctl').length
  })
}
await ipvs.close()
console.log(JSON.stringify(answers))
