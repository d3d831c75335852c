import type { AlsoRead } from '../client/packed-services.js'
import type { PackedTable, TableOptions } from '../client/packed-table.js'
import type { BatchOptions, BatchResult } from '../model/batch.js'
import type { Operation, ServiceKey } from '../model/types.js'
import type { Sysctl } from '../proc/sysctl.js'

/** The part of a handle that plans are made and carried out with. */
export interface TableHandle {
  /** Reads the table. */
  table(options?: TableOptions): Promise<PackedTable>
  /**
   * Reads some services alone.
   *
   * @param keys canonical, each once
   * @param also what else is read
   */
  services(keys: readonly ServiceKey[], also: AlsoRead): Promise<PackedTable>
  batch(operations: Iterable<Operation>, options: BatchOptions): Promise<BatchResult>
  readonly sysctl: Pick<Sysctl, 'get'>
}
