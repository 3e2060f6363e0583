// Walks the partitions of several memtables and SSTables in token order, each partition once: what a range read and a
// compaction do.
import { Buffer } from "../runtime/pure.ts"
import type { TableSchema } from "../data/schema.ts"
import type { PartitionMerge } from "./partition-merge.ts"
import type { PartitionCursor } from "./partition-source.ts"

const NO_BYTES = Buffer.alloc(0)

export class PartitionWalk {
  tokenHigh = 0
  tokenLow = 0
  key: Buffer = NO_BYTES
  /** Newest first. */
  readonly #cursors: readonly PartitionCursor[]
  /** Those that have partitions left, newest first. */
  #open: PartitionCursor[] = []
  /** Those that have the current partition. */
  #current: PartitionCursor[] = []

  constructor(cursors: readonly PartitionCursor[]) {
    this.#cursors = cursors
  }

  /** The next partition is the first at or after (token, key), or strictly after. See PartitionCursor.seek. */
  seek(tokenHigh: number, tokenLow: number, key: Buffer | null, after: boolean): void {
    this.#current = []
    this.#open = this.#cursors.filter((cursor) => cursor.seek(tokenHigh, tokenLow, key, after))
  }

  /** Moves on; false at the end. */
  next(): boolean {
    for (const cursor of this.#current) if (!cursor.next()) this.#open.splice(this.#open.indexOf(cursor), 1)
    let first = this.#open[0]
    if (first === undefined) return false
    for (const cursor of this.#open) if (comparePartitions(cursor, first) < 0) first = cursor
    const wanted = first
    this.#current = this.#open.filter((cursor) => comparePartitions(cursor, wanted) === 0)
    this.tokenHigh = first.tokenHigh
    this.tokenLow = first.tokenLow
    this.key = first.key
    return true
  }

  /** How many have the current partition. */
  get sourceCount(): number {
    return this.#current.length
  }

  /** Opens the current partition's sources in `merge`. */
  open(merge: PartitionMerge, table: TableSchema): void {
    merge.open(table)
    for (const cursor of this.#current) merge.add(cursor.open())
  }

  close(): void {
    for (const cursor of this.#cursors) cursor.close()
  }
}

function comparePartitions(a: PartitionCursor, b: PartitionCursor): number {
  return a.tokenHigh - b.tokenHigh || a.tokenLow - b.tokenLow || a.key.compare(b.key)
}
