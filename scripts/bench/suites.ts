import type { Suite } from './suite.js'
import { bulk } from './suites/bulk.js'
import { checks } from './suites/checks.js'
import { cold } from './suites/cold.js'
import { command } from './suites/command.js'
import { desiredState } from './suites/desired-state.js'
import { eventLoop } from './suites/event-loop.js'
import { followers, threeDirectors } from './suites/fleet.js'
import { growth } from './suites/growth.js'
import { inForce } from './suites/in-force.js'
import { ipvsadm } from './suites/ipvsadm.js'
import { memory } from './suites/memory.js'
import { metrics } from './suites/metrics.js'
import { native } from './suites/native.js'
import { reactions } from './suites/reactions.js'
import { reading } from './suites/reading.js'
import { single } from './suites/single.js'
import { watch } from './suites/watch.js'

/** Every part of the benchmark by the name that `--only` takes, in the order they run. */
export const suites: Record<string, Suite> = {
  native, single, 'in-force': inForce, bulk, cold, 'event-loop': eventLoop, memory,
  'desired-state': desiredState, watch, metrics, ipvsadm, command, growth, checks, reading, reactions,
  followers, 'three-directors': threeDirectors,
}

/** The parts that run where none is named. */
export const suitesByDefault: readonly string[] = Object.keys(suites).filter((name) => suites[name].onRequest !== true)

/** Parts that are asked for together, by the name of what they are about. */
export const groups: Readonly<Record<string, readonly string[]>> = {
  director: ['checks', 'reading', 'reactions'], fleet: ['followers', 'three-directors'],
}

/** The parts that one shape of table makes sense for: what runs where the user names a shape. */
export const suitesOfAShape: readonly string[] = ['bulk', 'cold', 'memory', 'desired-state', 'watch', 'ipvsadm']
