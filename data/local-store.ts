// What the distributed half asks of one node's storage. `storage/` implements it; the coordinator, the views and the
// simulator know only this.
import type { Buffer, Maybe } from "../runtime/pure.ts"
import type { ByteWriter } from "./bytes.ts"
import type { DirectRead, DirectSink } from "./direct-read.ts"
import type { FlatRow } from "./flat-row.ts"
import type { MutationWriter } from "./mutation.ts"
import type { ReadCommand } from "./read-command.ts"
import type { Deletion, RangeTombstone, Row } from "./row.ts"
import type { TableId, TableSchema } from "./schema.ts"
import type { Token, TokenRange } from "./topology.ts"

/**
 * Starts with a whole encoded mutation (mutation.ts), which says its own size; what follows does not matter. The store copies what
 * it keeps; the caller may reuse the bytes after `apply` returned.
 */
export type MutationBytes = Uint8Array

/** Where a mutation comes from: for tracing and metrics; every source is applied alike. */
export type ApplySource = "client" | "replica" | "hint" | "read_repair" | "batch" | "view" | "replay" | "stream"

/** A position in the commit log: segments count up, offsets are bytes. */
export interface LogPosition {
  readonly segment: number
  readonly offset: number
}

/** Keeps a log segment from being recycled until released. */
export interface SegmentHold {
  release(): void
}

/**
 * A row of the base table as view derivation needs it: merged over memtable and SSTables, with `deletion` the strongest
 * of the row's own, the range tombstones and the partition deletion that cover it, and everything at or below it dropped.
 */
export interface RowView {
  readonly row: Row
  /** The partition key, serialised. */
  readonly key: Uint8Array
  readonly token: Token
}

/** What a Derive may add to the log record of the mutation it is called for: all atomic with it. */
export interface ObligationWriter {
  /** Bytes that the log keeps with the record and hands back at replay (`StoreEvents.obligation`), and reports with the position after the append. */
  obligation(bytes: Uint8Array): void
  /** A mutation of other tables (view entries this node owns itself), applied with the record. */
  entry(mutation: MutationBytes): void
}

/**
 * Called synchronously under the row lock for each row a mutation touches, between the read of the existing row and
 * the one log append. For a range or partition deletion: once for each row that exists locally and is covered.
 * `existing` is null when there is no trace of the row. `incoming` is the mutation's part alone (for a covering
 * deletion: a row with that deletion and nothing else).
 */
export interface Derive {
  (table: TableSchema, existing: RowView | null, incoming: RowView, merged: RowView, out: ObligationWriter): void
  /** The same without objects, for rows and tables that it takes. Whoever has none is called as above for all. */
  readonly flat?: FlatDerive
}

export interface FlatDerive {
  /** Whether every view of the table can be derived from FlatRows. */
  takes(table: TableSchema): boolean
  /** The base row's partition key is `key[keyStart, keyEnd)`. Rows and key are valid during the call only. */
  row(table: TableSchema, key: Buffer, keyStart: number, keyEnd: number, existing: FlatRow | null, incoming: FlatRow, merged: FlatRow, out: DerivedWriter): void
}

/** Takes entries and obligations where they are written, without a copy. REQUIRES: what is begun is ended before anything else is begun. */
export interface DerivedWriter {
  /** One mutation of a table that the store knows. It is taken as it is: nobody checks it again. */
  beginEntry(): MutationWriter
  endEntry(): void
  beginObligation(): ByteWriter
  endObligation(): void
}

/**
 * Receives what a read finds, in the order asked for. Byte ranges are valid during the call only and hold rows in the
 * row format: the merged, canonical form, with tombstones and expired cells that are not purged yet, because other
 * replicas' answers are merged with them.
 */
export interface RowSink {
  /** Range tombstones need not be told: there may be very many. */
  readonly ignoresRangeTombstones?: boolean
  /** A partition that has something to say. `deletion`: the partition deletion or null. */
  partition(token: Token, key: Uint8Array, deletion: Deletion | null): void
  /** Before the rows of the partition; only tombstones that touch the slices asked for; disjoint and in clustering order. */
  rangeTombstone(tombstone: RangeTombstone): void
  /** Static row first. Return false to stop the whole read. `live`: a live row for the limits at the command's nowSeconds. */
  row(bytes: Uint8Array, from: number, to: number, live: boolean): boolean
  partitionEnd(): void
}

/** A slow walk over everything in a token range: repair, streaming, view building. Bounded memory; sees a consistent set of tables. */
export interface RowCursor {
  /** Fills the sink with the next `rows` rows or so, always at least one; false when the range is done. */
  next(rows: number, sink: RowSink): Promise<boolean>
  close(): void
}

export interface CursorPosition {
  readonly token: Token
  /** Start after this partition; null: from the token on. */
  readonly key: Uint8Array | null
}

/** What a store reports to its owner. */
export interface StoreEvents {
  /**
   * An obligation that a Derive wrote, once its record is appended (`replayed` false), or found again in the log at
   * start (`replayed` true, before `open` resolves). `bytes` is the callee's to keep.
   */
  obligation(bytes: Uint8Array, position: LogPosition, replayed: boolean): void
  /** Background work (a flush, a compaction, removing files) failed. A flush is tried again. */
  failed?(error: Error): void
  /**
   * The tokens of partitions of the table with rows about which some view is still owed something: from these nothing is
   * purged (F2 of docs/views.md). "all": from the whole table. Asked of tables with views only; not to answer means "all".
   */
  owed?(table: TableId): readonly Token[] | "all"
  /** A compaction has ended well. */
  compacted?(record: CompactionRecord): void
  /** The commit log could not be written or synced or is damaged; or a write was refused because the disk is full, the first of a row. */
  logFailed?(error: Error): void
  /** A data file is damaged, or the disk refused to read or write one. */
  diskFailed?(error: Error): void
}

export interface LocalStore {
  /**
   * Applies the mutation atomically: one log record, then the memtables, so that the next read sees it. The record is in the
   * log's buffer when this returns (or the promise resolves): call `writeOut` before an acknowledgement leaves the process.
   * REQUIRES: every table named is known (else UnknownTableError, and nothing changes).
   * A promise only when existing rows must be read from disk for `derive`, the row is locked, memtables are full, or the log is
   * synced before each acknowledgement (commitlog_sync batch and group): then it resolves when the record is on the disk.
   * Throws or rejects when the log has failed or the disk is full: before anything has changed, or with CommitLogError.
   */
  apply(mutation: MutationBytes, source: ApplySource, derive: Derive | null): Maybe<LogPosition>
  /**
   * Hands buffered records to the operating system, so that a kill of the process loses none of them. Called by whoever sends
   * acknowledgements, before they leave; cheap when there is nothing. The order within an event-loop turn: any number of
   * `apply`, then one `writeOut`, then the socket writes. It also happens by itself at the turn's end. Throws when the log has
   * failed: then no acknowledgement may be sent.
   */
  writeOut(): void
  /** Whether `writeOut` has something to do. */
  hasUnwritten?(): boolean
  /** A promise only when the disk must be read. The sink may start another read, but must not write: rows would move under the walk. */
  read(command: ReadCommand, sink: RowSink): Maybe<void>
  /** Hands the rows of a read that needs no merge to the sink at once. False: `read` has to do it, and what the sink got counts for nothing. */
  readDirect?(read: DirectRead, sink: DirectSink): boolean
  cursor(table: TableId, range: TokenRange, from: CursorPosition | null): RowCursor
  /** Calls `done` once the log is synced past `position`; while anyone waits the log syncs back to back, at least 2 ms apart. */
  onDurable(position: LogPosition, done: () => void): void
  hold(position: LogPosition): SegmentHold
  /** Of the newest record: when it is durable, so is everything that a read can have seen. */
  lastPosition(): LogPosition
  /**
   * The owner holds, or has discharged, the obligations that were found in the log at start. Until this is called the store
   * keeps every log segment that has one.
   */
  obligationsTaken(): void
  /**
   * Calls `visit` for each obligation that a log segment has, in order: for an owner that did not keep them. REQUIRES: the segment
   * is held. Rejects when it cannot be read.
   */
  obligationsIn(segment: number, visit: (bytes: Uint8Array) => void): Promise<void>
  /** Tables that were created, altered or dropped; called at start with all of them, before replay. Dropped tables' data is removed. */
  setTables(tables: readonly TableSchema[]): void
  /** Drops all data of the table that was written before the call. Durable when the promise resolves. */
  truncate(table: TableId): Promise<void>
  /** Writes memtables to SSTables; all tables when none is named. */
  flush(table?: TableId): Promise<void>
  /** Flushes nothing: syncs and closes the log. Safe to call twice. */
  close(): Promise<void>
  /** Figures for metrics, system tables and the curious. */
  stats(table: TableId): TableStats
}

/** A compaction that runs. */
export interface RunningCompaction {
  /** 32 hexadecimal digits. */
  readonly id: string
  readonly table: TableId
  /** Why these SSTables, in a word or two. */
  readonly reason: string
  readonly inputs: number
  readonly totalBytes: number
  /** Of `totalBytes`, read so far. */
  readonly doneBytes: number
  readonly startedAtMicros: number
}

/** A compaction that has ended. */
export interface CompactionRecord {
  readonly id: string
  readonly keyspace: string
  readonly table: string
  readonly strategy: string
  readonly reason: string
  readonly bytesIn: number
  readonly bytesOut: number
  /** At index n - 1: how many partitions were merged from n SSTables. */
  readonly merged: readonly number[]
  readonly startedAtMicros: number
  readonly endedAtMicros: number
}

export interface TableStats {
  readonly memtableRows: number
  readonly memtableBytes: number
  readonly sstables: number
  readonly diskBytes: number
}
