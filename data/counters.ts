// Counters. The value of a counter column is a sum of shards: one cell for each process that ever led an update of it, whose
// path names the process (u32 node, u32 a random number of the process) and whose value is what that process has added in
// all (8 bytes).
//
// A shard's timestamp is its clock, which rises with every update. So shards reconcile as any cells do: of one shard the one
// with the highest clock stays, whatever order they come in, and deletions remove the shards up to their timestamp. Nothing
// in storage or repair knows of counters. A process never goes on with a shard of an earlier one: what a loss of power took
// from one node's log is still in the others' shards, and is not written over.
//
// On its way to the leader an update is a cell without path: what is to be added.
//
// What is bad about it: each start of a node adds a shard of about 35 bytes to every counter it then updates as a leader.
import { Buffer } from "../runtime/pure.ts"
import type { CqlType } from "./cql-type.ts"
import type { Cell } from "./row.ts"
import type { ColumnSchema, TableSchema } from "./schema.ts"

export function isCounterType(type: CqlType): boolean {
  return type.kind === "native" && type.name === "counter"
}

export function isCounterColumn(column: Pick<ColumnSchema, "type">): boolean {
  return isCounterType(column.type)
}

/** All columns outside the key are counters, or none is. */
export function isCounterTable(table: TableSchema): boolean {
  const column = table.regulars[0] ?? table.statics[0]
  return column !== undefined && isCounterColumn(column)
}

export function shardPath(node: number, process: number): Buffer {
  const path = Buffer.alloc(8)
  path.writeUInt32BE(node, 0)
  path.writeUInt32BE(process, 4)
  return path
}

/** 8 bytes; wraps around at 64 bits, as Cassandra's counters do. */
export function sumOfShards(cells: readonly Cell[]): Buffer {
  let sum = 0n
  for (const { value } of cells) if (value !== null) sum += countOf(value)
  return countBytes(sum)
}

export function countOf(value: Uint8Array): bigint {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).readBigInt64BE(0)
}

export function countBytes(count: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(BigInt.asIntN(64, count))
  return bytes
}
