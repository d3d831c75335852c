import type { ServiceKey } from '../model/types.js'
import type { DrainingDestination, PlannedOperation, PlanWarning } from './types.js'

/** Services with a draining destination, one for each kind of warning. */
export interface DrainingServices {
  /** One with persistence. */
  affinity: ServiceKey | undefined
  /**
   * One that may be of TCP, without persistence, whose answers do not come by the director (dr, tun), and whose inactive connections are
   * not waited for.
   */
  oneWay: ServiceKey | undefined
}

/** A plan in the stages in which it is carried out. */
export interface StagedPlan extends DrainingServices {
  /** What adds and changes, and everything that must come before it. */
  build: PlannedOperation[]
  /** What takes capacity away. */
  retire: PlannedOperation[]
  /** Sync daemons that start, or start anew: the kernel starts none beside destinations of the other address family, so those go first. */
  finish: PlannedOperation[]
  warnings: PlanWarning[]
  draining: DrainingDestination[]
}

export const emptyPlan = (): StagedPlan => ({
  build: [],
  retire: [],
  finish: [],
  warnings: [],
  draining: [],
  affinity: undefined,
  oneWay: undefined,
})

/** All operations of a plan, in order. */
export const operationsOf = ({ build, retire, finish }: StagedPlan): PlannedOperation[] => [...build, ...retire, ...finish]
