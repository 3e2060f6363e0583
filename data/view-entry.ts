// View entries: what a base replica tells a view about one row, how entries merge, and when readers see them. Sections 1-3
// of docs/views.md say why; this file is those rules on real rows.
//
// An entry is a row of the view's table:
//   deletion        D, the strongest deletion over the base row
//   context cells   the base row's own cells of the K+ and filter columns, in hidden columns: the evidence
//   witness         a cell in a hidden column: some single base replica had exactly this context, and it matched the key
//   other cells     the selected columns; with no K+, also the unselected ones without their values (virtual, hidden)
//   marker          only with no K+
// An entry without witness is a mask: D and context, nothing else.
//
// 1. A base replica projects its own row for every key the row has, had or might have had (`keysToNotify`,
//    `projectEntry`). It never sends a joined state.
// 2. Entries merge by `mergeEntries`: the context is the greatest cell of each column; only versions with exactly that
//    context contribute witness, marker and other cells; what D removes is dropped; without witness, or when D took a
//    cell of the context, a mask is left. Any grouping and order gives the same bytes (law L1).
// 3. `entryVisible` asks the clock, nothing before it does: merging and storage never look at expiry.
//
// The witness cell's own timestamp means nothing. It is the greatest of the entry, so that an entry of a simple base row
// is a simple row too; it is set anew by every merge, and D does not remove it.
import { Buffer } from "../runtime/pure.ts"
import type { RowView } from "./local-store.ts"
import { MAX_KEY_SIZE, partitionKeyValues } from "./partition-key.ts"
import { strongerDeletion } from "./range-tombstones.ts"
import { compareCellPlaces, compareCells, compareMarkers, isLiveCell, isLiveMarker, mergeCells, mergeComplexDeletions, mergeRows, removes } from "./reconcile.ts"
import { CELL_KIND, type Cell, type ComplexDeletion, type Deletion, type Marker, type Row } from "./row.ts"
import { decodeClustering, encodeClustering } from "./row-format.ts"
import type { ColumnId, TableSchema } from "./schema.ts"
import { compareInt64 } from "./timestamp.ts"
import { type ViewShape, viewShape } from "./view-shape.ts"

const NO_VALUE = Buffer.alloc(0)

/**
 * The keys of the view that must hear of a write to one base row: each the full primary key's values in key order.
 * `incoming` is the mutation's part alone, with everything it says, also what loses. Expiry is ignored.
 */
export function keysToNotify(base: TableSchema, view: TableSchema, existing: RowView | null, incoming: RowView, merged: RowView): Buffer[][] {
  if (merged.row.isStatic) return []
  const shape = viewShape(view)
  const primaryKey = baseKeyValues(base, merged)
  if (!mayMatchFilters(base, shape, primaryKey, [existing?.row ?? null, incoming.row, merged.row])) return []
  const keys = new KeySet()
  if (existing !== null) keys.add(keyOf(base, shape, primaryKey, (column) => keyValue(existing.row, existing.row.deletion, column)))
  keys.add(keyOf(base, shape, primaryKey, (column) => keyValue(merged.row, merged.row.deletion, column)))
  keys.add(keyOf(base, shape, primaryKey, (column) => keyValue(incoming.row, null, column)))
  // Several new key columns: other replicas may have met each of this write's key cells alone.
  if (shape.newKeys.length > 1 && existing !== null) addSubstitutions(base, shape, primaryKey, existing.row, incoming.row, keys)
  return keys.keys
}

function addSubstitutions(base: TableSchema, shape: ViewShape, primaryKey: readonly Buffer[], existing: Row, incoming: Row, keys: KeySet): void {
  const changed = shape.newKeys.map((key) => key.baseColumn).filter((column) => keyValue(incoming, null, column) !== null)
  for (let subset = 1; subset < 1 << changed.length; subset++) {
    keys.add(
      keyOf(base, shape, primaryKey, (column) => {
        const index = changed.indexOf(column)
        return index >= 0 && (subset & (1 << index)) !== 0 ? keyValue(incoming, null, column) : keyValue(existing, null, column)
      }),
    )
  }
}

/** A set of keys, compared by content. */
class KeySet {
  readonly keys: Buffer[][] = []
  add(key: Buffer[] | null): void {
    if (key !== null && !this.keys.some((known) => equalKeys(known, key))) this.keys.push(key)
  }
}

function equalKeys(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((value, index) => Buffer.compare(value, b[index] as Uint8Array) === 0)
}

// One write asks for the same row's key once for each view and each entry of it: the last answer is kept.
let lastKeyRow: RowView | null = null
let lastKeyValues: readonly Buffer[] = []

/** The base row's primary key values by column: partition key, then clustering. */
function baseKeyValues(base: TableSchema, row: RowView): readonly Buffer[] {
  if (row !== lastKeyRow) {
    lastKeyValues = [...partitionKeyValues(base, row.key), ...decodeClustering(row.row.clustering)]
    lastKeyRow = row
  }
  return lastKeyValues
}

/** Index in the base's primary key; -1 for other columns. */
function primaryKeyIndex(base: TableSchema, column: ColumnId): number {
  const { kind, position } = base.columnById[column] ?? { kind: "regular", position: -1 }
  return kind === "partition_key" ? position : kind === "clustering" ? base.partitionKey.length + position : -1
}

/** keyRaw: null unless every new key column has a value, and for a key that is too long to be one. */
function keyOf(base: TableSchema, shape: ViewShape, primaryKey: readonly Buffer[], newKeyValue: (column: ColumnId) => Buffer | null): Buffer[] | null {
  const key: Buffer[] = []
  for (const column of shape.keyColumns) {
    const index = primaryKeyIndex(base, column)
    const value = index >= 0 ? (primaryKey[index] ?? null) : newKeyValue(column)
    if (value === null) return null
    key.push(value)
  }
  return viewKeyExcess(key, shape.partitionColumns) === null ? key : null
}

/**
 * The bytes of the partition key or of the clustering when they are more than a row can have, else null. Clients are told so
 * when they write such a row; one that was there before its view is in no view.
 */
export function viewKeyExcess(key: readonly Uint8Array[], partitionColumns: number): number | null {
  let partition = 0
  let clustering = 0
  for (let index = 0; index < key.length; index++) {
    const size = (key[index] as Uint8Array).length
    if (index < partitionColumns) partition += partitionColumns === 1 ? size : size + 3
    else clustering += size + 4
  }
  return partition > MAX_KEY_SIZE ? partition : clustering > MAX_KEY_SIZE ? clustering : null
}

/** The value of a cell that is there, no tombstone and not removed by `deletion`. */
function keyValue(row: Row, deletion: Deletion | null, column: ColumnId): Buffer | null {
  const cell = findCell(row, column)
  if (cell === null || cell.value === null || removes(deletion, cell.timestampHigh, cell.timestampLow)) return null
  return Buffer.isBuffer(cell.value) ? cell.value : Buffer.from(cell.value.buffer, cell.value.byteOffset, cell.value.byteLength)
}

function findCell(row: Row, column: ColumnId): Cell | null {
  for (const cell of row.cells) if (cell.column === column && cell.path === null) return cell
  return null
}

/** False when some condition holds in none of the rows: then no replica can show the row because of this write. */
function mayMatchFilters(base: TableSchema, shape: ViewShape, primaryKey: readonly Buffer[], rows: readonly (Row | null)[]): boolean {
  for (const filter of shape.filters) {
    const index = primaryKeyIndex(base, filter.baseColumn)
    const accepted =
      index >= 0
        ? filter.accepts(primaryKey[index] as Buffer)
        : rows.some((row) => {
            const value = row === null ? null : keyValue(row, null, filter.baseColumn)
            return value !== null && filter.accepts(value)
          })
    if (!accepted) return false
  }
  return true
}

/** The entry that the base row makes at `viewKey`: the projection when the row matches the key, else a mask. */
export function projectEntry(base: TableSchema, view: TableSchema, row: RowView, viewKey: readonly Uint8Array[]): Row {
  const shape = viewShape(view)
  // Already normal when it comes from storage; then this costs a glance.
  const source = mergeRows([row.row], null) ?? row.row
  const primaryKey = baseKeyValues(base, row)
  const key = keyOf(base, shape, primaryKey, (column) => keyValue(source, source.deletion, column))
  const matches = key !== null && equalKeys(key, viewKey) && matchesFilters(base, shape, primaryKey, source)
  const marker = matches && shape.newKeys.length === 0 ? source.marker : null
  const cells = isFlat(source) ? projectFlatCells(shape, source, matches) : projectCells(shape, source, matches)
  if (matches) insertCell(cells, witnessCell(shape, cells, marker))
  return {
    isStatic: false,
    clustering: encodeClustering(viewKey.slice(view.partitionKey.length)),
    marker,
    deletion: source.deletion,
    complexDeletions: matches ? projectComplexDeletions(shape, source.complexDeletions) : [],
    cells,
  }
}

/** No cells of collections: at most one cell for each column. */
function isFlat(row: Row): boolean {
  for (const cell of row.cells) if (cell.path !== null) return false
  return true
}

/** By the view's columns, so that nothing needs sorting: half the cost of the general way, and nearly every row is flat. */
function projectFlatCells(shape: ViewShape, source: Row, matches: boolean): Cell[] {
  const cells: Cell[] = []
  for (const { base, view, isVirtual } of matches ? shape.projections : shape.contextProjections) {
    const cell = findCell(source, base)
    if (cell === null || removes(source.deletion, cell.timestampHigh, cell.timestampLow)) continue
    cells.push(projectCell(cell, view, isVirtual))
  }
  return cells
}

function projectCells(shape: ViewShape, source: Row, matches: boolean): Cell[] {
  const cells: Cell[] = []
  for (const cell of source.cells) {
    if (removes(source.deletion, cell.timestampHigh, cell.timestampLow)) continue
    const context = cell.path === null ? shape.contextOf.get(cell.column) : undefined
    if (context !== undefined) cells.push(projectCell(cell, context, false))
    if (!matches) continue
    const selected = shape.selectedOf.get(cell.column)
    if (selected !== undefined) cells.push(projectCell(cell, selected, false))
    const virtual = shape.virtualOf.get(cell.column)
    if (virtual !== undefined) cells.push(projectCell(cell, virtual, true))
  }
  return cells.sort(compareCellPlaces)
}

function projectCell(cell: Cell, column: ColumnId, isVirtual: boolean): Cell {
  const { path, kind, timestampHigh, timestampLow, ttlSeconds, expiresAt, value } = cell
  return { column, path, kind, timestampHigh, timestampLow, ttlSeconds, expiresAt, value: isVirtual && value !== null ? NO_VALUE : value }
}

/** Puts a cell in its place among sorted ones. */
function insertCell(cells: Cell[], cell: Cell): void {
  let at = cells.length
  while (at > 0 && (cells[at - 1] as Cell).column > cell.column) at--
  cells.splice(at, 0, cell)
}

function matchesFilters(base: TableSchema, shape: ViewShape, primaryKey: readonly Buffer[], row: Row): boolean {
  for (const filter of shape.filters) {
    const index = primaryKeyIndex(base, filter.baseColumn)
    const value = index >= 0 ? (primaryKey[index] as Buffer) : keyValue(row, row.deletion, filter.baseColumn)
    if (value === null || !filter.accepts(value)) return false
  }
  return true
}

function projectComplexDeletions(shape: ViewShape, complexDeletions: readonly ComplexDeletion[]): ComplexDeletion[] {
  const projected: ComplexDeletion[] = []
  for (const { column, deletion } of complexDeletions) {
    for (const target of [shape.selectedOf.get(column), shape.virtualOf.get(column)]) {
      if (target !== undefined) projected.push({ column: target, deletion })
    }
  }
  return projected.sort((a, b) => a.column - b.column)
}

function witnessCell(shape: ViewShape, cells: readonly Cell[], marker: Marker | null): Cell {
  let newest: Cell | Marker | null = marker
  for (const cell of cells) {
    if (newest === null || compareInt64(cell.timestampHigh, cell.timestampLow, newest.timestampHigh, newest.timestampLow) > 0) newest = cell
  }
  return {
    column: shape.witness,
    path: null,
    kind: CELL_KIND.plain,
    timestampHigh: newest?.timestampHigh ?? 0,
    timestampLow: newest?.timestampLow ?? 0,
    ttlSeconds: 0,
    expiresAt: 0,
    value: NO_VALUE,
  }
}

/**
 * The entry that several versions of it make, in canonical form. One version comes back as it is.
 * REQUIRES: at least one, all of the same view key, as projected or merged.
 */
export function mergeEntries(view: TableSchema, rows: readonly Row[]): Row {
  const first = rows[0] as Row
  if (rows.length === 1) return first
  const shape = viewShape(view)
  const context = shape.contextColumns.map((column) => greatestCell(rows, column))
  let deletion: Deletion | null = null
  let witnessed = false
  let marker: Marker | null = null
  let cells: readonly Cell[] = []
  let complexDeletions: readonly ComplexDeletion[] = []
  for (const row of rows) {
    deletion = strongerDeletion(deletion, row.deletion)
    if (!hasContext(row, shape, context)) continue
    if (findCell(row, shape.witness) !== null) witnessed = true
    if (row.marker !== null && (marker === null || compareMarkers(row.marker, marker) > 0)) marker = row.marker
    complexDeletions = mergeComplexDeletions(complexDeletions, row.complexDeletions)
    cells = mergeCells(cells, row.cells)
  }
  const standing = context.filter((cell) => cell !== null && !removes(deletion, cell.timestampHigh, cell.timestampLow)) as Cell[]
  // The witness says that this context matched the key; D may have taken a cell of it since.
  const matches = witnessed && standing.length === context.length
  if (!matches) return { ...first, marker: null, deletion, complexDeletions: [], cells: standing }
  const others = cells.filter((cell) => cell.column !== shape.witness)
  const merged = mergeRows([{ ...first, marker, deletion, complexDeletions, cells: others }], null)
  const kept = merged?.cells ?? []
  const keptMarker = merged?.marker ?? null
  return {
    ...first,
    marker: keptMarker,
    deletion,
    complexDeletions: merged?.complexDeletions ?? [],
    cells: [...kept, witnessCell(shape, kept, keptMarker)].sort(compareCellPlaces),
  }
}

function greatestCell(rows: readonly Row[], column: ColumnId): Cell | null {
  let greatest: Cell | null = null
  for (const row of rows) {
    const cell = findCell(row, column)
    if (cell !== null && (greatest === null || compareCells(cell, greatest) > 0)) greatest = cell
  }
  return greatest
}

/** Whether the row's context is exactly this one: every cell with its timestamp, kind and expiry, not only its value. */
function hasContext(row: Row, shape: ViewShape, context: readonly (Cell | null)[]): boolean {
  return shape.contextColumns.every((column, index) => {
    const cell = findCell(row, column)
    const wanted = context[index] as Cell | null
    return cell === null || wanted === null ? cell === wanted : compareCells(cell, wanted) === 0
  })
}

/** Whether the entry carries the witness. Digests of views leave masks out. */
export function isWitnessed(view: TableSchema, entry: Row): boolean {
  return findCell(entry, viewShape(view).witness) !== null
}

/** Whether readers see the entry at `viewKey`. REQUIRES: the entry is merged. */
export function entryVisible(view: TableSchema, entry: Row, viewKey: readonly Uint8Array[], nowSeconds: number): boolean {
  const shape = viewShape(view)
  if (findCell(entry, shape.witness) === null) return false
  for (const { contextColumn, keyIndex } of shape.newKeys) {
    const value = liveValue(entry, contextColumn, nowSeconds)
    if (value === null || Buffer.compare(value, viewKey[keyIndex] as Uint8Array) !== 0) return false
  }
  for (const filter of shape.filters) {
    const value = filter.contextColumn >= 0 ? liveValue(entry, filter.contextColumn, nowSeconds) : (viewKey[filter.keyIndex] as Uint8Array)
    if (value === null || !filter.accepts(value)) return false
  }
  if (shape.newKeys.length > 0 || isLiveMarker(entry.marker, nowSeconds)) return true
  return entry.cells.some((cell) => cell.column !== shape.witness && isLiveCell(cell, nowSeconds))
}

function liveValue(entry: Row, column: ColumnId, nowSeconds: number): Uint8Array | null {
  const cell = findCell(entry, column)
  return cell !== null && isLiveCell(cell, nowSeconds) ? cell.value : null
}

/**
 * What readers see of the entry: an ordinary live row with a marker and the live cells of the selected columns, or null.
 * REQUIRES: the entry is merged.
 */
export function visibleRow(view: TableSchema, entry: Row, viewKey: readonly Uint8Array[], nowSeconds: number): Row | null {
  if (!entryVisible(view, entry, viewKey, nowSeconds)) return null
  const shape = viewShape(view)
  const witness = findCell(entry, shape.witness) as Cell
  return {
    isStatic: false,
    clustering: entry.clustering,
    // The row is there whatever its cells say.
    marker: { timestampHigh: witness.timestampHigh, timestampLow: witness.timestampLow, ttlSeconds: 0, expiresAt: 0 },
    deletion: null,
    complexDeletions: [],
    cells: entry.cells.filter((cell) => shape.selectedColumns.has(cell.column) && isLiveCell(cell, nowSeconds)),
  }
}
