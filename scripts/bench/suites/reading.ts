import { median } from 'ipvs/bench'
import { parseKeepalived } from 'ipvs/keepalived'
import { collectGarbage } from '../garbage.js'
import type { Suite } from '../suite.js'
import { virtualServers } from '../virtual-servers.js'
import { formatShape } from '../workload.js'

/** What it takes to read a large keepalived.conf, in the processor's time: other programs on the machine cost it little. */
export const reading: Suite = {
  title: 'Reading a keepalived.conf',
  anywhere: true,
  measure({ place, rounds, shape = { services: 1000, destinations: 10 } }) {
    const text = virtualServers(shape, { port: 8080, delay: 6 })
    const lines = text.split('\n').length - 1
    const times: number[] = []
    // The first ones are read by code that is not compiled yet, as a director's first file is.
    for (let round = 0; round < rounds + 2; round++) {
      collectGarbage()
      const before = process.cpuUsage()
      const { configuration } = parseKeepalived(text)
      const { user, system } = process.cpuUsage(before)
      times.push((user + system) / lines)
      if (configuration?.services.length !== shape.services) throw new Error('the file was not read as it is')
    }
    const warm = median(times.slice(2))
    return Promise.resolve([
      {
        what: `processor time of a line of ${lines.toLocaleString('en')}: ${formatShape(shape)}, each with a check`, value: warm, unit: 'µs/line',
        goal: place === 'native' ? 3 : undefined, note: `the first time ${times[0].toFixed(2)} µs`,
      },
    ])
  },
}
