import type { DirectorSight } from '../director-sight.js'
import type { Row } from '../row.js'

/** A connection is sent again after so many packets at most; with more, those that are back before lose it. Measured with 4 and with 50. */
const OFTEN_ENOUGH = 4

/** Whether the settings of connection sync would lose connections. */
export const syncRows: readonly Row<DirectorSight>[] = [
  {
    name: 'sync-fail-back',
    on: 'director',
    severity: 'warning',
    certainty: 'certain',
    missing:
      'connections are sent to the other director too seldom: when the addresses return to one that has lost its table, the old connections end',
    client: 'a reset of every connection that is older than the first fail-over, when the first director takes its addresses back',
    sign: 'a sync daemon with role master runs, and `sync_threshold` has a period of 0 without `sync_refresh_period`, or of more than 4 packets',
    async look(sight) {
      if (!sight.daemons.some(({ role }) => role === 'master')) return []
      const [threshold, period] = ((await sight.ipvsSetting('sync_threshold')) ?? '').split(/\s+/).map(Number)
      const refresh = Number((await sight.ipvsSetting('sync_refresh_period')) ?? 0)
      if (!(threshold >= 0)) return []
      if (period === 0 ? refresh > 0 : period <= OFTEN_ENOUGH) return []
      return [
        {
          breaks: [],
          missing:
            period === 0
              ? 'connections are sent to the other director only once: when the addresses return to one that has lost its table, the old connections end'
              : `connections are sent to the other director only every ${period} packets: when the addresses return to one that has lost its table, the old connections end`,
          mend: ['sysctl -w net.ipv4.vs.sync_threshold="3 0" net.ipv4.vs.sync_refresh_period=2'],
        },
      ]
    },
  },
]
