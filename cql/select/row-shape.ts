// How SIMPLE rows that have the same columns become result rows: worked out once for these columns, then done for row after
// row by copying pieces. What lies together in the row and stands together in the result is one piece: all of it, when
// columns are selected as they are stored.
import { Buffer } from "../../runtime/pure.ts"
import { type ByteWriter, readInt32, readUint16 } from "../../data/bytes.ts"
import { clusteringEnd, clusteringStart, itemSize, simpleColumnsAt } from "../../data/row-format.ts"
import type { ColumnSchema, TableSchema } from "../../data/schema.ts"
import type { RowReader } from "./select-row-reader.ts"

/** A piece: `kind`, then what it says. */
const PIECE = {
  /** Slots [a, b) of the partition: key and static columns. */
  slots: 0,
  /** Clustering values [a, b). */
  clustering: 1,
  /** Values [a, b) of the row. */
  values: 2,
  /** A column that these rows lack. */
  missing: 3,
} as const
const PIECE_INTS = 3

export class RowShape {
  /** Every regular column of the result is there. */
  readonly isWhole: boolean
  /** The columns header of these rows. */
  readonly #header: Buffer
  readonly #pieces: Int32Array
  /** How many values to walk over to know where the pieces are: 0 when they are all values of the row. */
  readonly #walked: number
  readonly #starts: Int32Array
  readonly #clusteringColumns: number

  private constructor(header: Buffer, pieces: readonly number[], clusteringColumns: number) {
    let walked = 0
    let isWhole = true
    const columns = readUint16(header, 0)
    for (let at = 0; at < pieces.length; at += PIECE_INTS) {
      if (pieces[at] === PIECE.missing) isWhole = false
      if (pieces[at] !== PIECE.values) continue
      // A piece that begins with the first value or ends with the last needs no walk for that end.
      const [from, to] = [pieces[at + 1] as number, pieces[at + 2] as number]
      walked = Math.max(walked, to < columns ? to : from)
    }
    this.isWhole = isWhole
    this.#header = header
    this.#pieces = Int32Array.from(pieces)
    this.#walked = walked
    this.#starts = new Int32Array(columns + 1)
    this.#clusteringColumns = clusteringColumns
  }

  /** For rows with the columns of the SIMPLE row `bytes[from, …)`; `columns` are those of the result. */
  static of(bytes: Buffer, from: number, table: TableSchema, columns: readonly ColumnSchema[]): RowShape {
    const at = simpleColumnsAt(bytes, from)
    const header = bytes.subarray(at, at + 2 + 2 * readUint16(bytes, at))
    const ids: number[] = []
    for (let index = 2; index < header.length; index += 2) ids.push(readUint16(header, index))
    const pieces: number[] = []
    columns.forEach((column, slot) => {
      if (column.kind === "clustering") addPiece(pieces, PIECE.clustering, column.position)
      else if (column.kind !== "regular") addPiece(pieces, PIECE.slots, slot)
      else if (ids.includes(column.id)) addPiece(pieces, PIECE.values, ids.indexOf(column.id))
      else pieces.push(PIECE.missing, 0, 0)
    })
    return new RowShape(Buffer.from(header), pieces, table.clustering.length)
  }

  /** Whether the SIMPLE row has these columns. */
  fits(bytes: Buffer, from: number): boolean {
    const header = this.#header
    const at = simpleColumnsAt(bytes, from)
    // A loop beats compare() for a few bytes.
    for (let index = 0; index < header.length; index++) if (bytes[at + index] !== header[index]) return false
    return true
  }

  /** Appends the row's result row. REQUIRES: it fits; `reader` has its partition. */
  append(bytes: Buffer, from: number, reader: RowReader, out: ByteWriter): void {
    const pieces = this.#pieces
    const starts = this.#starts
    let at = simpleColumnsAt(bytes, from) + this.#header.length
    starts[0] = at
    for (let index = 1; index <= this.#walked; index++) {
      at += 4 + readInt32(bytes, at)
      starts[index] = at
    }
    starts[starts.length - 1] = from + itemSize(bytes, from)
    for (let piece = 0; piece < pieces.length; piece += PIECE_INTS) {
      const first = pieces[piece + 1] as number
      const end = pieces[piece + 2] as number
      switch (pieces[piece]) {
        case PIECE.values:
          out.copy(bytes, starts[first] as number, starts[end] as number)
          break
        case PIECE.clustering:
          this.#appendClustering(bytes, from, first, end, out)
          break
        case PIECE.slots:
          reader.append(first, end, out)
          break
        default:
          out.int32(-1)
      }
    }
  }

  #appendClustering(bytes: Buffer, from: number, first: number, end: number, out: ByteWriter): void {
    let start = clusteringStart(from)
    for (let skip = first; skip > 0; skip--) start += 4 + readInt32(bytes, start)
    let to = clusteringEnd(bytes, from)
    if (end < this.#clusteringColumns) {
      to = start
      for (let index = first; index < end; index++) to += 4 + readInt32(bytes, to)
    }
    out.copy(bytes, start, to)
  }
}

/** The piece of one thing, or one more of the piece before. */
function addPiece(pieces: number[], kind: number, index: number): void {
  const last = pieces.length - PIECE_INTS
  if (last >= 0 && pieces[last] === kind && pieces[last + 2] === index) pieces[last + 2] = index + 1
  else pieces.push(kind, index, index + 1)
}
