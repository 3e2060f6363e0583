// Reads the columns that a SELECT needs from the merged rows that a read delivers.
//
// Every column wanted has a slot. For each row the reader notes where the slot's value lies (buffer, start, length); nothing
// is copied and no object is made per cell as long as the row is SIMPLE. Other rows are decoded, cells that are dead at
// `nowSeconds` are null, and the cells of collections are put together to the collection's serialised form.
//
// Partition key and static row come in calls of their own and stay valid for the rows after them; the static row is copied.
import { Buffer } from "../../runtime/pure.ts"
import { ByteReader, type ByteWriter } from "../../data/bytes.ts"
import { isCounterType, sumOfShards } from "../../data/counters.ts"
import { isMultiCell } from "../../data/cql-type.ts"
import { splitPartitionKey } from "../../data/partition-key.ts"
import { CELL_KIND, type Cell, type Row } from "../../data/row.ts"
import { FLAG, clusteringEnd, clusteringStart, decodeRow, itemFlags, simpleColumnsAt } from "../../data/row-format.ts"
import type { ColumnSchema, TableSchema } from "../../data/schema.ts"
import type { RowValues } from "./select-expression.ts"
import { assembleCollection } from "./select-collections.ts"

const NO_BYTES = Buffer.alloc(0)

export class RowReader implements RowValues {
  readonly columns: readonly ColumnSchema[]
  readonly #keySlots: readonly number[]
  readonly #clusteringSlots: readonly number[]
  readonly #staticSlots: readonly number[]
  readonly #regularSlots: readonly number[]
  /** By column id; -1: not wanted. Statics and regulars only. */
  readonly #slotById: Int16Array
  readonly #keyColumns: number
  readonly #needsCells: boolean

  readonly #sources: Buffer[]
  readonly #starts: Int32Array
  readonly #lengths: Int32Array
  readonly #cells: (readonly Cell[])[]

  /** `needsCells`: `cells` will be asked for. */
  constructor(table: TableSchema, columns: readonly ColumnSchema[], needsCells: boolean) {
    this.columns = columns
    const slotsOf = (kind: ColumnSchema["kind"]): number[] => columns.flatMap((column, slot) => (column.kind === kind ? [slot] : []))
    this.#keySlots = slotsOf("partition_key")
    this.#clusteringSlots = slotsOf("clustering")
    this.#staticSlots = slotsOf("static")
    this.#regularSlots = slotsOf("regular")
    this.#slotById = new Int16Array(table.columnById.length).fill(-1)
    for (const slot of [...this.#staticSlots, ...this.#regularSlots]) this.#slotById[(columns[slot] as ColumnSchema).id] = slot
    this.#keyColumns = table.partitionKey.length
    this.#needsCells = needsCells
    this.#sources = columns.map(() => NO_BYTES)
    this.#starts = new Int32Array(columns.length)
    this.#lengths = new Int32Array(columns.length).fill(-1)
    this.#cells = columns.map(() => [])
  }

  /** Starts a partition: the key's values are known, the static ones null until `staticRow`. REQUIRES: the key stays as it is. */
  partition(key: Uint8Array): void {
    if (this.#keyColumns === 1) {
      for (const slot of this.#keySlots) this.#set(slot, key as Buffer, 0, key.length)
    } else if (this.#keySlots.length > 0) {
      const values = splitPartitionKey(this.#keyColumns, key)
      for (const slot of this.#keySlots) {
        const value = values[(this.columns[slot] as ColumnSchema).position] as Buffer
        this.#set(slot, value, 0, value.length)
      }
    }
    this.#clear(this.#staticSlots)
  }

  staticRow(bytes: Buffer, from: number, to: number, nowSeconds: number): void {
    if (this.#staticSlots.length > 0) this.#load(Buffer.from(bytes.subarray(from, to)), 0, nowSeconds)
  }

  row(bytes: Buffer, from: number, nowSeconds: number): void {
    this.clustering(bytes, from)
    if (this.#regularSlots.length === 0) return
    this.#clear(this.#regularSlots)
    this.#load(bytes, from, nowSeconds)
  }

  /** The row's clustering values only. */
  clustering(bytes: Buffer, from: number): void {
    const slots = this.#clusteringSlots
    if (slots.length === 0) return
    // Slots may ask for clustering columns in any order and more than once: walk the values, serve each asker.
    let at = clusteringStart(from)
    const end = clusteringEnd(bytes, from)
    for (let position = 0; at < end; position++) {
      const length = bytes.readInt32BE(at)
      for (const slot of slots) if ((this.columns[slot] as ColumnSchema).position === position) this.#set(slot, bytes, at + 4, length)
      at += 4 + Math.max(length, 0)
    }
  }

  /** A partition without rows: clustering and regular columns are null. */
  noRow(): void {
    this.#clear(this.#clusteringSlots)
    this.#clear(this.#regularSlots)
  }

  isNull(slot: number): boolean {
    return (this.#lengths[slot] as number) < 0
  }
  /** A view, valid as long as the row is; null when there is no live value. */
  value(slot: number): Buffer | null {
    const length = this.#lengths[slot] as number
    if (length < 0) return null
    const start = this.#starts[slot] as number
    return (this.#sources[slot] as Buffer).subarray(start, start + length)
  }
  source(slot: number): Buffer {
    return this.#sources[slot] as Buffer
  }
  start(slot: number): number {
    return this.#starts[slot] as number
  }
  /** -1: null. */
  length(slot: number): number {
    return this.#lengths[slot] as number
  }
  /** Appends the values of slots [from, to) as [bytes]. */
  append(from: number, to: number, out: ByteWriter): void {
    for (let slot = from; slot < to; slot++) {
      const length = this.#lengths[slot] as number
      out.int32(length)
      if (length <= 0) continue
      const start = this.#starts[slot] as number
      out.copy(this.#sources[slot] as Buffer, start, start + length)
    }
  }
  cells(slot: number): readonly Cell[] {
    return this.#cells[slot] as readonly Cell[]
  }

  #set(slot: number, source: Buffer, start: number, length: number): void {
    this.#sources[slot] = source
    this.#starts[slot] = start
    this.#lengths[slot] = length
  }

  #clear(slots: readonly number[]): void {
    for (const slot of slots) {
      this.#lengths[slot] = -1
      if (this.#needsCells) this.#cells[slot] = []
    }
  }

  #load(bytes: Buffer, from: number, nowSeconds: number): void {
    if ((itemFlags(bytes, from) & FLAG.simple) === 0 || this.#needsCells) this.#loadDecoded(decodeRow(new ByteReader(bytes, from)), nowSeconds)
    else this.#loadSimple(bytes, from)
  }

  #loadSimple(bytes: Buffer, from: number): void {
    let idAt = simpleColumnsAt(bytes, from)
    const count = bytes.readUInt16BE(idAt)
    idAt += 2
    let at = idAt + 2 * count
    for (let index = 0; index < count; index++, idAt += 2) {
      const length = bytes.readInt32BE(at)
      const slot = this.#slotById[bytes.readUInt16BE(idAt)] ?? -1
      if (slot >= 0) this.#set(slot, bytes, at + 4, length)
      at += 4 + length
    }
  }

  #loadDecoded(row: Row, nowSeconds: number): void {
    const cells = row.cells
    for (let index = 0; index < cells.length; ) {
      const column = (cells[index] as Cell).column
      let next = index + 1
      while (next < cells.length && (cells[next] as Cell).column === column) next++
      const slot = this.#slotById[column] ?? -1
      if (slot >= 0) this.#loadCells(slot, cells.slice(index, next), nowSeconds)
      index = next
    }
  }

  #loadCells(slot: number, cells: readonly Cell[], nowSeconds: number): void {
    const live = cells.filter((cell) => cell.kind === CELL_KIND.plain || (cell.kind === CELL_KIND.expiring && cell.expiresAt > nowSeconds))
    if (this.#needsCells) this.#cells[slot] = live
    const first = live[0]
    if (first === undefined) return
    const type = (this.columns[slot] as ColumnSchema).type
    const value = isMultiCell(type) ? assembleCollection(type, live) : isCounterType(type) ? sumOfShards(live) : Buffer.from(first.value as Uint8Array)
    this.#set(slot, value, 0, value.length)
  }
}
