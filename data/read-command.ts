// One read of one table, as it goes from the coordinator to a replica: a partition, or a token range in ring order.
import { Buffer } from "../runtime/pure.ts"
import type { IndexSchema, TableSchema } from "./schema.ts"
import type { Token, TokenRange } from "./topology.ts"

/** Rows between two clustering bounds (encoded prefixes); an empty bound is open. */
export interface ClusteringSlice {
  readonly start: Uint8Array
  readonly startInclusive: boolean
  readonly end: Uint8Array
  readonly endInclusive: boolean
}

/** Which entries of an index name the rows wanted, and perhaps others: whoever asks compares what it gets. */
export interface IndexSearch {
  readonly index: IndexSchema
  /** Of the index's hidden table, sorted: prefixes of class and term. */
  readonly slices: readonly ClusteringSlice[]
  /** Set when only one term is looked for: its entries come in the order of the ring. */
  readonly term: Uint8Array | null
}

export interface ReadCommand {
  readonly table: TableSchema
  /** The coordinator's clock at the start of the request: every replica judges liveness by it. */
  readonly nowSeconds: number
  readonly target:
    | { readonly kind: "partition"; readonly token: Token; readonly key: Uint8Array }
    | { readonly kind: "range"; readonly range: TokenRange }
  /**
   * Rows wanted of each partition; null: all. Sorted and disjoint in clustering order (not reversed order); a single row
   * is a slice with equal inclusive bounds. The static row is returned in any case when the table has static columns.
   */
  readonly slices: readonly ClusteringSlice[] | null
  /** Rows of a partition come in reverse clustering order. */
  readonly reversed: boolean
  /** Stop after this many live rows in all, and of each partition. A partition that has only a live static row counts one. 2^31-1: no limit. */
  readonly limit: number
  readonly perPartitionLimit: number
  /**
   * Paging: the last row that was seen. Partition reads: rows after `clustering` (in reading order) only. Range reads:
   * rows after it in that partition, then the partitions after it. `clustering` null: the partition was finished.
   */
  readonly after: { readonly token: Token; readonly key: Uint8Array; readonly clustering: Uint8Array | null } | null
  /** Read only rows that this search finds. For coordinators: a replica gets a command for the index and then one for the rows. */
  readonly index?: IndexSearch | undefined
}

export const NO_LIMIT = 0x7fffffff

/** The same command with bytes of its own, for a read that goes on when the message it came in is gone. */
export function ownReadCommand(command: ReadCommand): ReadCommand {
  const { target, slices, after } = command
  return {
    ...command,
    target: target.kind === "partition" ? { ...target, key: Buffer.from(target.key) } : target,
    slices: slices === null ? null : slices.map((slice) => ({ ...slice, start: Buffer.from(slice.start), end: Buffer.from(slice.end) })),
    after: after === null ? null : { ...after, key: Buffer.from(after.key), clustering: after.clustering === null ? null : Buffer.from(after.clustering) },
  }
}
