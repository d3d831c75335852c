/**
 * Runs a virtual service for as long as the process runs. At SIGTERM (or Ctrl-C) it takes no new connections. The process ends when the
 * last existing connection has ended, or after a time limit:
 *
 *     node examples/drain-on-sigterm.mjs
 *
 * If it is killed, its rules stay, and the next start takes them over.
 */
import { Ipvs } from 'ipvs'

const service = { protocol: 'tcp', address: '10.10.10.100', port: 443, scheduler: 'wlc' }
const destinations = ['10.10.20.1', '10.10.20.2'].map((address) => ({ address, port: 443, forward: 'nat' }))
const options = { prune: 'owned', owns: { protocol: 'tcp', address: service.address, port: service.port } }

// Listens from the start. An earlier signal would end the process and leave its rules.
const ended = new Promise((resolve) => {
  // A timer keeps this example running. A real program does its work instead.
  const timer = setInterval(() => {}, 1 << 30)
  for (const name of ['SIGTERM', 'SIGINT']) {
    process.once(name, () => {
      clearInterval(timer)
      resolve(name)
    })
  }
})

const ipvs = await Ipvs.open()
await ipvs.apply([{ ...service, destinations }], options)
console.log('serving')

const signal = await ended
console.log(`${signal}: draining`)
// Takes no new connections, but keeps the service, so that its address refuses them properly until the last one has ended.
await ipvs.apply([], {
  ...options,
  drain: { until: 'established', timeout: 30 },
  onProgress({ phase, draining }) {
    if (phase === 'draining') console.log(`${draining.reduce((sum, { activeConnections }) => sum + activeConnections, 0)} connections left`)
  },
})
await ipvs.close()
console.log('done')
