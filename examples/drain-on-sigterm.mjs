/**
 * Serves through a virtual service for as long as it runs. At SIGTERM (or Ctrl-C) no new connection is taken, those that are there go on, and the process
 * ends with the last of them, or after a time limit:
 *
 *     node examples/drain-on-sigterm.mjs
 *
 * Killed outright it leaves its rules; the next start takes them over.
 */
import { Ipvs } from 'ipvs'

const service = { protocol: 'tcp', address: '10.10.10.100', port: 443, scheduler: 'wlc' }
const destinations = ['10.10.20.1', '10.10.20.2'].map((address) => ({ address, port: 443, forward: 'nat' }))
const options = { prune: 'owned', owns: { protocol: 'tcp', address: service.address, port: service.port } }

// Listened for from the start: a signal that came before anybody did would end the process and leave its rules.
const ended = new Promise((resolve) => {
  // A timer keeps the process running until then; a program of your own has something better to do.
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
// No new connections, but the service stays: its address keeps refusing them properly until the last one has gone.
await ipvs.apply([], {
  ...options,
  drain: { until: 'established', timeout: 30 },
  onProgress({ phase, draining }) {
    if (phase === 'draining') console.log(`${draining.reduce((sum, { activeConnections }) => sum + activeConnections, 0)} connections left`)
  },
})
await ipvs.close()
console.log('done')
