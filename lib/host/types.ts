import type { DestinationKey, ServiceKey } from '../model/types.js'

/** What a machine is: the one that balances, or one that serves. */
export type Role = 'director' | 'real-server'

/** What a finding breaks. */
export interface Broken {
  /** The virtual service; left out on a real server, which does not know the table. */
  service?: ServiceKey
  /** The destination; left out where the whole service is broken. */
  destination?: DestinationKey
  /** The virtual address, where only that is known. */
  address?: string
}

/** One thing that may be at the bottom of a finding. */
export interface Cause {
  /** What may be the matter. */
  cause: string
  /** What to do about it: commands, or a sentence. */
  mend: string[]
}

/** Something that is missing on a machine, or wrong with it. */
export interface Finding {
  /** The row of the table in docs/doctor.md. */
  row: string
  /** 'fault': clients are not served, or pass the director by. 'warning': they are now, and will not be when something else happens. */
  severity: 'fault' | 'warning'
  /** 'certain': what was read leaves no other explanation. 'likely': something else could look the same. */
  certainty: 'certain' | 'likely'
  /** What is missing, in a sentence. */
  missing: string
  /** Whom it breaks. */
  breaks: Broken[]
  /** What the client sees, in a sentence. */
  client: string
  /** Commands that mend it, to be run on this machine unless they say otherwise; empty where `causes` have them. */
  mend: string[]
  /** What can be at the bottom of it, the most likely first; empty where it is known. */
  causes: Cause[]
}

/** Something that could not be looked at. */
export interface NotLooked {
  what: string
  why: string
}

/** What an examination found. Nothing was changed. */
export interface Report {
  on: Role
  /** Faults first. Empty for a machine that is ready. */
  findings: Finding[]
  notLooked: NotLooked[]
}

/** What both examinations take. */
export interface ExamineOptions {
  /** Virtual addresses to look at. On a director all those of its services by default; on a real server all that look like one. */
  vips?: readonly string[]
  /** Ends the examination, which rejects with the signal's reason. */
  signal?: AbortSignal
}
