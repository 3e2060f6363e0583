// ORDER BY column ANN OF vector LIMIT n: the n rows whose vectors are nearest, by the similarity that the column's index
// names. The answer is exact: every row that the WHERE clause leaves is compared, at the consistency level asked for.
//
// What is bad about it: without another index in the WHERE clause the whole table is read.
import { ByteWriter } from "../../data/bytes.ts"
import { NO_LIMIT } from "../../data/read-command.ts"
import type { ColumnSchema, IndexSchema, TableSchema } from "../../data/schema.ts"
import { type Buffer, assert } from "../../runtime/pure.ts"
import { InvalidRequestError } from "../errors.ts"
import type { Ordering, SelectStatement } from "../language/ast-dml.ts"
import type { BoundValues } from "../request.ts"
import { compileTerm } from "../statements/compile-term.ts"
import { filterValue } from "./row-filter.ts"
import { isFloatVector } from "../schema/index-options.ts"
import { vectorIndex } from "./select-index.ts"
import { columnNamed } from "./select-restriction.ts"
import { type CompiledTerm, type TermContext, columnReceiver } from "../statements/term.ts"

const MAX_LIMIT = 1000

export interface AnnOrder {
  readonly column: ColumnSchema
  readonly index: IndexSchema
  readonly vector: CompiledTerm
}

/** Null when ORDER BY does not say ANN OF. Throws InvalidRequestError. */
export function compileAnn(table: TableSchema, orderBy: readonly Ordering[], context: TermContext): AnnOrder | null {
  const found = orderBy.flatMap(({ column: name, ann, descending }) => {
    if (ann === null) return []
    const column = columnNamed(table, name)
    return [{ column, descending, vector: compileTerm(ann, columnReceiver(table, column), context) }]
  })
  const [first] = found
  if (first === undefined) return null
  if (found.length > 1) throw new InvalidRequestError("Cannot specify more than one ANN ordering")
  if (orderBy.length > 1) throw new InvalidRequestError("ANN ordering does not support any other ordering")
  if (first.descending) throw new InvalidRequestError("Descending ANN ordering is not supported")
  if (!isFloatVector(first.column.type)) throw new InvalidRequestError("ANN ordering is only supported on float vector indexes")
  const index = vectorIndex(table, first.column)
  if (index === null) throw new InvalidRequestError("ANN ordering by vector requires the column to be indexed")
  return { column: first.column, index, vector: first.vector }
}

export function checkTopK(statement: SelectStatement, aggregates: boolean): void {
  if (aggregates) throw new InvalidRequestError("Top-K queries can not be run with aggregation")
  if (statement.perPartitionLimit !== null) throw new InvalidRequestError("Top-K queries do not support per-partition limits")
}

/** Checks LIMIT; returns what the client is warned of. `pageSize` 0: none. */
export function topKWarnings(limit: number, pageSize: number): readonly string[] {
  if (limit === NO_LIMIT) throw new InvalidRequestError("Top-K queries must have a limit specified and the limit must be less than the query page size")
  if (limit > MAX_LIMIT) {
    throw new InvalidRequestError(`Use of ANN OF in an ORDER BY clause requires a LIMIT that is not greater than ${MAX_LIMIT}. LIMIT was ${limit}`)
  }
  if (pageSize <= 0 || pageSize >= limit) return []
  return [
    `Top-K queries do not support paging and the page size is set to ${pageSize}, which is less than LIMIT ${limit}. The page size has been set to ${limit} to match the LIMIT.`,
  ]
}

interface NearRow {
  readonly similarity: number
  readonly from: number
  readonly to: number
}

/** Keeps the rows nearest to a vector. Their bytes lie in a writer that is rewritten when twice as many as needed are in it. */
export class NearestRows {
  out = new ByteWriter(1024)
  readonly #max: number
  readonly #similarity: (value: Buffer) => number | null
  #rows: NearRow[] = []
  /** Of the last row kept when there are `max`. */
  #worst = Number.NEGATIVE_INFINITY
  #found = 0

  constructor(order: AnnOrder, values: BoundValues, max: number) {
    this.#max = max
    this.#similarity = similarityTo(order, filterValue(order.vector, order.column, values))
  }

  /** Whether a row with this vector is to be written to `out` now: then `add` it. Rows that come first stand before equal ones. */
  isNear(vector: Buffer | null): boolean {
    const similarity = vector === null ? null : this.#similarity(vector)
    if (similarity === null || similarity <= this.#worst) return false
    this.#found = similarity
    return true
  }

  add(from: number): void {
    this.#rows.push({ similarity: this.#found, from, to: this.out.length })
    if (this.#rows.length >= 2 * this.#max) this.#prune()
  }

  /** Sorts; returns the number of rows in `out`. */
  finish(): number {
    this.#prune()
    return this.#rows.length
  }

  #prune(): void {
    const sorted = this.#rows.toSorted((a, b) => b.similarity - a.similarity).slice(0, this.#max)
    const out = new ByteWriter(Math.max(this.out.length, 1))
    this.#rows = sorted.map(({ similarity, from, to }) => {
      const start = out.length
      out.copy(this.out.buffer, from, to)
      return { similarity, from: start, to: out.length }
    })
    this.out = out
    if (this.#rows.length === this.#max) this.#worst = this.#rows.at(-1)?.similarity ?? this.#worst
  }
}

/** Null: the vector has no similarity (all zeros and cosine). */
function similarityTo({ index, column }: AnnOrder, wanted: Buffer): (value: Buffer) => number | null {
  assert(column.type.kind === "vector", "a vector column")
  const { dimension } = column.type
  const at = (bytes: Buffer, place: number): number => bytes.readFloatBE(4 * place)
  const sum = (term: (place: number) => number): number => {
    let total = 0
    for (let place = 0; place < dimension; place++) total += term(place)
    return total
  }
  const dot = (a: Buffer, b: Buffer): number => sum((place) => at(a, place) * at(b, place))
  switch ((index.descriptor.options["similarity_function"] ?? "cosine").toLowerCase()) {
    case "euclidean":
      return (value) => 1 / (1 + sum((place) => (at(value, place) - at(wanted, place)) ** 2))
    case "dot_product":
      return (value) => (1 + dot(value, wanted)) / 2
    default: {
      const length = dot(wanted, wanted)
      if (length === 0) throw new InvalidRequestError("Zero and near-zero vectors cannot be indexed or queried with cosine similarity")
      return (value) => {
        const lengths = length * dot(value, value)
        return lengths === 0 ? null : (1 + dot(value, wanted) / Math.sqrt(lengths)) / 2
      }
    }
  }
}
