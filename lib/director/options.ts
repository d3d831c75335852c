import { boolean, integer, object, refuseUnknown, type Known } from '../arguments/validate.js'
import { invalidType } from '../model/errors.js'
import { applySettings } from '../state/options.js'
import { ownership, type Owns } from '../state/ownership.js'
import type { DrainOptions } from '../state/types.js'
import type { DirectorOptions } from './types.js'

const NAMES: Known = {
  what: 'the options of a director',
  names: new Set(['ipvs', 'configuration', 'drain', 'prune', 'owns', 'sockets', 'programs', 'interval', 'jitter', 'backOff']),
}
const MANY = { min: 1, max: 2 ** 31 - 1 }

/** The options of a director, checked and complete; those of reconcile are reconcile's to check. */
export interface DirectorSettings {
  drain: Required<DrainOptions> | undefined
  prune: boolean
  owns: Owns
  sockets: number | undefined
  programs: number | undefined
}

/** @throws ArgumentError naming the option that is wrong */
export function directorSettings(options: DirectorOptions): DirectorSettings {
  const given = object(options, 'options') as unknown as DirectorOptions
  refuseUnknown(given as unknown as Record<string, unknown>, 'options', NAMES)
  const { ipvs, drain = true, prune, owns, sockets, programs } = given
  if (typeof (ipvs as { reconcile?: unknown } | undefined)?.reconcile !== 'function') throw invalidType('options.ipvs', 'an open handle of the class Ipvs', ipvs)
  return {
    drain: applySettings({ drain }).drain,
    prune: prune === undefined ? false : boolean(prune, 'options.prune'),
    owns: owns === undefined ? () => false : ownership(owns),
    sockets: sockets === undefined ? undefined : integer(sockets, 'options.sockets', MANY),
    programs: programs === undefined ? undefined : integer(programs, 'options.programs', MANY),
  }
}
