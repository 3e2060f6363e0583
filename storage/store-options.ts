import type { TableId, TableSchema } from "../data/schema.ts"

export interface StoreOptions {
  /** All tables that there are, as `setTables` takes them. */
  readonly tables: readonly TableSchema[]
  /**
   * SchemaDescriptor.nextTableId as of `tables`. A table of the log or the data directory that is not among `tables` was
   * dropped when its id is below this, and is unknown (an error) otherwise. Null: one more than the highest of `tables`.
   */
  readonly nextTableId: TableId | null
  /** Memtables are flushed when they hold more than this together; at twice as much, writes wait. */
  readonly memtableSpaceBytes: number
  readonly commitlogSegmentBytes: number
  /** The disk is synced at least so often. */
  readonly commitlogSyncPeriodMs: number
  /** More than this much commit log, and the tables that the oldest segment waits for are flushed. */
  readonly commitlogTotalBytes: number
  /** Of SSTables. */
  readonly blockCacheBytes: number
  /** Never read a block in a way that blocks, if it can be told beforehand. Else only while the disk is slow. */
  readonly alwaysWaitForDisk: boolean
}

export const DEFAULT_STORE_OPTIONS: Omit<StoreOptions, "tables"> = {
  nextTableId: null,
  memtableSpaceBytes: 64 << 20,
  commitlogSegmentBytes: 32 << 20,
  commitlogSyncPeriodMs: 10_000,
  commitlogTotalBytes: 512 << 20,
  blockCacheBytes: 32 << 20,
  alwaysWaitForDisk: false,
}
