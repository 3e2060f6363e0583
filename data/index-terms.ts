// What a write adds to an index: the terms of one row as it is written, each with the timestamp and life time of its cell.
import { Buffer } from "../runtime/pure.ts"
import { isMultiCell } from "./cql-type.ts"
import { encodeEntry, shardKey, shardOf, shardToken } from "./index-table.ts"
import { analyze } from "./index-analyzer.ts"
import { splitPartitionKey } from "./partition-key.ts"
import { CELL_KIND, type Cell, type Marker, type Row } from "./row.ts"
import { decodeClustering } from "./row-format.ts"
import type { IndexSchema, TableSchema } from "./schema.ts"
import { compareInt64 } from "./timestamp.ts"
import { packTuple } from "./types/tuples.ts"
import type { Token } from "./topology.ts"

export interface IndexEntry {
  readonly index: IndexSchema
  readonly shardToken: Token
  readonly shardKey: Buffer
  readonly row: Row
}

const NO_BYTES = Buffer.alloc(0)

/** Calls `add` for each entry that the row makes in the table's indexes. `row` may be static, and part of a row. */
export function indexEntries(table: TableSchema, token: Token, key: Uint8Array, row: Row, add: (entry: IndexEntry) => void, only: IndexSchema | null = null): void {
  const shard = shardOf(token)
  for (const index of table.indexes) {
    if (only !== null && index !== only) continue
    const anyRow = row.isStatic || index.column.kind === "partition_key"
    visitTerms(table, index, key, row, (term, marker) => {
      const clustering = encodeEntry(analyze(index, term), token, key, anyRow ? NO_BYTES : row.clustering)
      const entry: Row = { isStatic: false, clustering, marker, deletion: null, complexDeletions: [], cells: [] }
      add({ index, shardToken: shardToken(shard), shardKey: shardKey(shard), row: entry })
    })
  }
}

function visitTerms(table: TableSchema, index: IndexSchema, key: Uint8Array, row: Row, visit: (term: Uint8Array, marker: Marker) => void): void {
  const { column } = index
  // Nothing looks for vectors by value: their order is worked out from the rows.
  if (column.type.kind === "vector" && index.isStorageAttached) return
  switch (column.kind) {
    case "partition_key":
    case "clustering": {
      if (column.kind === "clustering" && row.isStatic) return
      const marker = newest(row)
      if (marker === null) return
      const values = column.kind === "clustering" ? decodeClustering(row.clustering) : splitPartitionKey(table.partitionKey.length, key)
      visit(values[column.position] as Buffer, marker)
      return
    }
    case "static":
    case "regular":
      if (row.isStatic !== (column.kind === "static")) return
      for (const cell of row.cells) {
        if (cell.column === column.id && cell.kind !== CELL_KIND.tombstone) visit(termOf(index, cell), life(cell))
      }
  }
}

function termOf({ column, descriptor }: IndexSchema, cell: Cell): Uint8Array {
  const value = cell.value as Uint8Array
  if (!isMultiCell(column.type)) return value
  const path = cell.path as Uint8Array
  switch (descriptor.part) {
    case "keys":
      return path
    case "entries":
      return packTuple([path, value])
    default:
      return column.type.kind === "set" ? path : value
  }
}

function life({ timestampHigh, timestampLow, ttlSeconds, expiresAt, kind }: Cell): Marker {
  return { timestampHigh, timestampLow, ttlSeconds, expiresAt: kind === CELL_KIND.expiring ? expiresAt : 0 }
}

/** The newest timestamp of what is there, for as long as anything is: without end. Null: only deletions. */
function newest(row: Row): Marker | null {
  let found: { readonly timestampHigh: number; readonly timestampLow: number } | null = row.marker
  for (const cell of row.cells) {
    if (cell.kind === CELL_KIND.tombstone) continue
    if (found === null || compareInt64(cell.timestampHigh, cell.timestampLow, found.timestampHigh, found.timestampLow) > 0) found = cell
  }
  return found === null ? null : { timestampHigh: found.timestampHigh, timestampLow: found.timestampLow, ttlSeconds: 0, expiresAt: 0 }
}
