// Turns the rows of a read into result rows: the [bytes] values of the selected columns, in their order, appended to one
// writer. Null is the length -1.
//
// 1. A SIMPLE row is copied in pieces, as row-shape.ts says for rows with its columns. Most statements meet rows of one shape
//    or a few; the one met last is tried first.
// 2. For any other row the row reader says where each value lies, and they are copied one by one.
import { FLAG, itemFlags } from "../../data/row-format.ts"
import type { ByteWriter } from "../../data/bytes.ts"
import type { ColumnSchema, TableSchema } from "../../data/schema.ts"
import { RowShape } from "./row-shape.ts"
import { RowReader } from "./select-row-reader.ts"

/** Shapes that are remembered. */
const MAX_SHAPES = 16

export class RowProjector {
  readonly reader: RowReader
  readonly #table: TableSchema
  readonly #columns: readonly ColumnSchema[]
  #shape: RowShape | null = null
  readonly #shapes: RowShape[] = []
  /** The one that makes room for a new one. */
  #oldest = 0

  /** `columns` in the order of the result; none of them hidden, each at most once. */
  constructor(table: TableSchema, columns: readonly ColumnSchema[]) {
    this.reader = new RowReader(table, columns, false)
    this.#table = table
    this.#columns = columns
  }

  partition(key: Uint8Array): void {
    this.reader.partition(key)
  }
  staticRow(bytes: Buffer, from: number, to: number, nowSeconds: number): void {
    this.reader.staticRow(bytes, from, to, nowSeconds)
  }

  /** Appends one result row for the row at `bytes[from, ...)`. */
  row(bytes: Buffer, from: number, nowSeconds: number, out: ByteWriter): void {
    if ((itemFlags(bytes, from) & FLAG.simple) !== 0) {
      this.#shapeOf(bytes, from).append(bytes, from, this.reader, out)
      return
    }
    this.reader.row(bytes, from, nowSeconds)
    this.reader.append(0, this.#columns.length, out)
  }

  /** The row is SIMPLE and has all regular columns of the selection. */
  isWhole(bytes: Buffer, from: number): boolean {
    return (itemFlags(bytes, from) & FLAG.simple) !== 0 && this.#shapeOf(bytes, from).isWhole
  }

  /** Appends the result row of a partition that has only a static row. */
  staticOnly(out: ByteWriter): void {
    this.reader.noRow()
    this.reader.append(0, this.#columns.length, out)
  }

  #shapeOf(bytes: Buffer, from: number): RowShape {
    const last = this.#shape
    if (last !== null && last.fits(bytes, from)) return last
    for (const shape of this.#shapes) if (shape.fits(bytes, from)) return (this.#shape = shape)
    const shape = RowShape.of(bytes, from, this.#table, this.#columns)
    if (this.#shapes.length < MAX_SHAPES) this.#shapes.push(shape)
    else {
      this.#shapes[this.#oldest] = shape
      this.#oldest = (this.#oldest + 1) % MAX_SHAPES
    }
    this.#shape = shape
    return shape
  }
}
