import { boolean, object, refuseUnknown, string } from '../arguments/validate.js'
import { conflict, invalidType, invalidValue } from '../model/errors.js'
import type { Ipvs } from '../ipvs.js'
import { directorFamilies } from './checks-families.js'
import type { DirectorSettings } from './checks.js'
import { BACKEND_LABELS, familiesOf, type BackendLabel, type Families } from './families.js'
import type { MeasuredDirector } from './measured-director.js'

/** Options common to both kinds of metrics. */
export interface MetricsOptions {
  /** The handle whose table each scrape reads. The caller keeps it and closes it. */
  ipvs: Pick<Ipvs, 'snapshot' | 'totals'>
  /**
   * The beginning of all names; 'node_ipvs_' by default, as in node_exporter. Choose another if one Prometheus server reads both this and
   * node_exporter under the same job.
   */
  prefix?: string
  /**
   * Labels of destination metrics, all by default. If some are left out, destinations with equal labels are added up. Like node_exporter's
   * `--collector.ipvs.backend-labels`.
   */
  labels?: readonly BackendLabel[]
  /** Whether to include the metrics that node_exporter lacks, among them those of services. True by default. */
  extras?: boolean
  /**
   * A director whose health checks, services and programs are told too (`director_backend_up`, `director_check_bad_total`, …), whatever
   * `labels` and `extras` say. The caller keeps it and closes it.
   */
  director?: MeasuredDirector
}

/** Validated options with defaults. */
export interface MetricsSettings {
  ipvs: MetricsOptions['ipvs']
  families: Families
  labels: readonly BackendLabel[]
  director: DirectorSettings | undefined
}

const isDirector = (value: unknown): boolean => {
  const { status, checks } = (value ?? {}) as Partial<MeasuredDirector>
  return typeof status === 'function' && typeof checks === 'function'
}

/** @param own names of the caller's additional options */
export function metricsSettings(options: MetricsOptions, what: string, own: readonly string[]): MetricsSettings {
  refuseUnknown(object(options, 'options'), 'options', { what, names: new Set(['ipvs', 'prefix', 'labels', 'extras', 'director', ...own]) })
  const { ipvs, prefix = 'node_ipvs_', labels = BACKEND_LABELS, extras = true, director } = options
  if (typeof ipvs !== 'object' || ipvs === null || typeof ipvs.snapshot !== 'function' || typeof ipvs.totals !== 'function') {
    throw invalidType('options.ipvs', 'an open Ipvs', ipvs)
  }
  if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(string(prefix, 'options.prefix'))) {
    throw invalidValue('options.prefix', 'the beginning of a metric\'s name', prefix)
  }
  if (!Array.isArray(labels)) throw invalidType('options.labels', 'an array of labels', labels)
  for (const label of labels as readonly BackendLabel[]) {
    if (BACKEND_LABELS.includes(label)) continue
    throw conflict('options.labels', `has '${String(label)}', which is none of ${BACKEND_LABELS.join(', ')}`)
  }
  if (director !== undefined && !isDirector(director)) throw invalidType('options.director', 'a Director', director)
  return {
    ipvs,
    families: familiesOf(prefix, boolean(extras, 'options.extras')),
    labels: BACKEND_LABELS.filter((label) => (labels as readonly BackendLabel[]).includes(label)),
    director: director === undefined ? undefined : { director, families: directorFamilies(prefix) },
  }
}
