import type { TableId, TableSchema } from "../data/schema.ts"
import type { CommitLogSync } from "./log/commit-log.ts"

/** What follows from a disk under the commit log that fails: see docs/operations.md. What ends the process or its service is up to the owner. */
export type CommitFailurePolicy = "stop" | "stop_commit" | "ignore" | "die"
/** What follows from a data file that cannot be read or written. */
export type DiskFailurePolicy = "stop" | "stop_paranoid" | "best_effort" | "ignore" | "die"

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
  readonly commitlogSync: CommitLogSync
  /** The disk is synced at least so often. */
  readonly commitlogSyncPeriodMs: number
  /** Of `group`: syncs are at least so far apart. */
  readonly commitlogSyncGroupWindowMs: number
  /** More than this much commit log, and the tables that the oldest segment waits for are flushed. */
  readonly commitlogTotalBytes: number
  readonly commitFailurePolicy: CommitFailurePolicy
  readonly diskFailurePolicy: DiskFailurePolicy
  /** Compactions that run at once. */
  readonly concurrentCompactors: number
  /** What all compactions together read in a second; 0: no limit. */
  readonly compactionThroughputBytes: number
  /** Decompressed blocks of SSTables in memory; their index has an eighth of it on top. */
  readonly blockCacheBytes: number
  /** Never read a block in a way that blocks, if it can be told beforehand. Else only while the disk is slow. */
  readonly alwaysWaitForDisk: boolean
  /** Longer reads let others be served in between (read-run.ts). */
  readonly rowsPerShare: number
}

export const DEFAULT_STORE_OPTIONS: Omit<StoreOptions, "tables"> = {
  nextTableId: null,
  memtableSpaceBytes: 64 << 20,
  commitlogSegmentBytes: 32 << 20,
  commitlogSync: "periodic",
  commitlogSyncPeriodMs: 10_000,
  commitlogSyncGroupWindowMs: 10,
  commitlogTotalBytes: 512 << 20,
  commitFailurePolicy: "stop",
  diskFailurePolicy: "stop",
  concurrentCompactors: 2,
  compactionThroughputBytes: 64 << 20,
  // Half a million rows of 200 bytes; with it and a full memtable a node stays well under 700 MB.
  blockCacheBytes: 128 << 20,
  alwaysWaitForDisk: false,
  // Some milliseconds, and more than the pages that drivers ask for: those are read at one point in time.
  rowsPerShare: 10_000,
}
