import { median } from 'ipvs/bench'
import { ownProgram, runProgram } from '../child.js'
import { Namespace } from '../namespace.js'
import type { Place } from '../place.js'
import type { FleetFigures } from '../programs/fleet.js'
import type { Row } from '../row.js'
import type { Suite } from '../suite.js'

/** Services of a small fleet and of a large one. */
const [FEW, MANY] = [10, 10_000]
const PUTS = 100
/** Microseconds that a change may take on its way, and that all services may take: to be listed and validated, and to be in force. */
const GOALS = { change: 15_000, listed: 1e6, inForce: 2e6 }

const milliseconds = (microseconds: number): string => `${(microseconds / 1000).toFixed(1)} ms`
const words = (services: number): string => `${services.toLocaleString('en')} services`

/** The median, and where most of the others are. */
function spread(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b)
  const [low, high] = [0.1, 0.9].map((share) => milliseconds(sorted[Math.floor(share * sorted.length)]))
  return `${low} to ${high} from 10 % to 90 %, the longest ${milliseconds(sorted[sorted.length - 1])}`
}

/** All of them, where there are few. */
const each = (values: readonly number[]): string => values.map(milliseconds).join(', ')

async function measured(services: number, namespaces: readonly Namespace[] = []): Promise<FleetFigures> {
  const { output } = await runProgram(...ownProgram('fleet', [services, PUTS, ...namespaces.map(({ path }) => path)]))
  return JSON.parse(output) as FleetFigures
}

/** Goals are for the processor itself, and for user-mode Linux. */
const goalOf = (place: Place, goal: number): number | undefined => place === 'tcg' ? undefined : goal

/** What followers of etcd take by themselves: the table in the kernel's place answers at once. */
export const followers: Suite = {
  title: `Three followers of one etcd on loopback, before a table that answers at once, medians of ${PUTS} puts`,
  beside: 'the put itself',
  needs: ['etcd'],
  anywhere: true,
  onRequest: true,
  async measure({ place }) {
    const rows: Row[] = []
    for (const services of [FEW, MANY]) {
      const { firsts, puts } = await measured(services)
      const toPacked = puts.map(({ putToPacked }) => putToPacked)
      rows.push({
        what: `put → packed for the kernel by all three, ${words(services)}`, value: median(toPacked), reference: median(puts.map(({ answered }) => answered)), unit: 'µs',
        goal: goalOf(place, GOALS.change), note: `${spread(toPacked)}; from the event ${milliseconds(median(puts.map(({ packed }) => packed)))}`,
      })
      if (services !== MANY) continue
      const listed = firsts.map((first) => first.listed)
      rows.push({
        what: `${words(services)} listed and validated`, value: median(listed), unit: 'µs', goal: goalOf(place, GOALS.listed), note: each(listed),
      })
    }
    return rows
  },
}

/** How long it takes from etcd into the kernel's tables. */
export const threeDirectors: Suite = {
  title: `Three directors of a fleet in three network namespaces, beside one etcd, medians of ${PUTS} puts`,
  beside: 'the put itself',
  needs: ['etcd'],
  onRequest: true,
  async measure({ place }) {
    const rows: Row[] = []
    for (const services of [FEW, MANY]) {
      await using first = await Namespace.create()
      await using second = await Namespace.create()
      await using third = await Namespace.create()
      const { firsts, puts } = await measured(services, [first, second, third])
      const toInForce = puts.map(({ inForce }) => inForce)
      rows.push({
        what: `event → in force on all three, ${words(services)}`, value: median(toInForce), reference: median(puts.map(({ answered }) => answered)), unit: 'µs',
        goal: goalOf(place, GOALS.change), note: `${spread(toInForce)}; from the put ${milliseconds(median(puts.map(({ putToInForce }) => putToInForce)))}`,
      })
      if (services !== MANY) continue
      const begun = firsts.map(({ inForce }) => inForce)
      rows.push({
        what: `start → ${words(services)} in force in an empty table, one director after the other`, value: median(begun), unit: 'µs',
        goal: goalOf(place, GOALS.inForce),
        note: `${each(begun)}; listed and validated after ${each(firsts.map(({ listed }) => listed))}; its own processor time ${each(firsts.map(({ processor }) => processor))}`,
      })
    }
    return rows
  },
}
