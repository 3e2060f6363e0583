// Reads of one partition that need no merge: what lies in one memtable or one SSTable as single fragments, with nothing
// deleted. Rows are handed on as they lie and nothing is allocated.
//
// 1. The places that may have the partition are asked newest first. When a second one has it too, the read goes the long
//    way (read-run.ts), unless one row is asked for: then the newest place that has the row may answer alone, if everything
//    in the older ones has lower timestamps. Those are not even looked at.
// 2. A partition with a deletion, range tombstones or a static row goes the long way, and so does a row of several fragments.
//    That may show after rows were handed on: the caller forgets them.
//
// 3. So does a read that meets very many rows: the long way lets others be served in between.
//
// It never waits: when blocks are better waited for (read-pace.ts) the caller takes the long way at once.
import type { DirectRead, DirectSink } from "../../data/direct-read.ts"
import { FLAG, itemFlags, simpleTimestampAt } from "../../data/row-format.ts"
import type { Memtable } from "../memtable/memtable.ts"
import type { PartitionSource } from "./partition-source.ts"
import { slicesAfter } from "./read-run.ts"
import { compareTimestampAt, isLiveRow } from "./row-merge.ts"
import type { SSTable } from "../sstable/sstable.ts"
import type { TableStore } from "../table-store.ts"

/** Live and dead ones. */
const MOST_ROWS = 10_000

/** False: the long way, from the start; rows may have been handed on already. Throws CorruptFileError, DiskError. */
export function readDirectly(store: TableStore, read: DirectRead, sink: DirectSink): boolean {
  const { tokenHigh, tokenLow, key } = read
  const { active, flushing } = store
  let memtable: Memtable = active
  let partition = active.find(tokenHigh, tokenLow, key, 0, key.length)
  for (let index = 0; index < flushing.length; index++) {
    const other = flushing[index] as Memtable
    const found = other.find(tokenHigh, tokenLow, key, 0, key.length)
    if (found === 0) continue
    if (partition !== 0) return false
    memtable = other
    partition = found
  }
  if (partition === 0) return readFiles(store, 0, read, sink)
  const source = store.openMemtable(memtable, partition)
  try {
    if (read.isOneRow) return readRow(store, source, 0, read, sink)
    return source.isPlain && !isInFiles(store, 0, read) && readRows(source, read, sink)
  } finally {
    source.close()
  }
}

/** The same among the SSTables from `from` on: nothing newer has the partition, or the one row. */
function readFiles(store: TableStore, from: number, read: DirectRead, sink: DirectSink): boolean {
  const { sstables } = store
  for (let index = from; index < sstables.length; index++) {
    const source = openFile(store, sstables[index] as SSTable, read)
    if (source === null) continue
    try {
      if (read.isOneRow) return readRow(store, source, index + 1, read, sink)
      return source.isPlain && !isInFiles(store, index + 1, read) && readRows(source, read, sink)
    } finally {
      source.close()
    }
  }
  return true
}

function readRows(source: PartitionSource, read: DirectRead, sink: DirectSink): boolean {
  source.openRows(read.after === null ? read.slices : slicesAfter(read.slices, read.after, read.reversed, read.table), read.reversed)
  for (let left = MOST_ROWS; source.nextRow(); left--) {
    if (!source.isSingle || left === 0) return false
    if (isLiveRow(source.bytes, source.at, read.nowSeconds) && !sink.directRow(source.bytes, source.at)) break
  }
  return true
}

/** `older`: the first SSTable that is older than the source. */
function readRow(store: TableStore, source: PartitionSource, older: number, read: DirectRead, sink: DirectSink): boolean {
  if (!source.isPlain) return false
  source.openRows(read.slices, false)
  if (!source.nextRow()) return readFiles(store, older, read, sink)
  const { bytes, at } = source
  if (!source.isSingle) return false
  if (!isNewerThanFiles(store, older, read, bytes, at, sink) && isInFiles(store, older, read)) return false
  if (isLiveRow(bytes, at, read.nowSeconds)) sink.directRow(bytes, at)
  return true
}

/** Whether nothing in the SSTables from `from` on can change what the row shows. */
function isNewerThanFiles(store: TableStore, from: number, read: DirectRead, bytes: Buffer, at: number, sink: DirectSink): boolean {
  if (from >= store.sstables.length) return true
  if ((itemFlags(bytes, at) & FLAG.simple) === 0 || !sink.answersAlone(bytes, at)) return false
  const stamp = simpleTimestampAt(bytes, at)
  for (let index = from; index < store.sstables.length; index++) {
    const { filter, maxTimestampHigh, maxTimestampLow } = store.sstables[index] as SSTable
    if (compareTimestampAt(bytes, stamp, maxTimestampHigh, maxTimestampLow) <= 0 && filter.mayContain(read.tokenHigh, read.tokenLow)) return false
  }
  return true
}

function isInFiles(store: TableStore, from: number, read: DirectRead): boolean {
  for (let index = from; index < store.sstables.length; index++) {
    const source = openFile(store, store.sstables[index] as SSTable, read)
    if (source === null) continue
    source.close()
    return true
  }
  return false
}

/** Null: nothing of the partition is there, or surely nothing that the read asks for. */
function openFile(store: TableStore, sstable: SSTable, read: DirectRead): PartitionSource | null {
  return sstable.mayHaveRows(read.slices, store.schema) ? store.openSSTable(sstable, read.tokenHigh, read.tokenLow, read.key) : null
}
