// The short way of a read: one partition, whose rows go from where they lie into the client's answer, without a command,
// a merge or an object for each. The store takes it only when nothing needs merging (storage/read/direct-reader.ts) and says so
// when it does not; then the read goes the long way, from the start.
import type { Buffer } from "../runtime/pure.ts"
import type { ClusteringSlice } from "./read-command.ts"
import type { TableSchema } from "./schema.ts"

/** What is asked for. All of it is valid during the call only: one object serves request after request. */
export interface DirectRead {
  readonly table: TableSchema
  readonly tokenHigh: number
  readonly tokenLow: number
  readonly key: Buffer
  /** As in ReadCommand; not empty. */
  readonly slices: readonly ClusteringSlice[]
  /** The slices are one, of one row: its whole clustering, inclusive. */
  readonly isOneRow: boolean
  readonly reversed: boolean
  /** Rows behind this clustering, in reading order; null: from the start. */
  readonly after: Buffer | null
  readonly nowSeconds: number
}

/** Who takes the rows. */
export interface DirectSink {
  /** The live row `bytes[at, …)`, valid during the call. False: enough. */
  directRow(bytes: Buffer, at: number): boolean
  /**
   * Whether the row `bytes[at, …)` answers a read of one row by itself: what older data, all with lower timestamps, holds of
   * this row cannot change what the reader shows.
   */
  answersAlone(bytes: Buffer, at: number): boolean
}
