import type { AlsoRead } from '../client/packed-services.js'
import type { PackedTable, TableOptions } from '../client/packed-table.js'
import type { BatchOptions, BatchResult } from '../model/batch.js'
import type { Operation, ServiceKey } from '../model/types.js'
import type { Sysctl } from '../proc/sysctl.js'

/** The part of a handle that making and carrying out plans needs. */
export interface TableHandle {
  /** Reads the table. */
  table(options?: TableOptions): Promise<PackedTable>
  /**
   * Reads only some services.
   *
   * @param keys canonical keys, each of them once
   * @param also what else is read
   */
  services(keys: readonly ServiceKey[], also: AlsoRead): Promise<PackedTable>
  batch(operations: Iterable<Operation>, options: BatchOptions): Promise<BatchResult>
  readonly sysctl: Pick<Sysctl, 'get'>
}
