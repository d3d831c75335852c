import { oneOf } from '../arguments/validate.js'
import { pause, worked } from '../client/pause.js'
import { metricsSettings, type MetricsOptions, type MetricsSettings } from './options.js'
import { scrape } from './scrape.js'

/** Options of a writer. */
export interface WriterOptions extends MetricsOptions {
  /** 'prometheus' (the default): Prometheus's text format 0.0.4, which every server reads. 'openmetrics': OpenMetrics 1.0.0. */
  format?: 'prometheus' | 'openmetrics'
}

const FORMATS = new Map([
  ['prometheus', { contentType: 'text/plain; version=0.0.4; charset=utf-8', end: '', familyName: (name: string) => name }],
  // In OpenMetrics the name of a counter's family lacks the suffix of its samples.
  ['openmetrics', {
    contentType: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
    end: '# EOF\n',
    familyName: (name: string) => name.replace(/_total$/, ''),
  }],
])

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' }

/** A label's value as both formats want it. */
const escaped = (value: string): string => /[\\"\n]/.test(value) ? value.replace(/[\\"\n]/g, (character) => ESCAPES[character]) : value

/** Characters of a piece. */
const PIECE = 64 * 1024

/**
 * Writes the table as text for Prometheus. Uses the names and labels of node_exporter's ipvs collector
 * (`node_ipvs_backend_connections_active{local_address, …}`) and adds rates, thresholds, draining and services. Needs no package.
 *
 * A firewall-mark service has no address: `proto` is 'FWM', `local_mark` is the mark in eight hexadecimal digits, and `local_address` is
 * empty. The `family` label of service metrics distinguishes the marks of both address families. Destination metrics lack it, so
 * destinations with the same address under both are added up, as in node_exporter.
 *
 * With the option `director` it tells of a director too: which backends are up, how often each check was good, bad or could not be tried.
 *
 * @example
 * ```js
 * import { Ipvs } from 'ipvs'
 * import { MetricsWriter } from 'ipvs/metrics'
 *
 * const ipvs = await Ipvs.open()
 * const writer = new MetricsWriter({ ipvs })
 * console.log(writer.contentType, await writer.text())
 * for await (const piece of writer.pieces()) process.stdout.write(piece)
 * await ipvs.close()
 * ```
 */
export class MetricsWriter {
  readonly #settings: MetricsSettings
  readonly #format: NonNullable<ReturnType<typeof FORMATS.get>>

  /** Throws a `TypeError` or `RangeError` that names the option. */
  constructor(options: WriterOptions) {
    this.#settings = metricsSettings(options, 'a writer of metrics', ['format'])
    this.#format = oneOf(options.format ?? 'prometheus', 'options.format', FORMATS)
  }

  /** The value of the response's `content-type` header. */
  get contentType(): string { return this.#format.contentType }

  /**
   * Reads the table once and yields the text in pieces of about 64 KiB, with a turn of the event loop after each:
   * `Readable.from(writer.pieces()).pipe(response)`. If reading fails, it rejects with that error before the first piece.
   */
  async *pieces(): AsyncGenerator<string, void, undefined> {
    const { end, familyName } = this.#format
    const sections = await scrape(this.#settings)
    let piece = ''
    for (const { families, names, labels, values } of sections) {
      const texts: string[] = []
      const textOf = (i: number): string => names.length === 0 ? '' : `{${names.map((name, j) => `${name}="${escaped(labels[i][j])}"`).join(',')}}`
      for (const [f, { name, help, type }] of families.entries()) {
        const family = familyName(name)
        piece += `# HELP ${family} ${help}\n# TYPE ${family} ${type}\n`
        const column = values[f]
        for (let i = 0; i < column.length; i++) {
          piece += `${name}${texts[i] ??= textOf(i)} ${column[i]}\n`
          if (piece.length >= PIECE) {
            yield piece
            piece = ''
            await pause()
          } else if (worked()) await pause()
        }
      }
    }
    yield piece + end
  }

  /** The whole text. For a large table that is tens of megabytes; use {@link pieces} to avoid holding them in memory at once. */
  async text(): Promise<string> {
    let text = ''
    for await (const piece of this.pieces()) text += piece
    return text
  }
}
