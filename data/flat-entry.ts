// View entries of usual rows on usual views, without an object per cell: what keysToNotify and projectEntry of view-entry.ts
// do, on FlatRows. The rules are explained there; a property test holds the two to the same bytes.
//
// Usual: no filter, at most one new key column (CQL allows no other), no collections in the row. `flatViewsOf` says which
// tables have only such views.
//
// A key of such a view is the base row's primary key in another order, and the value of one cell. So keys are compared by
// that cell's value alone, and are named by a FlatRow and the index of its cell.
import { Buffer } from "../runtime/pure.ts"
import { type ByteWriter, CorruptionError } from "./bytes.ts"
import { FlatRow, compareStamps, compareValues } from "./flat-row.ts"
import { HEADER_BYTES, endFlatItem } from "./flat-row-format.ts"
import type { MutationWriter } from "./mutation.ts"
import { murmur3Token } from "./murmur3.ts"
import { MAX_KEY_SIZE } from "./partition-key.ts"
import { CELL_KIND } from "./row.ts"
import type { ColumnId, TableSchema } from "./schema.ts"
import { type Projection, viewShape } from "./view-shape.ts"

export interface FlatView {
  readonly view: TableSchema
  /** For every key column of the view: its index in the base's primary key; -1: the new key column. */
  readonly parts: readonly number[]
  readonly partitionParts: number
  /** -1: none. */
  readonly newKey: ColumnId
  readonly projections: readonly Projection[]
  readonly contextProjections: readonly Projection[]
  readonly witness: ColumnId
}

const flatViews = new WeakMap<TableSchema, readonly FlatView[] | null>()

/** The views of a base table in this form; null when one of them is not usual. */
export function flatViewsOf(base: TableSchema): readonly FlatView[] | null {
  let views = flatViews.get(base)
  if (views === undefined) {
    const made = base.views.map((view) => makeFlatView(base, view))
    views = made.includes(null) ? null : (made as FlatView[])
    flatViews.set(base, views)
  }
  return views
}

/** Null when the view is not usual. */
export function flatViewOf(base: TableSchema, view: TableSchema): FlatView | null {
  const usual = flatViewsOf(base)
  if (usual !== null) for (const each of usual) if (each.view === view) return each
  return makeFlatView(base, view)
}

function makeFlatView(base: TableSchema, view: TableSchema): FlatView | null {
  const shape = viewShape(view)
  if (shape.filters.length > 0 || shape.newKeys.length > 1) return null
  const parts = shape.keyColumns.map((id) => {
    const column = base.columnById[id]
    return column?.kind === "partition_key" ? column.position : column?.kind === "clustering" ? base.partitionKey.length + column.position : -1
  })
  if (parts.filter((part) => part < 0).length !== shape.newKeys.length) return null
  return {
    view, parts, partitionParts: shape.partitionColumns, newKey: shape.newKeys[0]?.baseColumn ?? -1,
    projections: shape.projections, contextProjections: shape.contextProjections, witness: shape.witness,
  }
}

/** Where the values of a base row's primary key lie. Filled again for each row. */
export class KeyParts {
  /** Of the partition key's values, and of the clustering's. */
  partition: Buffer = Buffer.alloc(0)
  clustering: Buffer = Buffer.alloc(0)
  #partitionParts = 0
  readonly #starts: number[] = []
  readonly #ends: number[] = []

  /** The partition key is `key[from, to)`, the clustering that of `row`. Throws CorruptionError. */
  set(base: TableSchema, key: Buffer, from: number, to: number, row: FlatRow): void {
    this.partition = key
    this.clustering = row.clusteringIn
    this.#partitionParts = base.partitionKey.length
    let parts = 0
    if (this.#partitionParts === 1) {
      this.#starts[0] = from
      this.#ends[0] = to
      parts = 1
    } else {
      for (let at = from; parts < this.#partitionParts; parts++) {
        const size = key.readUInt16BE(at)
        this.#starts[parts] = at + 2
        this.#ends[parts] = at + 2 + size
        at += size + 3
        if (at > to) throw new CorruptionError(`component ${parts} of a partition key ends beyond it`, at)
      }
    }
    const wanted = parts + base.clustering.length
    for (let at = row.clusteringStart; parts < wanted; parts++) {
      const size = at + 4 <= row.clusteringEnd ? this.clustering.readInt32BE(at) : -1
      if (size < 0 || at + 4 + size > row.clusteringEnd) throw new CorruptionError(`expected ${base.clustering.length} clustering values`, at)
      this.#starts[parts] = at + 4
      this.#ends[parts] = at + 4 + size
      at += 4 + size
    }
  }

  bytes(part: number): Buffer {
    return part < this.#partitionParts ? this.partition : this.clustering
  }
  start(part: number): number {
    return this.#starts[part] as number
  }
  end(part: number): number {
    return this.#ends[part] as number
  }
}

/** The view keys that must hear of one write: at most three, all different. A key is a row and its cell of the new key column; (row, -1) without one. */
export class KeysToNotify {
  count = 0
  readonly rows: FlatRow[] = []
  readonly cells: number[] = []

  /** As keysToNotify of view-entry.ts. */
  find(view: FlatView, parts: KeyParts, existing: FlatRow | null, incoming: FlatRow, merged: FlatRow): void {
    this.count = 0
    if (view.newKey < 0) {
      if (fits(view, parts, merged, -1)) this.#add(merged, -1)
      return
    }
    if (existing !== null) this.#addValue(view, parts, existing, true)
    this.#addValue(view, parts, merged, true)
    // The incoming key is told even if it loses, or a deletion covers it (rule L).
    this.#addValue(view, parts, incoming, false)
  }

  #addValue(view: FlatView, parts: KeyParts, row: FlatRow, underDeletion: boolean): void {
    const cell = row.find(view.newKey, 0)
    if (cell < 0 || row.kinds[cell] === CELL_KIND.tombstone || (underDeletion && row.removes(cell))) return
    for (let index = 0; index < this.count; index++) if (compareValues(this.rows[index] as FlatRow, this.cells[index] as number, row, cell) === 0) return
    if (fits(view, parts, row, cell)) this.#add(row, cell)
  }

  #add(row: FlatRow, cell: number): void {
    this.rows[this.count] = row
    this.cells[this.count++] = cell
  }
}

/** False when the key is too long to be one: see viewKeyExcess. */
function fits(view: FlatView, parts: KeyParts, row: FlatRow, cell: number): boolean {
  let partition = 0
  let clustering = 0
  for (let index = 0; index < view.parts.length; index++) {
    const part = view.parts[index] as number
    const size = part < 0 ? (row.ends[cell] as number) - (row.starts[cell] as number) : parts.end(part) - parts.start(part)
    if (index < view.partitionParts) partition += view.partitionParts === 1 ? size : size + 3
    else clustering += size + 4
  }
  return partition <= MAX_KEY_SIZE && clustering <= MAX_KEY_SIZE
}

/** Writes entries. One for all views of a node: what it holds between calls is scratch. */
export class FlatEntryWriter {
  readonly #entry = new FlatRow()
  /** A partition key of several columns. */
  #scratch = Buffer.allocUnsafe(256)
  /** The view's partition key of the last `locate`: keyBytes[keyStart, keyEnd). */
  #keyBytes: Buffer = this.#scratch
  #keyStart = 0
  #keyEnd = 0

  /** As `locate`, and sets murmur3.ts's tokenHigh and tokenLow to the key's token. */
  place(view: FlatView, parts: KeyParts, row: FlatRow, cell: number): void {
    this.locate(view, parts, row, cell)
    murmur3Token(this.#keyBytes, this.#keyStart, this.#keyEnd - this.#keyStart)
  }

  /** Takes the view key (row, cell) for the next `write`. */
  locate(view: FlatView, parts: KeyParts, row: FlatRow, cell: number): void {
    if (view.partitionParts === 1) {
      const part = view.parts[0] as number
      this.#keyBytes = part < 0 ? (row.sources[cell] as Buffer) : parts.bytes(part)
      this.#keyStart = part < 0 ? (row.starts[cell] as number) : parts.start(part)
      this.#keyEnd = part < 0 ? (row.ends[cell] as number) : parts.end(part)
    } else {
      this.#joinKey(view, parts, row, cell)
    }
  }

  #joinKey(view: FlatView, parts: KeyParts, row: FlatRow, cell: number): void {
    if (this.#scratch.length < MAX_KEY_SIZE) this.#scratch = Buffer.allocUnsafe(MAX_KEY_SIZE)
    const key = this.#scratch
    let at = 0
    for (let index = 0; index < view.partitionParts; index++) {
      const part = view.parts[index] as number
      const source = part < 0 ? (row.sources[cell] as Buffer) : parts.bytes(part)
      const start = part < 0 ? (row.starts[cell] as number) : parts.start(part)
      const end = part < 0 ? (row.ends[cell] as number) : parts.end(part)
      at = key.writeUInt16BE(end - start, at)
      at += source.copy(key, at, start, end)
      key[at++] = 0
    }
    this.#keyBytes = key
    this.#keyStart = 0
    this.#keyEnd = at
  }

  /** Writes the mutation of the entry that `merged` makes at the key (row, cell), which was given to `place` or `locate` last. */
  write(writer: MutationWriter, view: FlatView, parts: KeyParts, row: FlatRow, cell: number, merged: FlatRow, tokenHigh: number, tokenLow: number): void {
    writer.beginWithToken(this.#keyBytes, this.#keyStart, this.#keyEnd, tokenHigh, tokenLow)
    writer.beginUpdate(view.view.id)
    const at = writer.beginItem()
    writer.out.grow(HEADER_BYTES)
    for (let index = view.partitionParts; index < view.parts.length; index++) writeValue(writer.out, view.parts[index] as number, parts, row, cell)
    this.#project(view, row, cell, merged)
    endFlatItem(this.#entry, writer.out, at)
    writer.endUpdate()
    writer.end()
  }

  /** As projectEntry of view-entry.ts. `merged` is normal: its deletion removes nothing of it. */
  #project(view: FlatView, row: FlatRow, cell: number, merged: FlatRow): void {
    const entry = this.#entry
    entry.clear(merged.clusteringIn, 0, 0)
    if (merged.hasDeletion) entry.setDeletion(merged.deletionHigh, merged.deletionLow, merged.deletionTime)
    const matches = isAt(view, row, cell, merged)
    const projections = matches ? view.projections : view.contextProjections
    let hint = 0
    for (let index = 0; index < projections.length; index++) {
      const { base, view: column, isVirtual } = projections[index] as Projection
      const found = merged.find(base, hint)
      if (found < 0) continue
      entry.add(merged, found, column, isVirtual)
      hint = found + 1
    }
    if (!matches) return
    if (view.newKey < 0 && merged.hasMarker) entry.setMarker(merged.markerHigh, merged.markerLow, merged.markerTtl, merged.markerExpiresAt)
    insertWitness(entry, view.witness)
  }
}

/** Whether the row is at the key. */
function isAt(view: FlatView, row: FlatRow, cell: number, merged: FlatRow): boolean {
  if (view.newKey < 0) return true
  const own = merged.find(view.newKey, 0)
  if (own < 0 || merged.kinds[own] === CELL_KIND.tombstone) return false
  return (row === merged && own === cell) || compareValues(merged, own, row, cell) === 0
}

/** With the greatest timestamp of the entry, so that an entry of a simple row is a simple row. */
function insertWitness(entry: FlatRow, column: ColumnId): void {
  let high = entry.hasMarker ? entry.markerHigh : -0x80000000
  let low = entry.hasMarker ? entry.markerLow : 0
  if (!entry.hasMarker && entry.count === 0) high = 0
  for (let index = 0; index < entry.count; index++) {
    if (compareStamps(entry.highs[index] as number, entry.lows[index] as number, high, low) <= 0) continue
    high = entry.highs[index] as number
    low = entry.lows[index] as number
  }
  entry.insertEmpty(column, high, low)
}

/** One value of a key as protocol [bytes]. */
export function writeValue(out: ByteWriter, part: number, parts: KeyParts, row: FlatRow, cell: number): void {
  const source = part < 0 ? (row.sources[cell] as Buffer) : parts.bytes(part)
  const start = part < 0 ? (row.starts[cell] as number) : parts.start(part)
  const end = part < 0 ? (row.ends[cell] as number) : parts.end(part)
  out.uint32(end - start)
  out.copy(source, start, end)
}
