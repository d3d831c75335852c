// Reads what only /proc tells in a worker thread, and prints what was read.
import { isMainThread, Worker } from 'node:worker_threads'

if (isMainThread) {
  new Worker(new URL(import.meta.url))
} else {
  const { Ipvs, IpvsSync } = await import('ipvs')
  const sync = IpvsSync.open()
  const ipvs = await Ipvs.open()
  const totals = [sync.totals(), await ipvs.totals()]
  await ipvs.sysctl.set('conntrack', await ipvs.sysctl.get('conntrack'))
  sync.sysctl.set('conntrack', sync.sysctl.get('conntrack'))
  const connections = []
  for await (const connection of ipvs.connections()) connections.push(connection)
  sync.close()
  await ipvs.close()
  console.log(totals.length, connections.length)
}
