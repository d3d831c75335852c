import type { DirectorMachine } from '../../scripts/network/two-directors.js'
import { until } from './until.js'

/** Where directors whose metrics are read listen: `--listen 9102`. */
const read = 'fetch("http://127.0.0.1:9102/metrics").then((answer) => answer.text()).then((text) => process.stdout.write(text))'

/** Waits until a director's metrics have these values, or are not there. */
export async function metricsAre({ namespace }: DirectorMachine, values: Record<string, number | undefined>): Promise<void> {
  const look = async (): Promise<typeof values> => {
    const text = await namespace.must(process.execPath, ['-e', read])
    const lines = new Map(text.split('\n').map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]))
    return Object.fromEntries(Object.keys(values).map((name) => [name, lines.get(`node_ipvs_${name}`)]))
  }
  await until(look, (seen) => Object.entries(values).every(([name, value]) => seen[name] === value))
}
