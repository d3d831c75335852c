// Without @types/node, TypeScript says that it cannot find the type definition file for 'node': npm install --save-dev @types/node
/// <reference types="node" preserve="true" />

/**
 * A load balancer that runs by itself: {@link Director} checks real servers and keeps the kernel's table right; {@link check} answers one
 * check of one target.
 *
 * @module ipvs/director
 */

export { check } from '../checks/index.js'
export type {
  CheckAnswer,
  CheckerStatus,
  CheckStatus,
  DestinationStatus,
  Outcome as CheckOutcome,
  Target,
  WeightWord,
} from '../checks/index.js'
export { checkConfiguration, ConfigurationError } from '../configuration/index.js'
export type * from '../configuration/types.js'
export { Agreement, type AgreementEvents, type AgreementRule, type Sight } from './agreement.js'
export { Departures, type DeparturesEvents, type Departure, type DepartureSight } from './departures.js'
export { Director } from './director.js'
export { keepalivedUser } from '../checks/users.js'
export { programFault } from './trust.js'
export type * from './types.js'
