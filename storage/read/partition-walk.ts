// Walks the partitions of several memtables and SSTables in token order, each partition once: what a range read and a
// compaction do.
import { Buffer } from "../../runtime/pure.ts"
import type { TableSchema } from "../../data/schema.ts"
import type { PartitionMerge } from "./partition-merge.ts"
import type { PartitionCursor, PartitionSource } from "./partition-source.ts"

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
  readonly #current: PartitionCursor[] = []

  constructor(cursors: readonly PartitionCursor[]) {
    this.#cursors = cursors
  }

  /** The next partition is the first at or after (token, key), or strictly after. See PartitionCursor.seek. */
  seek(tokenHigh: number, tokenLow: number, key: Buffer | null, after: boolean): void {
    this.#current.length = 0
    this.#open = this.#cursors.filter((cursor) => cursor.seek(tokenHigh, tokenLow, key, after))
  }

  /**
   * Moves on; false at the end. Loops over arrays that are kept: a compaction comes here for every partition, and closures
   * and new arrays were a tenth of its time.
   */
  next(): boolean {
    const open = this.#open
    const current = this.#current
    for (let index = 0; index < current.length; index++) {
      const cursor = current[index] as PartitionCursor
      if (!cursor.next()) open.splice(open.indexOf(cursor), 1)
    }
    current.length = 0
    let first = open[0]
    if (first === undefined) return false
    current.push(first)
    for (let index = 1; index < open.length; index++) {
      const cursor = open[index] as PartitionCursor
      const order = comparePartitions(cursor, first)
      if (order > 0) continue
      if (order < 0) {
        current.length = 0
        first = cursor
      }
      current.push(cursor)
    }
    this.tokenHigh = first.tokenHigh
    this.tokenLow = first.tokenLow
    this.key = first.key
    return true
  }

  /** How many have the current partition. */
  get sourceCount(): number {
    return this.#current.length
  }

  /** The source of a partition that one place alone has. REQUIRES: sourceCount is 1. */
  openOnly(): PartitionSource {
    return (this.#current[0] as PartitionCursor).open()
  }

  /** Opens the current partition's sources in `merge`. */
  open(merge: PartitionMerge, table: TableSchema): void {
    merge.open(table)
    const current = this.#current
    for (let index = 0; index < current.length; index++) merge.add((current[index] as PartitionCursor).open())
  }

  close(): void {
    for (const cursor of this.#cursors) cursor.close()
  }
}

function comparePartitions(a: PartitionCursor, b: PartitionCursor): number {
  return a.tokenHigh - b.tokenHigh || a.tokenLow - b.tokenLow || a.key.compare(b.key)
}
