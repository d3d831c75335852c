import type { PackedTable } from '../client/packed-table.js'
import type { BatchOptions, BatchResult } from '../model/batch.js'
import type { Operation, ServiceKey } from '../model/types.js'
import type { Sysctl } from '../proc/sysctl.js'
import type { DesiredState } from './desired.js'

/** What of a handle is needed to plan, and to carry plans out. */
export interface TableHandle {
  /** Reads the table. */
  table(): Promise<PackedTable>
  /**
   * Reads some services alone, with the timeouts.
   *
   * @param keys canonical, each once
   * @param daemons whether the sync daemons are read too
   */
  services(keys: readonly ServiceKey[], daemons: boolean): Promise<PackedTable>
  batch(operations: Iterable<Operation>, options: BatchOptions): Promise<BatchResult>
  readonly sysctl: Pick<Sysctl, 'get'>
}

/** Reads what a desired state speaks of. */
export const readTable = (handle: TableHandle, { only }: DesiredState): Promise<PackedTable> =>
  only === undefined ? handle.table() : handle.services([...only.values()], false)
