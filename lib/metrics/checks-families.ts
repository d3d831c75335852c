import type { CheckerStatus, CheckStatus, DirectedDestinationStatus, DirectedServiceStatus, VrrpState } from '../director/index.js'
import { named, type Description, type Family } from './families.js'
import type { MeasuredStatus } from './measured-director.js'

/** What a director says of itself, and of its checks where they could be asked. */
export interface DirectorSample {
  status: MeasuredStatus
  counts: Partial<CheckerStatus['counts']>
}

const yes = (value: boolean): number => value ? 1 : 0
const seconds = (milliseconds = 0): number => milliseconds / 1000

const DIRECTOR: Description<DirectorSample>[] = [
  { name: 'director_in_force', help: 'Whether a configuration is in force.', value: ({ status }) => yes(status.inForce) },
  {
    name: 'director_looked_timestamp_seconds', help: 'When the table was last seen to be as it should be, or was changed; 0 before that.',
    value: ({ status }) => seconds(status.looked),
  },
  {
    name: 'director_holding', help: 'Whether this machine holds the addresses that move between directors: 1 all, 0.5 some, 0 none.',
    value: ({ status }) => ({ all: 1, some: 0.5, none: 0 })[status.holding?.held ?? 'none'],
  },
  {
    name: 'director_holding_changed_timestamp_seconds', help: 'Since when it holds them, or does not; 0 before that is known.',
    value: ({ status }) => seconds(status.holding?.since),
  },
  {
    name: 'director_addresses_shared', help: 'The addresses that another machine answers for as well.',
    value: ({ status }) => status.holding?.addresses.filter(({ sharedWith }) => sharedWith !== undefined).length ?? 0,
  },
  {
    name: 'director_stays_out', help: 'Whether this machine is kept out of VRRP until it knows the connections of the other one.',
    value: ({ status }) => yes(status.staysOut !== undefined),
  },
  { name: 'director_applied_total', help: 'The changes that were made in the table.', value: ({ status }) => status.counts.applied },
  {
    name: 'director_refused_total', help: 'The changes that the kernel refused, each try counted.',
    value: ({ status }) => status.counts.refused,
  },
  {
    name: 'director_failed_total', help: 'The attempts that failed, and the configurations that were refused.',
    value: ({ status }) => status.counts.failed,
  },
  {
    name: 'director_programs_good_total', help: 'The programs to notify that ended with status 0.',
    value: ({ status }) => status.counts.programs.good,
  },
  {
    name: 'director_programs_bad_total', help: 'The programs to notify that ended otherwise.',
    value: ({ status }) => status.counts.programs.bad,
  },
  {
    name: 'director_programs_untried_total', help: 'The programs to notify that could not be started.',
    value: ({ status }) => status.counts.programs.untried,
  },
  {
    name: 'director_checks', help: 'The checks that run; the same one of several destinations is one.',
    value: ({ counts }) => counts.checks ?? 0,
  },
  { name: 'director_checks_under_way', help: 'The checks whose answer is waited for.', value: ({ counts }) => counts.underWay ?? 0 },
  {
    name: 'director_checks_waiting', help: 'The checks that are due and wait for a free socket.',
    value: ({ counts }) => counts.waiting ?? 0,
  },
  {
    name: 'director_checks_late_seconds_total', help: 'The time that the checks came too late to their work.',
    value: ({ counts }) => seconds(counts.late),
  },
]

/** keepalived's own numbers; it has none for the last two. */
const VRRP_NUMBERS: Record<VrrpState['state'], number> = { BACKUP: 1, MASTER: 2, FAULT: 3, STOP: 0, DELETED: 0 }

const VRRP: Description<VrrpState>[] = [
  {
    name: 'director_vrrp_state',
    help: 'The state that keepalived has told of last in its FIFO: 1 BACKUP, 2 MASTER, 3 FAULT, 0 STOP or DELETED.',
    value: ({ state }) => VRRP_NUMBERS[state],
  },
  {
    name: 'director_vrrp_state_changed_timestamp_seconds', help: 'When keepalived told of it.',
    value: ({ at }) => seconds(at),
  },
]

const SERVICES: Description<DirectedServiceStatus>[] = [
  { name: 'director_service_quorum', help: 'Whether the quorum of a service is reached.', value: ({ quorum }) => yes(quorum) },
  { name: 'director_service_fallback', help: 'Whether the fallback of a service serves.', value: ({ fallback }) => yes(fallback) },
  {
    name: 'director_service_draining', help: 'The backends of a service that were taken out and still have connections.',
    value: ({ draining }) => draining.length,
  },
]

const BACKENDS: Description<DirectedDestinationStatus>[] = [
  { name: 'director_backend_up', help: 'Whether a backend is up.', value: ({ up }) => yes(up) },
  {
    name: 'director_backend_weight', help: 'The weight that a backend should have in the table now, 0 where it should not be there.',
    value: ({ weight = 0 }) => weight,
  },
  { name: 'director_backend_changed_timestamp_seconds', help: 'Since when a backend is up or down.', value: ({ since }) => seconds(since) },
  { name: 'director_backend_ups_total', help: 'How often a backend came up.', value: ({ ups }) => ups },
  { name: 'director_backend_downs_total', help: 'How often a backend went down.', value: ({ downs }) => downs },
]

const CHECKS: Description<CheckStatus>[] = [
  {
    name: 'director_check_up', help: 'Whether a check says that a backend is up; 0 before it has decided.',
    value: ({ health }) => yes(health === 'up'),
  },
  { name: 'director_check_good_total', help: 'The good answers to a check.', value: ({ counts }) => counts.good },
  { name: 'director_check_bad_total', help: 'The bad answers to a check.', value: ({ counts }) => counts.bad },
  { name: 'director_check_untried_total', help: 'The times that a check could not be tried.', value: ({ counts }) => counts.untried },
  {
    name: 'director_check_duration_seconds', help: 'The time that the last answer to a check took; 0 before it.',
    value: ({ duration = 0 }) => duration,
  },
]

/** The metrics of a director: of itself, of keepalived's states, of its services, of their destinations, and of the checks of these. */
export interface DirectorFamilies {
  own: Family<DirectorSample>[]
  vrrp: Family<VrrpState>[]
  services: Family<DirectedServiceStatus>[]
  backends: Family<DirectedDestinationStatus>[]
  checks: Family<CheckStatus>[]
}

export const directorFamilies = (prefix: string): DirectorFamilies => ({
  own: named(prefix, DIRECTOR),
  vrrp: named(prefix, VRRP),
  services: named(prefix, SERVICES),
  backends: named(prefix, BACKENDS),
  checks: named(prefix, CHECKS),
})
