import type { ServiceKey } from '../model/types.js'
import type { DrainingDestination, PlannedOperation, PlanWarning } from './types.js'

/** Services with a draining destination, one for each kind of warning; `undefined` if there is none. */
export interface DrainingServices {
  /** A service with persistence. */
  affinity: ServiceKey | undefined
  /**
   * A service that can have TCP, without persistence, whose answers do not come through the director (dr, tun), and whose inactive
   * connections are not waited for.
   */
  oneWay: ServiceKey | undefined
}

/** A plan in the stages in which it is carried out. */
export interface StagedPlan extends DrainingServices {
  /** Operations that add and change, and everything that must come before them. */
  build: PlannedOperation[]
  /** Operations that take capacity away. */
  retire: PlannedOperation[]
  /**
   * Operations that start sync daemons, or start them anew. The kernel starts none beside destinations of the other address family, so
   * these destinations are removed first.
   */
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
