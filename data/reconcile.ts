// Reconciliation: what several versions of the same row come to. docs/reconcile.md numbers the laws (M1-M11) that the
// tests hold this file to.
//
// 1. Cells of the same column and path: the greater one in a total order (`compareCells`) stays, alone.
// 2. A deletion removes what has its timestamp or a lower one: the row's deletion everything in the row, a complex
//    deletion the cells of its column. What a deletion removes is dropped, and so is a deletion that a stronger one covers.
// 3. The clock is never asked. An expired cell stays an expiring cell until it is purged: if it turned into a tombstone,
//    its rank would depend on when it was merged, and replicas that merged at different times would differ for good.
//
// Rows that go in and come out are canonical: cells by column, then path as unsigned bytes (the paths of lists too: their
// order for clients is made where they are read). Merging neither changes its arguments nor copies bytes.
//
// Not here: rows of views, which are entries (view-entry.ts); range tombstones among themselves (range-tombstones.ts).
import { compareDeletions, coveringDeletion as coveringRangeTombstone, disjointRangeTombstones, strongerDeletion } from "./range-tombstones.ts"
import { CELL_KIND, type Cell, type ComplexDeletion, type Deletion, type Marker, type RangeTombstone, type Row } from "./row.ts"
import type { TableSchema } from "./schema.ts"
import { compareInt64 } from "./timestamp.ts"
import { compareBytes } from "./types/operations.ts"

/**
 * The total order of versions of one cell; the greatest wins. Timestamp; then tombstone over expiring over plain; then
 * the later expiry or local deletion time; then the larger value; then the larger TTL, which no reader can tell apart
 * but for TTL(). 0 only for cells with equal bytes.
 */
export function compareCells(a: Cell, b: Cell): number {
  const times = compareInt64(a.timestampHigh, a.timestampLow, b.timestampHigh, b.timestampLow)
  if (times !== 0) return times
  if (a.kind !== b.kind) return a.kind - b.kind
  if (a.expiresAt !== b.expiresAt) return a.expiresAt - b.expiresAt
  const x = a.value
  const y = b.value
  const values = x === null || y === null ? 0 : compareBytes(x, 0, x.length, y, 0, y.length)
  return values !== 0 ? values : a.ttlSeconds - b.ttlSeconds
}

/** The same order for markers: one that expires is greater than one that does not. */
export function compareMarkers(a: Marker, b: Marker): number {
  const times = compareInt64(a.timestampHigh, a.timestampLow, b.timestampHigh, b.timestampLow)
  if (times !== 0) return times
  return a.expiresAt !== b.expiresAt ? a.expiresAt - b.expiresAt : a.ttlSeconds - b.ttlSeconds
}

/** By column, then path. */
export function compareCellPlaces(a: Cell, b: Cell): number {
  if (a.column !== b.column) return a.column - b.column
  const x = a.path
  const y = b.path
  if (x === null || y === null) return x === y ? 0 : x === null ? -1 : 1
  return compareBytes(x, 0, x.length, y, 0, y.length)
}

/** True when `deletion` removes what was written at the timestamp. */
export function removes(deletion: Deletion | null, timestampHigh: number, timestampLow: number): boolean {
  return deletion !== null && compareInt64(timestampHigh, timestampLow, deletion.timestampHigh, deletion.timestampLow) <= 0
}

/**
 * The versions of one row as one; `covering` is the strongest partition or range deletion over the row, which is not
 * part of the result. Null when nothing is left. A single version of which nothing is removed comes back as it is.
 * REQUIRES: at least one version, all of the same clustering.
 */
export function mergeRows(rows: readonly Row[], covering: Deletion | null): Row | null {
  const first = rows[0] as Row
  if (rows.length === 1) return normalise(first, covering)
  let { marker, deletion, complexDeletions, cells } = first
  for (let index = 1; index < rows.length; index++) {
    const row = rows[index] as Row
    if (row.marker !== null && (marker === null || compareMarkers(row.marker, marker) > 0)) marker = row.marker
    deletion = strongerDeletion(deletion, row.deletion)
    complexDeletions = mergeComplexDeletions(complexDeletions, row.complexDeletions)
    cells = mergeCells(cells, row.cells)
  }
  return normalise({ isStatic: first.isStatic, clustering: first.clustering, marker, deletion, complexDeletions, cells }, covering)
}

/** The row without what it or `covering` removes; the same object when nothing is. Null when nothing is left. */
function normalise(row: Row, covering: Deletion | null): Row | null {
  if (row.deletion === null && covering === null && row.complexDeletions.length === 0) return isEmpty(row) ? null : row
  const strongest = strongerDeletion(row.deletion, covering)
  const deletion = row.deletion !== null && covering !== null && compareDeletions(row.deletion, covering) <= 0 ? null : row.deletion
  const marker = row.marker !== null && removes(strongest, row.marker.timestampHigh, row.marker.timestampLow) ? null : row.marker
  const complexDeletions = dropCovered(row.complexDeletions, strongest)
  const cells = dropRemoved(row.cells, strongest, complexDeletions)
  if (deletion === row.deletion && marker === row.marker && complexDeletions === row.complexDeletions && cells === row.cells) return isEmpty(row) ? null : row
  const result: Row = { isStatic: row.isStatic, clustering: row.clustering, marker, deletion, complexDeletions, cells }
  return isEmpty(result) ? null : result
}

function isEmpty(row: Row): boolean {
  return row.cells.length === 0 && row.marker === null && row.deletion === null && row.complexDeletions.length === 0
}

function dropCovered(complexDeletions: readonly ComplexDeletion[], strongest: Deletion | null): readonly ComplexDeletion[] {
  if (strongest === null || complexDeletions.length === 0) return complexDeletions
  const kept = complexDeletions.filter(({ deletion }) => compareDeletions(deletion, strongest) > 0)
  return kept.length === complexDeletions.length ? complexDeletions : kept
}

/** The same array when nothing is removed, which is nearly always. */
function dropRemoved(cells: readonly Cell[], strongest: Deletion | null, complexDeletions: readonly ComplexDeletion[]): readonly Cell[] {
  let kept: Cell[] | null = null
  for (let index = 0; index < cells.length; index++) {
    const cell = cells[index] as Cell
    const removed = removes(strongest, cell.timestampHigh, cell.timestampLow) || isRemovedByComplex(cell, complexDeletions)
    if (removed && kept === null) kept = cells.slice(0, index)
    else if (!removed && kept !== null) kept.push(cell)
  }
  return kept ?? cells
}

function isRemovedByComplex(cell: Cell, complexDeletions: readonly ComplexDeletion[]): boolean {
  for (const { column, deletion } of complexDeletions) {
    if (column === cell.column) return removes(deletion, cell.timestampHigh, cell.timestampLow)
  }
  return false
}

/** Merges two sorted lists; of cells in the same place the greater one. */
export function mergeCells(a: readonly Cell[], b: readonly Cell[]): readonly Cell[] {
  if (a.length === 0) return b
  if (b.length === 0) return a
  const merged: Cell[] = []
  let at = 0
  let bAt = 0
  while (at < a.length && bAt < b.length) {
    const x = a[at] as Cell
    const y = b[bAt] as Cell
    const places = compareCellPlaces(x, y)
    if (places < 0) {
      merged.push(x)
      at++
    } else if (places > 0) {
      merged.push(y)
      bAt++
    } else {
      merged.push(compareCells(x, y) >= 0 ? x : y)
      at++
      bAt++
    }
  }
  while (at < a.length) merged.push(a[at++] as Cell)
  while (bAt < b.length) merged.push(b[bAt++] as Cell)
  return merged
}

/** Merges two lists sorted by column; of two deletions of a column the stronger one. */
export function mergeComplexDeletions(a: readonly ComplexDeletion[], b: readonly ComplexDeletion[]): readonly ComplexDeletion[] {
  if (a.length === 0) return b
  if (b.length === 0) return a
  const byColumn = new Map<number, ComplexDeletion>()
  for (const item of [...a, ...b]) {
    const known = byColumn.get(item.column)
    if (known === undefined || compareDeletions(item.deletion, known.deletion) > 0) byColumn.set(item.column, item)
  }
  return [...byColumn.values()].toSorted((x, y) => x.column - y.column)
}

/** False for a tombstone and from the second on at which the cell expires. */
export function isLiveCell(cell: Cell, nowSeconds: number): boolean {
  return cell.kind === CELL_KIND.plain || (cell.kind === CELL_KIND.expiring && cell.expiresAt > nowSeconds)
}

export function isLiveMarker(marker: Marker | null, nowSeconds: number): boolean {
  return marker !== null && (marker.expiresAt === 0 || marker.expiresAt > nowSeconds)
}

/** Whether readers see the row: it has a live marker or a live cell. REQUIRES: the row is merged and of no view. */
export function isLive(row: Row, nowSeconds: number): boolean {
  if (isLiveMarker(row.marker, nowSeconds)) return true
  for (const cell of row.cells) {
    if (isLiveCell(cell, nowSeconds)) return true
  }
  return false
}

/** The tombstones in clustering order, disjoint, with the strongest deletion for each stretch. */
export function mergeRangeTombstones(table: TableSchema, tombstones: readonly RangeTombstone[]): RangeTombstone[] {
  return disjointRangeTombstones(tombstones, null, table.compareClustering)
}

/**
 * The strongest deletion over the row at `clustering`, its own excepted; null: none. REQUIRES: `tombstones` as
 * mergeRangeTombstones gives them. For a static row (which range tombstones do not touch) pass none.
 */
export function coveringDeletion(table: TableSchema, clustering: Uint8Array, partitionDeletion: Deletion | null, tombstones: readonly RangeTombstone[]): Deletion | null {
  return strongerDeletion(partitionDeletion, coveringRangeTombstone(tombstones, clustering, 0, clustering.length, table.compareClustering))
}

/**
 * What of `merged` is not in `existing`: merging it into `existing` gives `merged`. Null when nothing lacks.
 * REQUIRES: `merged` is a merge of `existing` with others. Covering deletions are repaired on their own.
 */
export function rowDifference(merged: Row, existing: Row | null): Row | null {
  if (existing === null) return merged
  const marker = merged.marker !== null && (existing.marker === null || compareMarkers(merged.marker, existing.marker) !== 0) ? merged.marker : null
  const deletion = merged.deletion !== null && (existing.deletion === null || compareDeletions(merged.deletion, existing.deletion) !== 0) ? merged.deletion : null
  const complexDeletions = merged.complexDeletions.filter((item) => {
    const known = existing.complexDeletions.find(({ column }) => column === item.column)
    return known === undefined || compareDeletions(known.deletion, item.deletion) !== 0
  })
  const cells: Cell[] = []
  let at = 0
  for (const cell of merged.cells) {
    while (at < existing.cells.length && compareCellPlaces(existing.cells[at] as Cell, cell) < 0) at++
    const known = existing.cells[at]
    if (known === undefined || compareCellPlaces(known, cell) !== 0 || compareCells(known, cell) !== 0) cells.push(cell)
  }
  const difference: Row = { isStatic: merged.isStatic, clustering: merged.clustering, marker, deletion, complexDeletions, cells }
  return isEmpty(difference) ? null : difference
}
