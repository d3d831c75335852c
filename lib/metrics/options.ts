import { boolean, object, refuseUnknown, string } from '../arguments/validate.js'
import { conflict, invalidType, invalidValue } from '../model/errors.js'
import type { Ipvs } from '../ipvs.js'
import { BACKEND_LABELS, familiesOf, type BackendLabel, type Families } from './families.js'

/** What the metrics are made of. */
export interface MetricsOptions {
  /** The handle whose table is read at each scrape. It stays the caller's. */
  ipvs: Pick<Ipvs, 'snapshot' | 'totals'>
  /** What the names begin with, 'node_ipvs_' by default as in node_exporter. Give another where one Prometheus server would take the metrics of both for one job's. */
  prefix?: string
  /** Labels of the metrics of destinations. All by default; without some, those with equal labels are added up. As node_exporter's `--collector.ipvs.backend-labels`. */
  labels?: readonly BackendLabel[]
  /** Whether there are metrics for services and the others that node_exporter lacks. True by default. */
  extras?: boolean
}

/** The options, checked and complete. */
export interface MetricsSettings {
  ipvs: MetricsOptions['ipvs']
  families: Families
  labels: readonly BackendLabel[]
}

/** @param own names of options that the caller has besides */
export function metricsSettings(options: MetricsOptions, what: string, own: readonly string[]): MetricsSettings {
  refuseUnknown(object(options, 'options'), 'options', { what, names: new Set(['ipvs', 'prefix', 'labels', 'extras', ...own]) })
  const { ipvs, prefix = 'node_ipvs_', labels = BACKEND_LABELS, extras = true } = options
  if (typeof ipvs !== 'object' || ipvs === null || typeof ipvs.snapshot !== 'function' || typeof ipvs.totals !== 'function') throw invalidType('options.ipvs', 'an open Ipvs', ipvs)
  if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(string(prefix, 'options.prefix'))) throw invalidValue('options.prefix', 'the beginning of a metric\'s name', prefix)
  if (!Array.isArray(labels)) throw invalidType('options.labels', 'an array of labels', labels)
  for (const label of labels as readonly BackendLabel[]) {
    if (!BACKEND_LABELS.includes(label)) throw conflict('options.labels', `has '${String(label)}', which is none of ${BACKEND_LABELS.join(', ')}`)
  }
  return {
    ipvs,
    families: familiesOf(prefix, boolean(extras, 'options.extras')),
    labels: BACKEND_LABELS.filter((label) => (labels as readonly BackendLabel[]).includes(label)),
  }
}
