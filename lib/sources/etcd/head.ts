/**
 * The head of a configuration: a key beside the services that tells that somebody writes more of them than one transaction can have.
 * Followers act on everything at once when it says that all is written.
 */

/** Its name among those of the services. */
export const HEAD = '.head'

/** What the head says. */
export interface Head {
  state: 'writing' | 'written'
  /** Who writes, or wrote last. */
  by: string
  /** Since when, as ISO 8601 has it. */
  since: string
  /** The last revision before anybody began, where another has begun and not ended; otherwise it is the one before the head's. */
  base?: number
}

export const headText = (head: Head): string => JSON.stringify(head)

/** Reads the head. What is no head says that nobody writes. */
export function readHead(bytes: Uint8Array): Head | undefined {
  try {
    const head = JSON.parse(Buffer.from(bytes).toString()) as Partial<Head> | null
    if (typeof head?.state !== 'string') return undefined
    return { state: head.state, by: String(head.by), since: String(head.since), ...typeof head.base === 'number' && { base: head.base } }
  } catch {
    return undefined
  }
}
