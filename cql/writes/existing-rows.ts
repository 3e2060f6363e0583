// Rows of one partition as they are before a write: what conditions look at, and what operations on lists by index or by
// value start from. Filled as the sink of a read.
import { Buffer } from "../../runtime/pure.ts"
import { ByteReader } from "../../data/bytes.ts"
import { isMultiCell } from "../../data/cql-type.ts"
import type { RowSink } from "../../data/local-store.ts"
import type { ReadCommand } from "../../data/read-command.ts"
import { NO_LIMIT } from "../../data/read-command.ts"
import { isLiveCell } from "../../data/reconcile.ts"
import type { Cell, Row } from "../../data/row.ts"
import { decodeRow } from "../../data/row-format.ts"
import type { ColumnSchema, TableSchema } from "../../data/schema.ts"
import { tokenOf } from "../../data/token.ts"
import { nativeType } from "../../data/types/type-name.ts"
import { assembleCollection, sortByPath } from "../select/select-collections.ts"

/** One row, or the static row, that has something alive. */
export class ExistingRow {
  readonly clustering: Uint8Array
  /** Merged, but not without what is dead in it. */
  readonly row: Row
  readonly #nowSeconds: number

  constructor(row: Row, nowSeconds: number) {
    this.clustering = row.clustering
    this.row = row
    this.#nowSeconds = nowSeconds
  }

  /** The live cells of a static or regular column; those of a list in its order. */
  cells(column: ColumnSchema): readonly Cell[] {
    const cells = this.row.cells.filter((cell) => cell.column === column.id && isLiveCell(cell, this.#nowSeconds))
    return column.type.kind === "list" && isMultiCell(column.type) && cells.length > 0 ? sortByPath(nativeType("timeuuid"), cells) : cells
  }

  /** The serialised value; null when there is none. */
  value(column: ColumnSchema): Buffer | null {
    const cells = this.cells(column)
    const first = cells[0]
    if (first === undefined) return null
    return isMultiCell(column.type) ? assembleCollection(column.type, cells) : Buffer.from(first.value as Uint8Array)
  }
}

export class ExistingRows implements RowSink {
  /** Null: no static column has a value. */
  statics: ExistingRow | null = null
  /** Live rows in clustering order. */
  readonly rows: ExistingRow[] = []
  readonly #byClustering = new Map<string, ExistingRow>()
  readonly #nowSeconds: number

  constructor(nowSeconds: number) {
    this.#nowSeconds = nowSeconds
  }

  row(bytes: Uint8Array, from: number, to: number, live: boolean): boolean {
    if (!live) return true
    const row = decodeRow(new ByteReader(Buffer.from(bytes.subarray(from, to))))
    const existing = new ExistingRow(row, this.#nowSeconds)
    if (row.isStatic) this.statics = existing
    else {
      this.rows.push(existing)
      this.#byClustering.set(nameOf(row.clustering), existing)
    }
    return true
  }
  partition(): void {}
  rangeTombstone(): void {}
  partitionEnd(): void {}

  /** The live row at an encoded clustering. */
  at(clustering: Uint8Array): ExistingRow | null {
    return this.#byClustering.get(nameOf(clustering)) ?? null
  }
}

export function nameOf(clustering: Uint8Array): string {
  return Buffer.from(clustering.buffer, clustering.byteOffset, clustering.byteLength).toString("latin1")
}

/**
 * Reads the rows at `clusterings` (encoded, in any order) of one partition, and its static row; without clusterings the first
 * live row, which tells whether the partition is there at all.
 */
export function rowsCommand(table: TableSchema, key: Buffer, clusterings: readonly Uint8Array[], nowSeconds: number): ReadCommand {
  const sorted = clusterings.toSorted((a, b) => table.compareClustering(a, 0, a.length, b, 0, b.length))
  const distinct = sorted.filter((clustering, index) => index === 0 || nameOf(sorted[index - 1] as Uint8Array) !== nameOf(clustering))
  const slices = distinct.map((clustering) => ({ start: clustering, startInclusive: true, end: clustering, endInclusive: true }))
  return {
    table, nowSeconds, target: { kind: "partition", token: tokenOf(key), key }, slices: table.clustering.length === 0 || slices.length === 0 ? null : slices,
    reversed: false, limit: slices.length === 0 ? 1 : NO_LIMIT, perPartitionLimit: NO_LIMIT, after: null,
  }
}
