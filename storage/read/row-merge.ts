// Fragments of one row, and the row they make: bytes in, bytes out. The table's kind chooses how rows are merged: rows of
// a view are entries and merge as such, everything else by reconciliation.
import type { Buffer } from "../../runtime/pure.ts"
import { ByteReader, type ByteWriter, readInt32, readUint16, readUint32 } from "../../data/bytes.ts"
import { mergeRows } from "../../data/reconcile.ts"
import type { Deletion, Row } from "../../data/row.ts"
import { CELL_KIND } from "../../data/row.ts"
import { FLAG, clusteringEnd, decodeRow, encodeRow, itemFlags, simpleColumnsAt, simpleTimestampAt } from "../../data/row-format.ts"
import type { TableSchema } from "../../data/schema.ts"
import { mergeEntries } from "../../data/view-entry.ts"
import { viewShape } from "../../data/view-shape.ts"

/** Where the fragments of a row lie. Reused from row to row. */
export class Fragments {
  readonly buffers: Buffer[] = []
  readonly at: number[] = []
  count = 0

  clear(): void {
    this.count = 0
  }
  add(buffer: Buffer, at: number): void {
    this.buffers[this.count] = buffer
    this.at[this.count++] = at
  }
}

/** The fragments as one row object, without what `covering` deletes; null when nothing is left. Bytes are views of the fragments. */
export function mergeToRow(table: TableSchema, fragments: Fragments, covering: Deletion | null): Row | null {
  const rows: Row[] = []
  for (let index = 0; index < fragments.count; index++) {
    rows.push(decodeRow(new ByteReader(fragments.buffers[index] as Buffer, fragments.at[index] as number)))
  }
  return mergeRowObjects(table, rows, covering)
}

/** REQUIRES: at least one row. */
export function mergeRowObjects(table: TableSchema, rows: Row[], covering: Deletion | null): Row | null {
  if (table.kind !== "view") return mergeRows(rows, covering)
  // An entry takes a covering deletion as one more fragment that has nothing but that deletion.
  if (covering !== null) rows.push({ ...(rows[0] as Row), marker: null, deletion: covering, complexDeletions: [], cells: [] })
  return mergeEntries(table, rows)
}

/** Appends the merged row's bytes to `out`; false when nothing is left. */
export function mergeToBytes(table: TableSchema, fragments: Fragments, covering: Deletion | null, out: ByteWriter): boolean {
  const row = mergeToRow(table, fragments, covering)
  if (row === null) return false
  encodeRow(row, out)
  return true
}

/** Negative, 0, positive: the timestamp at `at` against the given one. */
export function compareTimestampAt(bytes: Buffer, at: number, high: number, low: number): number {
  const atHigh = readInt32(bytes, at)
  return atHigh !== high ? atHigh - high : readUint32(bytes, at + 4) - low
}

/**
 * Whether the newer row alone is the merge of both: both are simple, it has the same columns and a higher timestamp.
 * The common overwrite; it costs no fragment. REQUIRES: equal clusterings, a table that is not a view.
 */
export function replacesWholly(newer: Buffer, newerAt: number, older: Buffer, olderAt: number): boolean {
  const newerFlags = itemFlags(newer, newerAt)
  const olderFlags = itemFlags(older, olderAt)
  if ((newerFlags & olderFlags & FLAG.simple) === 0) return false
  if ((olderFlags & FLAG.marker) !== 0 && (newerFlags & FLAG.marker) === 0) return false
  const newerStamp = simpleTimestampAt(newer, newerAt)
  const olderStamp = simpleTimestampAt(older, olderAt)
  if (compareTimestampAt(newer, newerStamp, readInt32(older, olderStamp), readUint32(older, olderStamp + 4)) <= 0) return false
  const newerColumns = simpleColumnsAt(newer, newerAt)
  const olderColumns = simpleColumnsAt(older, olderAt)
  const size = 2 + 2 * readUint16(newer, newerColumns)
  for (let index = 0; index < size; index++) if (newer[newerColumns + index] !== older[olderColumns + index]) return false
  return true
}

/**
 * The same for entries of a view: both are simple, and the newer one has every cell of the context at a higher timestamp. Then
 * the older one's context has lost, and with it all that it says (views.md, 3.3); with D, which stays, an entry is not simple.
 * A mask replaces the row it masks, too. REQUIRES: equal clusterings.
 */
export function replacesEntry(view: TableSchema, newer: Buffer, newerAt: number, older: Buffer, olderAt: number): boolean {
  const { contextColumns } = viewShape(view)
  // Without context all cells count.
  if (contextColumns.length === 0) return replacesWholly(newer, newerAt, older, olderAt)
  if ((itemFlags(newer, newerAt) & itemFlags(older, olderAt) & FLAG.simple) === 0) return false
  const newerStamp = simpleTimestampAt(newer, newerAt)
  const olderStamp = simpleTimestampAt(older, olderAt)
  if (compareTimestampAt(newer, newerStamp, readInt32(older, olderStamp), readUint32(older, olderStamp + 4)) <= 0) return false
  const columns = simpleColumnsAt(newer, newerAt)
  let wanted = 0
  for (let left = readUint16(newer, columns), at = columns + 2; left > 0 && wanted < contextColumns.length; left--, at += 2) {
    if (readUint16(newer, at) === contextColumns[wanted]) wanted++
  }
  return wanted === contextColumns.length
}

/** Whether the row must be merged with itself to be canonical: what its own deletions delete may still be in it, or it is empty. */
export function mayShadowItself(bytes: Buffer, at: number): boolean {
  const flags = itemFlags(bytes, at)
  if ((flags & FLAG.simple) !== 0) return false
  let to = clusteringEnd(bytes, at)
  if ((flags & FLAG.marker) !== 0) to += 16
  if ((flags & FLAG.deletion) !== 0) to += 12
  const complexDeletions = readUint16(bytes, to)
  if ((flags & FLAG.deletion) === 0 && complexDeletions === 0) return (flags & FLAG.marker) === 0 && readUint32(bytes, to + 2) === 0
  return complexDeletions > 0 || (flags & FLAG.marker) !== 0 || readUint32(bytes, to + 2) > 0
}

/** Whether the row has a live marker or a live cell at `nowSeconds`. Reads the bytes in place. */
export function isLiveRow(bytes: Buffer, at: number, nowSeconds: number): boolean {
  const flags = itemFlags(bytes, at)
  // A simple row has a marker or a plain cell, and neither expires.
  if ((flags & FLAG.simple) !== 0) return true
  let to = clusteringEnd(bytes, at)
  if ((flags & FLAG.marker) !== 0) {
    const expiresAt = readUint32(bytes, to + 12)
    if (expiresAt === 0 || expiresAt > nowSeconds) return true
    to += 16
  }
  if ((flags & FLAG.deletion) !== 0) to += 12
  to += 2 + 14 * readUint16(bytes, to)
  const cells = readUint32(bytes, to)
  to += 4
  for (let left = cells; left > 0; left--) {
    const kindByte = bytes[to + 2] as number
    const kind = kindByte & 0x7f
    to += 11
    if (kind === CELL_KIND.plain) return true
    if (kind === CELL_KIND.expiring) {
      if (readUint32(bytes, to + 4) > nowSeconds) return true
      to += 8
    } else {
      to += 4
    }
    if ((kindByte & 0x80) !== 0) to += 2 + readUint16(bytes, to)
  }
  return false
}
