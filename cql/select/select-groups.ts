// Aggregates and GROUP BY: rows are added to the group at hand; a group is written when a row of another one comes, or at
// the end. Without GROUP BY everything is one group, which is written even when there was no row.
//
// A group's other columns are those of its first row, which is copied.
import { Buffer } from "../../runtime/pure.ts"
import type { ByteWriter } from "../../data/bytes.ts"
import type { Cell } from "../../data/row.ts"
import { clusteringEnd, clusteringStart } from "../../data/row-format.ts"
import type { TableSchema } from "../../data/schema.ts"
import type { Grouping } from "./select-definition.ts"
import type { RowValues, Scope } from "./select-expression.ts"
import { writeRow } from "./select-output.ts"
import { RowReader } from "./select-row-reader.ts"
import type { Selection } from "./selection.ts"

/** What is kept of a group's first row. */
class FirstRow implements RowValues {
  readonly #values: (Buffer | null)[]
  readonly #cells: (readonly Cell[])[]
  constructor(slots: number) {
    this.#values = new Array<Buffer | null>(slots).fill(null)
    this.#cells = new Array<readonly Cell[]>(slots).fill([])
  }
  keep(row: RowReader): void {
    for (let slot = 0; slot < this.#values.length; slot++) {
      const value = row.value(slot)
      this.#values[slot] = value === null ? null : Buffer.from(value)
      this.#cells[slot] = row.cells(slot)
    }
  }
  clear(): void {
    this.#values.fill(null)
    this.#cells.fill([])
  }
  value(slot: number): Buffer | null {
    return this.#values[slot] ?? null
  }
  cells(slot: number): readonly Cell[] {
    return this.#cells[slot] ?? []
  }
}

export class Groups {
  readonly #table: TableSchema
  readonly #selection: Selection
  /** Clustering columns that tell groups apart within a partition; -1: everything is one group. */
  readonly #columns: number
  readonly #last: Grouping["last"]
  readonly #reader: RowReader
  readonly #first: FirstRow
  readonly #scope: Scope
  #max = 0
  #perPartitionLimit = 0
  #open = false
  #key: Buffer = Buffer.alloc(0)
  #groupKey: Buffer | null = null
  #prefix: Buffer = Buffer.alloc(0)
  /** Groups written. */
  count = 0
  /** Groups begun in the partition at hand. */
  takenOfPartition = 0

  constructor(table: TableSchema, selection: Selection, grouping: Grouping | null) {
    this.#table = table
    this.#selection = selection
    this.#columns = grouping?.clusteringColumns ?? -1
    this.#last = grouping?.last ?? null
    this.#reader = new RowReader(table, selection.fetched, selection.needsCells)
    this.#first = new FirstRow(selection.fetched.length)
    this.#scope = { row: this.#reader, terms: [], aggregates: selection.aggregates.map((call) => call.function.newState()), nowSeconds: 0 }
  }

  start(terms: Scope["terms"], nowSeconds: number, max: number, perPartitionLimit: number): void {
    this.#scope.terms = terms
    this.#scope.nowSeconds = nowSeconds
    this.#max = max
    this.#perPartitionLimit = perPartitionLimit
    this.#open = false
    this.#groupKey = null
    this.count = 0
    this.takenOfPartition = 0
    this.#reset()
  }

  /** `taken`: groups of this partition that were begun before. */
  partition(key: Buffer, taken: number): void {
    this.#key = key
    this.takenOfPartition = taken
    this.#reader.partition(key)
  }

  staticRow(bytes: Buffer, from: number, to: number): void {
    this.#reader.staticRow(bytes, from, to, this.#scope.nowSeconds)
  }

  /** False: the row begins a group that the page has no room for; nothing is changed. */
  row(bytes: Buffer, from: number, out: ByteWriter): boolean {
    const start = clusteringStart(from)
    const end = clusteringEnd(bytes, from)
    if (this.#columns >= 0 && !this.#continues(bytes, start, end)) {
      if (!this.#closeBeforeNext(out)) return false
      if (!this.#begin(prefixOf(bytes, start, this.#columns))) return true
    }
    if (this.#columns >= 0 && !this.#open) return true
    this.#reader.row(bytes, from, this.#scope.nowSeconds)
    this.#add()
    return true
  }

  /** As `row`, for a partition that has only a static row. */
  staticOnly(out: ByteWriter): boolean {
    if (this.#columns >= 0) {
      if (!this.#closeBeforeNext(out)) return false
      if (!this.#begin(Buffer.alloc(0))) return true
    }
    this.#reader.noRow()
    this.#add()
    return true
  }

  /** Writes the group at hand. REQUIRES: no row follows. */
  finish(out: ByteWriter): void {
    if (this.#open || this.#columns < 0) this.#write(out)
  }

  #continues(bytes: Buffer, start: number, end: number): boolean {
    if (this.#groupKey === null || !this.#groupKey.equals(this.#key)) return false
    if (this.#columns === 0) return true
    if (this.#last === null) return this.#table.compareClustering(this.#prefix, 0, this.#prefix.length, bytes, start, end) === 0
    const prefix = prefixOf(bytes, start, this.#columns)
    const whole = this.#columns - 1
    const own = prefixOf(this.#prefix, 0, whole)
    if (this.#table.compareClustering(own, 0, own.length, prefix, 0, prefix.length) !== 0) return false
    return equalValues(this.#lastOf(this.#prefix, own.length), this.#lastOf(prefix, prefixOf(prefix, 0, whole).length))
  }

  /** What the function makes of the value at `at`. */
  #lastOf(prefix: Buffer, at: number): Uint8Array | null {
    return this.#last?.(prefix.subarray(at + 4, at + 4 + prefix.readInt32BE(at))) ?? null
  }

  #closeBeforeNext(out: ByteWriter): boolean {
    if (this.#open) this.#write(out)
    return this.count < this.#max
  }

  /** False: the partition has had its share; rows are ignored up to the next group. */
  #begin(prefix: Buffer): boolean {
    this.#groupKey = this.#key
    this.#prefix = prefix
    if (this.takenOfPartition >= this.#perPartitionLimit) return false
    this.takenOfPartition++
    this.#open = true
    return true
  }

  #add(): void {
    this.#scope.row = this.#reader
    if (!this.#hasFirst) {
      this.#first.keep(this.#reader)
      this.#hasFirst = true
    }
    this.#selection.aggregates.forEach((call, index) => {
      this.#scope.aggregates[index]?.add(call.arguments.map((argument) => argument.evaluate(this.#scope)))
    })
  }
  #hasFirst = false

  #write(out: ByteWriter): void {
    this.#scope.row = this.#first
    writeRow(this.#selection.expressions, this.#scope, out)
    this.count++
    this.#open = false
    this.#reset()
  }

  #reset(): void {
    for (const state of this.#scope.aggregates) state.reset()
    this.#first.clear()
    this.#hasFirst = false
  }
}

function equalValues(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : Buffer.compare(a, b) === 0
}

/** The first `columns` values of the clustering at `start`, copied. */
export function prefixOf(bytes: Buffer, start: number, columns: number): Buffer {
  let end = start
  for (let column = 0; column < columns; column++) end += 4 + bytes.readInt32BE(end)
  return Buffer.from(bytes.subarray(start, end))
}
