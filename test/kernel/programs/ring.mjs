import { readFileSync, writeFileSync } from 'node:fs'
import { Ipvs } from 'ipvs'

/** Lists destinations while the kernel gives this process io_uring, or while it does not: `ring.mjs with|without NAMESPACE`. The sysctl is as before when it ends. */
const [wanted, netns] = process.argv.slice(2)
const sysctl = '/proc/sys/kernel/io_uring_disabled'
const before = readFileSync(sysctl)
writeFileSync(sysctl, wanted === 'with' ? '0' : '2')
try {
  const ipvs = await Ipvs.open({ netns })
  const { services } = await ipvs.snapshot()
  const listed = await Promise.all(services.map(service => ipvs.destinations(service)))
  await ipvs.close()
  console.log(JSON.stringify([services.map(({ port, destinations }) => [port, destinations.map(({ address }) => address)]), listed.map(list => list.map(({ address }) => address))]))
} finally {
  writeFileSync(sysctl, before)
}
