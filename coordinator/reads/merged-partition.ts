// A partition as several replicas' answers make it together.
import type { RowSink } from "../../data/local-store.ts"
import type { Deletion, RangeTombstone, Row } from "../../data/row.ts"
import { compareTokens } from "../../data/token.ts"
import type { Token } from "../../data/topology.ts"
import { Buffer } from "../../runtime/pure.ts"

export interface MergedRow {
  readonly row: Row
  readonly bytes: Buffer
  readonly live: boolean
}

export interface MergedPartition {
  readonly token: Token
  readonly key: Buffer
  deletion: Deletion | null
  tombstones: RangeTombstone[]
  readonly rows: MergedRow[]
}

export function comparePartitions(aToken: Token, aKey: Uint8Array, bToken: Token, bKey: Uint8Array): number {
  return compareTokens(aToken, bToken) || Buffer.compare(aKey, bKey)
}

/** Live rows of a merged partition, as limits count them. */
export function liveRows(partition: MergedPartition): number {
  let rows = 0
  let statics = 0
  for (const { row, live } of partition.rows) {
    if (!live) continue
    if (row.isStatic) statics = 1
    else rows++
  }
  return rows === 0 ? statics : rows
}

/** Hands on at most `limit` live rows; false when the sink had enough. */
export function emitPartition(partition: MergedPartition, limit: number, sink: RowSink): boolean {
  if (partition.deletion === null && partition.tombstones.length === 0 && partition.rows.length === 0) return true
  sink.partition(partition.token, partition.key, partition.deletion)
  for (const tombstone of partition.tombstones) sink.rangeTombstone(tombstone)
  let left = limit
  for (const { row, bytes, live } of partition.rows) {
    if (live && !row.isStatic && left-- <= 0) break
    if (!sink.row(bytes, 0, bytes.length, live)) return false
  }
  sink.partitionEnd()
  return true
}
