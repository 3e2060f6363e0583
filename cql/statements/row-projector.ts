// Turns the rows of a read into result rows: the [bytes] values of the selected columns, in their order, appended to one
// writer. Null is the length -1.
//
// 1. When the selection's regular columns ascend by id in one run, and a row is SIMPLE with exactly these columns, the
//    whole run is one memcpy out of the row. This is the path of nearly every point read.
// 2. Otherwise the row reader says where each value lies, and they are copied one by one.
import { FLAG, clusteringEnd, clusteringStart, encodeColumnsHeader, itemFlags, itemSize, simpleColumnsAt } from "../../data/row-format.ts"
import type { ByteWriter } from "../../data/bytes.ts"
import type { ColumnSchema, TableSchema } from "../../data/schema.ts"
import { RowReader } from "./select-row-reader.ts"

/** Slots [from, to) whose values lie in the row as the result wants them: all clustering columns, or all regular ones. */
interface Block {
  readonly from: number
  readonly to: number
}

export class RowProjector {
  readonly reader: RowReader
  readonly #count: number
  readonly #clustering: Block | null
  readonly #regulars: Block | null
  /** The columns header that a row must have for its values to be copied as they are. */
  readonly #header: Buffer

  /** `columns` in the order of the result; none of them hidden, each at most once. */
  constructor(table: TableSchema, columns: readonly ColumnSchema[]) {
    this.reader = new RowReader(table, columns, false)
    this.#count = columns.length
    this.#clustering = clusteringBlock(table, columns)
    this.#regulars = regularBlock(columns)
    this.#header = encodeColumnsHeader(this.#regulars === null ? [] : columns.slice(this.#regulars.from, this.#regulars.to).map((column) => column.id))
  }

  partition(key: Uint8Array): void {
    this.reader.partition(key)
  }
  staticRow(bytes: Buffer, from: number, to: number, nowSeconds: number): void {
    this.reader.staticRow(bytes, from, to, nowSeconds)
  }

  /** Appends one result row for the row at `bytes[from, ...)`. */
  row(bytes: Buffer, from: number, nowSeconds: number, out: ByteWriter): void {
    const regulars = this.#regulars
    if (regulars === null || !this.fits(bytes, from)) {
      this.reader.row(bytes, from, nowSeconds)
      this.#copySlots(0, this.#count, out)
      return
    }
    const clustering = this.#clustering
    if (clustering === null) {
      this.reader.clustering(bytes, from)
      this.#copySlots(0, regulars.from, out)
    } else {
      this.#copySlots(0, clustering.from, out)
      out.copy(bytes, clusteringStart(from), clusteringEnd(bytes, from))
      this.#copySlots(clustering.to, regulars.from, out)
    }
    out.copy(bytes, simpleColumnsAt(bytes, from) + this.#header.length, from + itemSize(bytes, from))
    this.#copySlots(regulars.to, this.#count, out)
  }

  /** Appends the result row of a partition that has only a static row. */
  staticOnly(out: ByteWriter): void {
    this.reader.noRow()
    this.#copySlots(0, this.#count, out)
  }

  /** The row is SIMPLE and has exactly the regular columns of the selection. */
  fits(bytes: Buffer, from: number): boolean {
    if ((itemFlags(bytes, from) & FLAG.simple) === 0) return false
    const header = this.#header
    const at = simpleColumnsAt(bytes, from)
    // A loop beats compare() for a few bytes.
    for (let index = 0; index < header.length; index++) if (bytes[at + index] !== header[index]) return false
    return true
  }

  #copySlots(from: number, to: number, out: ByteWriter): void {
    const reader = this.reader
    for (let slot = from; slot < to; slot++) {
      const length = reader.length(slot)
      out.int32(length)
      if (length > 0) out.copy(reader.source(slot), reader.start(slot), reader.start(slot) + length)
    }
  }
}

/** All clustering columns in their order, in front of the regular ones. */
function clusteringBlock(table: TableSchema, columns: readonly ColumnSchema[]): Block | null {
  const from = columns.findIndex((column) => column.kind === "clustering")
  const size = table.clustering.length
  if (from < 0 || columns.filter((column) => column.kind === "clustering").length !== size) return null
  for (let index = 0; index < size; index++) if (columns[from + index] !== table.clustering[index]) return null
  const firstRegular = columns.findIndex((column) => column.kind === "regular")
  return firstRegular >= 0 && firstRegular < from ? null : { from, to: from + size }
}

/** All regular columns of the selection, when they stand together and ascend by id. */
function regularBlock(columns: readonly ColumnSchema[]): Block | null {
  const from = columns.findIndex((column) => column.kind === "regular")
  if (from < 0) return null
  let to = from + 1
  while (columns[to]?.kind === "regular" && (columns[to] as ColumnSchema).id > (columns[to - 1] as ColumnSchema).id) to++
  return columns.slice(to).some((column) => column.kind === "regular") ? null : { from, to }
}
