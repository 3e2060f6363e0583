// What a statement writes into a row (or a static row), collected operation by operation: cells and complex deletions,
// without the clustering, because the same content may go to several rows.
import { Buffer } from "../../runtime/pure.ts"
import { countBytes, countOf } from "../../data/counters.ts"
import { compareCellPlaces, compareCells, removes } from "../../data/reconcile.ts"
import { CELL_KIND, type Cell, type ComplexDeletion, type Deletion, type Marker, type Row } from "../../data/row.ts"
import type { WriteTime } from "./write-attributes.ts"

const NO_CLUSTERING = Buffer.alloc(0)

export class RowDraft {
  readonly time: WriteTime
  readonly #cells: Cell[] = []
  readonly #complexDeletions: ComplexDeletion[] = []

  constructor(time: WriteTime) {
    this.time = time
  }

  get isEmpty(): boolean {
    return this.#cells.length === 0 && this.#complexDeletions.length === 0
  }

  /** A value, which expires when the statement has a TTL. */
  put(column: number, path: Uint8Array | null, value: Uint8Array): void {
    const { timestampHigh, timestampLow, ttlSeconds, nowSeconds } = this.time
    const kind = ttlSeconds === 0 ? CELL_KIND.plain : CELL_KIND.expiring
    this.#cells.push({ column, path, kind, timestampHigh, timestampLow, ttlSeconds, expiresAt: ttlSeconds === 0 ? 0 : nowSeconds + ttlSeconds, value })
  }

  /** Adds to a counter: to what the statement adds to it already. */
  add(column: number, count: Uint8Array): void {
    const known = this.#cells.findIndex((cell) => cell.column === column && cell.path === null)
    const before = known < 0 ? null : this.#cells.splice(known, 1)[0]
    this.put(column, null, before === undefined || before === null ? count : countBytes(countOf(before.value as Uint8Array) + countOf(count)))
  }

  /** A tombstone. */
  remove(column: number, path: Uint8Array | null): void {
    const { timestampHigh, timestampLow, nowSeconds } = this.time
    this.#cells.push({ column, path, kind: CELL_KIND.tombstone, timestampHigh, timestampLow, ttlSeconds: 0, expiresAt: nowSeconds, value: null })
  }

  /** Removes all elements of a collection or user type. */
  clear(column: number): void {
    this.#complexDeletions.push({ column, deletion: this.deletion() })
  }
  /** As `clear`, but a microsecond earlier: what this statement writes into the column stays. */
  clearBefore(column: number): void {
    const { timestampHigh, timestampLow } = this.time
    const borrow = timestampLow === 0
    const deletion = {
      timestampHigh: borrow ? timestampHigh - 1 : timestampHigh,
      timestampLow: borrow ? 0xffffffff : timestampLow - 1,
      localDeletionTime: this.time.nowSeconds,
    }
    this.#complexDeletions.push({ column, deletion })
  }

  deletion(): Deletion {
    return { timestampHigh: this.time.timestampHigh, timestampLow: this.time.timestampLow, localDeletionTime: this.time.nowSeconds }
  }

  marker(): Marker {
    const { timestampHigh, timestampLow, ttlSeconds, nowSeconds } = this.time
    return { timestampHigh, timestampLow, ttlSeconds, expiresAt: ttlSeconds === 0 ? 0 : nowSeconds + ttlSeconds }
  }

  /** The canonical row of no clustering. */
  build(isStatic: boolean, marker: Marker | null): Row {
    const complexDeletions = this.#complexDeletions
      .toSorted((a, b) => a.column - b.column)
      .filter((item, index, all) => item.column !== all[index - 1]?.column)
    const isRemoved = (cell: Cell): boolean => {
      const complex = complexDeletions.find(({ column }) => column === cell.column)
      return complex !== undefined && removes(complex.deletion, cell.timestampHigh, cell.timestampLow)
    }
    const cells = this.#cells.filter((cell) => !isRemoved(cell)).toSorted((a, b) => compareCellPlaces(a, b) || compareCells(b, a))
    const distinct = cells.filter((cell, index) => index === 0 || compareCellPlaces(cells[index - 1] as Cell, cell) !== 0)
    return { isStatic, clustering: NO_CLUSTERING, marker, deletion: null, complexDeletions, cells: distinct }
  }
}
