// Early stop: when the newest place that has a row has all of it, older SSTables need not be looked at.
//
// The answer must be the very bytes that the merge of everything would give, since replicas compare digests. So the row is
// SIMPLE with marker and every column of the table, it is newer than anything in the SSTables that are left, and those
// have no deletions (a merge keeps a row's deletion, however old) and no columns that the table has not any more.
import { Buffer } from "../../runtime/pure.ts"
import { readUint16 } from "../../data/bytes.ts"
import type { ClusteringSlice } from "../../data/read-command.ts"
import { FLAG, clusteringEnd, clusteringStart, itemFlags, simpleColumnsAt, simpleTimestampAt } from "../../data/row-format.ts"
import type { TableSchema } from "../../data/schema.ts"
import type { PartitionSource } from "./partition-source.ts"
import { compareTimestampAt } from "./row-merge.ts"
import type { SSTable } from "../sstable/sstable.ts"

/** Whether the slices ask for one row, which is wholly in the source; the SSTables from `from` on are older. Opens the source's rows. */
export function isWholeRow(source: PartitionSource, slices: readonly ClusteringSlice[], table: TableSchema, sstables: readonly SSTable[], from: number): boolean {
  const slice = slices[0]
  if (slice === undefined || slices.length > 1 || !isOneClustering(slice)) return false
  if (table.kind !== "table" || table.statics.length > 0 || table.descriptor.droppedColumns.length > 0 || !source.isPlain) return false
  for (let index = from; index < sstables.length; index++) if ((sstables[index] as SSTable).statistics.tombstones > 0) return false
  source.openRows(slices, false)
  if (!source.nextRow() || !source.isSingle) return false
  const { bytes, at } = source
  if ((itemFlags(bytes, at) & (FLAG.simple | FLAG.marker)) !== (FLAG.simple | FLAG.marker)) return false
  // A slice of a prefix may hold more rows.
  if (clusteringEnd(bytes, at) - clusteringStart(at) !== slice.start.length) return false
  if (readUint16(bytes, simpleColumnsAt(bytes, at)) !== table.regulars.length) return false
  const stamp = simpleTimestampAt(bytes, at)
  for (let index = from; index < sstables.length; index++) {
    const { maxTimestampHigh, maxTimestampLow } = sstables[index] as SSTable
    if (compareTimestampAt(bytes, stamp, maxTimestampHigh, maxTimestampLow) <= 0) return false
  }
  return true
}

function isOneClustering({ start, startInclusive, end, endInclusive }: ClusteringSlice): boolean {
  return startInclusive && endInclusive && start.length > 0 && (start === end || Buffer.compare(start, end) === 0)
}
