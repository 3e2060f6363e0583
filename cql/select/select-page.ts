// The rows of one page: filters, limits, projection or aggregation, and the order of rows when it is made afterwards.
import { ByteWriter } from "../../data/bytes.ts"
import { NO_LIMIT } from "../../data/read-command.ts"
import { clusteringStart } from "../../data/row-format.ts"
import type { BoundValues } from "../request.ts"
import type { RowPredicate } from "./row-filter.ts"
import { NearestRows } from "./select-ann.ts"
import { Groups, prefixOf } from "./select-groups.ts"
import { type RowOutput, rowOutput } from "./select-output.ts"
import type { SelectDefinition } from "./select-definition.ts"
import { RowReader } from "./select-row-reader.ts"
import { bindTerms } from "./selection.ts"

/** Writers that grew beyond this are not kept for the next request. */
const KEPT_BYTES = 1 << 20
/** Rows read at least at once when filters may drop most of them. */
const FILTER_ROWS = 1000
/** The same when an index has chosen them. */
const INDEX_ROWS = 32

interface SortedRow {
  readonly prefix: Buffer
  readonly from: number
  readonly to: number
}

export class Page {
  readonly #definition: SelectDefinition
  readonly #output: RowOutput
  readonly #groups: Groups | null
  readonly #filterReader: RowReader | null
  /** Of the vector that rows are ordered by. */
  readonly #vectorReader: RowReader | null
  #nearest: NearestRows | null = null
  #predicates: readonly RowPredicate[] = []
  #out = new ByteWriter(1024)
  #sorted: SortedRow[] = []
  #nowSeconds = 0
  #max = 0
  #perPartitionLimit = NO_LIMIT
  #count = 0
  #taken = 0

  constructor(definition: SelectDefinition) {
    const { table, selection, grouping } = definition
    this.#definition = definition
    this.#output = rowOutput(table, selection)
    const grouped = grouping !== null || selection.aggregates.length > 0
    this.#groups = grouped ? new Groups(table, selection, grouping) : null
    this.#filterReader = definition.filters.length > 0 ? new RowReader(table, definition.filterColumns, false) : null
    this.#vectorReader = definition.ann === null ? null : new RowReader(table, [definition.ann.column], false)
  }

  /** `max`: rows the page may have. */
  start(values: BoundValues, nowSeconds: number, max: number, perPartitionLimit: number): void {
    const { filters, selection, distinct, ann } = this.#definition
    if (this.#out.buffer.length > KEPT_BYTES) this.#out = new ByteWriter(1024)
    this.#out.reset()
    this.#sorted = []
    this.#nowSeconds = nowSeconds
    this.#max = max
    this.#perPartitionLimit = distinct ? 1 : perPartitionLimit
    this.#count = 0
    this.#taken = 0
    this.#predicates = filters.map((filter) => filter(values))
    this.#nearest = ann === null ? null : new NearestRows(ann, values, max)
    const terms = bindTerms(selection, values)
    if (this.#groups === null) this.#output.start(terms, nowSeconds)
    else this.#groups.start(terms, nowSeconds, max, perPartitionLimit)
  }

  get full(): boolean {
    return this.#groups === null && !this.#sorts && this.#count >= this.#max
  }

  /** True when every row that comes gives a row of the page: then limits may be the replicas' business. */
  get takesEveryRow(): boolean {
    return this.#groups === null && this.#filterReader === null
  }

  /** Rows the next command should bring. */
  get wanted(): number {
    if (this.#groups !== null) return NO_LIMIT
    if (this.#nearest !== null) return NO_LIMIT
    if (this.#sorts) return this.#max
    const left = this.#max - this.#count
    return this.#filterReader === null ? left : Math.max(left, this.#definition.where.index === null ? FILTER_ROWS : INDEX_ROWS)
  }

  get takenOfPartition(): number {
    return this.#groups === null ? this.#taken : this.#groups.takenOfPartition
  }

  /** No further row of the partition can be taken. */
  get partitionIsFull(): boolean {
    return this.#groups === null && this.#taken >= this.#perPartitionLimit
  }

  get #sorts(): boolean {
    return this.#definition.sortColumns > 0 || this.#nearest !== null
  }

  /** `taken`: rows (groups) of this partition that were taken before. */
  partition(key: Buffer, taken: number): void {
    this.#filterReader?.partition(key)
    this.#vectorReader?.partition(key)
    if (this.#groups !== null) return this.#groups.partition(key, taken)
    this.#taken = taken
    this.#output.partition(key)
  }

  staticRow(bytes: Buffer, from: number, to: number): void {
    this.#filterReader?.staticRow(bytes, from, to, this.#nowSeconds)
    this.#vectorReader?.staticRow(bytes, from, to, this.#nowSeconds)
    if (this.#groups === null) this.#output.staticRow(bytes, from, to)
    else this.#groups.staticRow(bytes, from, to)
  }

  /** False: the row belongs to the next page. */
  row(bytes: Buffer, from: number): boolean {
    if (this.#filterReader !== null) {
      this.#filterReader.row(bytes, from, this.#nowSeconds)
      if (!this.#passes(this.#filterReader)) return true
    }
    if (this.#nearest !== null) return this.#nearRow(this.#nearest, bytes, from)
    if (this.#groups !== null) return this.#groups.row(bytes, from, this.#out)
    if (this.#taken >= this.#perPartitionLimit) return true
    const start = this.#out.length
    this.#output.row(bytes, from, this.#out)
    if (this.#sorts) this.#sorted.push({ prefix: prefixOf(bytes, clusteringStart(from), this.#definition.sortColumns), from: start, to: this.#out.length })
    this.#count++
    this.#taken++
    return true
  }

  #nearRow(nearest: NearestRows, bytes: Buffer, from: number): boolean {
    const reader = this.#vectorReader as RowReader
    reader.row(bytes, from, this.#nowSeconds)
    if (!nearest.isNear(reader.value(0))) return true
    const start = nearest.out.length
    this.#output.row(bytes, from, nearest.out)
    nearest.add(start)
    return true
  }

  /** The row of a partition that has only a static row. False: it belongs to the next page. */
  staticOnly(): boolean {
    if (this.#filterReader !== null) {
      this.#filterReader.noRow()
      if (!this.#passes(this.#filterReader)) return true
    }
    // A vector belongs to a row.
    if (this.#nearest !== null) return true
    if (this.#groups !== null) return this.#groups.staticOnly(this.#out)
    const start = this.#out.length
    this.#output.staticOnly(this.#out)
    // Sorts before every row, as a clustering of nulls does.
    if (this.#sorts) this.#sorted.push({ prefix: prefixOf(this.#out.buffer, 0, 0), from: start, to: this.#out.length })
    this.#count++
    this.#taken++
    return true
  }

  /** Ends the page; returns its rows. `exhausted`: no row was refused. */
  finish(exhausted: boolean): number {
    if (this.#groups !== null) {
      if (exhausted) this.#groups.finish(this.#out)
      return this.#groups.count
    }
    if (this.#nearest !== null) {
      this.#count = this.#nearest.finish()
      this.#out = this.#nearest.out
    } else if (this.#sorts) this.#sort()
    return this.#count
  }

  /** Valid until the next `start`. */
  rows(): Buffer {
    return this.#out.view()
  }

  #passes(row: RowReader): boolean {
    for (const predicate of this.#predicates) if (!predicate(row)) return false
    return true
  }

  #sort(): void {
    const { table, reversed } = this.#definition
    const sign = reversed ? -1 : 1
    this.#sorted.sort((a, b) => {
      // Byte order of an empty prefix against others: compareClustering would call them equal.
      if (a.prefix.length === 0 || b.prefix.length === 0) return sign * (Math.min(a.prefix.length, 1) - Math.min(b.prefix.length, 1))
      return sign * table.compareClustering(a.prefix, 0, a.prefix.length, b.prefix, 0, b.prefix.length)
    })
    const kept = this.#sorted.slice(0, this.#max)
    const out = new ByteWriter(Math.max(this.#out.length, 1))
    for (const row of kept) out.copy(this.#out.buffer, row.from, row.to)
    this.#out = out
    this.#count = kept.length
  }
}
