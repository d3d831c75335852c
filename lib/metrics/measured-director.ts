import type { Director, DirectorStatus } from '../director/index.js'

/** What is measured of a director. */
export interface MeasuredStatus extends DirectorStatus {
  /** Why the machine is kept out of VRRP for now: `ipvs director --track-file` does that. Missing while it takes part. */
  staysOut?: string
}

/** The part of a director that metrics are made of. */
export interface MeasuredDirector extends Pick<Director, 'checks'> {
  status(): MeasuredStatus
}
