// One place that may hold a part of a partition (a memtable, an SSTable), as the merge sees it: its deletion, its range
// tombstones, its static row, and its rows one after the other in the order asked for.
import type { Buffer } from "../../runtime/pure.ts"
import type { ClusteringSlice } from "../../data/read-command.ts"
import type { Deletion, RangeTombstone } from "../../data/row.ts"
import type { Fragments } from "./row-merge.ts"

/** Equal owner, place and era: the same range tombstones, or these and some more at higher `count`. */
export interface TombstoneStamp {
  readonly owner: object
  readonly place: number
  readonly era: number
  readonly count: number
}

export interface PartitionSource {
  /** The partition has rows here and nothing else: no deletion, no range tombstone, no static row. */
  readonly isPlain: boolean
  readonly deletion: Deletion | null
  readonly hasRangeTombstones: boolean
  /** Adds all range tombstones of the partition here, in no order. */
  addRangeTombstones(into: RangeTombstone[]): void
  /** What tells these range tombstones from all others, now and later: see range-tombstone-cache.ts. */
  readonly tombstoneStamp: TombstoneStamp
  /** Adds those that came last. REQUIRES: no more than came since a stamp with the same `era`. */
  addNewestRangeTombstones(into: RangeTombstone[], most: number): void
  addStatic(into: Fragments): void
  /** Starts on the rows of the slices, which are in clustering order; `reversed` walks them backwards. */
  openRows(slices: readonly ClusteringSlice[], reversed: boolean): void
  /** Moves to the next row; false at the end, and from then on. Rows given before stay where they are until `close`. */
  nextRow(): boolean
  /** The newest fragment of the current row: an item of `bytes` at `at`. */
  readonly bytes: Buffer
  readonly at: number
  /** The current row is that one fragment. */
  readonly isSingle: boolean
  /** Adds the fragments of the current row, newest first. */
  addRow(into: Fragments): void
  /** Lets go of what the source holds; it may be opened again. */
  close(): void
}

/** The partitions of a memtable or an SSTable in token order. */
export interface PartitionCursor {
  /** Moves to the first partition at or after (token, key); `key` null: at or after the token. `after`: strictly behind. False: none. */
  seek(tokenHigh: number, tokenLow: number, key: Buffer | null, after: boolean): boolean
  /** Moves on; false at the end. REQUIRES: the last move found one. */
  next(): boolean
  /** The current partition. */
  readonly tokenHigh: number
  readonly tokenLow: number
  readonly key: Buffer
  /** Its content; one source per cursor, valid until the next move. */
  open(): PartitionSource
  close(): void
}
