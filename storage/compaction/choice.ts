// What a compaction strategy sees of a table's SSTables, and what it answers. Strategies are pure functions: the same
// tables, options and time give the same choice, whatever ran before.
//
// A table that is `busy` is an input of a compaction that runs. It is shown because what comes out of it will lie over its
// tokens; it must not be chosen.

export interface CompactionTable {
  readonly number: number
  readonly bytes: number
  readonly level: number
  readonly busy: boolean
  readonly partitions: number
  /** Any int64. */
  readonly minTimestamp: bigint
  readonly maxTimestamp: bigint
  readonly firstToken: bigint
  readonly lastToken: bigint
  /** Deletions and expiring cells, and whatever is neither. */
  readonly tombstones: number
  readonly expiringCells: number
  readonly lasting: number
  /** Seconds, of deletions and of cells that expire (their expiry); null: it has none. */
  readonly minLocalDeletionTime: number | null
  readonly maxLocalDeletionTime: number | null
  /** Seconds on this node's clock: when the last write of it had arrived, and when the file was made. */
  readonly arrivedBy: number
  readonly createdAt: number
}

export interface ChoiceContext {
  readonly nowSeconds: number
  /** What was deleted or has expired before this second may be purged. */
  readonly gcBefore: number
  /** Entries of a view that readers never see may be purged when they arrived before this second; null: not a view. */
  readonly masksBefore: number | null
  /** The lowest timestamp of what is in memory; null: nothing is. */
  readonly memtableMinTimestamp: bigint | null
  /** About as much as a flush writes. */
  readonly flushBytes: number
  /** Whether it is time to look for tables in which everything has expired. */
  readonly checkExpired: boolean
}

/** One compaction. Its inputs are merged into one table, or into several where it says so. */
export interface Choice {
  readonly kind: "merge" | "drop" | "move"
  /** For operators: system_views.sstable_tasks, compaction_history. */
  readonly reason: string
  readonly inputs: readonly number[]
  /** Of the outputs. */
  readonly level: number
  /** A new output is begun when one has so many bytes. */
  readonly maxOutputBytes: number
  /** And where one of these tokens is reached. Ascending. */
  readonly boundaries: readonly bigint[]
}

export function merge(reason: string, tables: readonly CompactionTable[], more: Partial<Omit<Choice, "kind" | "reason" | "inputs">> = {}): Choice {
  return { kind: "merge", reason, inputs: tables.map(({ number }) => number), level: 0, maxOutputBytes: Number.POSITIVE_INFINITY, boundaries: [], ...more }
}

export function totalBytes(tables: readonly CompactionTable[]): number {
  return tables.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** Whether some token may be in both. */
export function overlap(a: CompactionTable, b: CompactionTable): boolean {
  return a.firstToken <= b.lastToken && b.firstToken <= a.lastToken
}

export function compareBigInt(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}
