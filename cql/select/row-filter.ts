// What ALLOW FILTERING filters by: conditions on the values of a row, tested after the merge. A null satisfies nothing.
import { Buffer, assert } from "../../runtime/pure.ts"
import type { CqlType } from "../../data/cql-type.ts"
import { analyze } from "../../data/index-analyzer.ts"
import type { ColumnSchema, IndexSchema } from "../../data/schema.ts"
import { unpackCollection } from "../../data/types/collections.ts"
import type { ValueComparator } from "../../data/types/operations.ts"
import { compareValues } from "../../data/types/type-operations.ts"
import { InvalidRequestError } from "../errors.ts"
import type { BoundValues } from "../request.ts"
import type { CollectionCondition, Limit, Restriction } from "./select-restriction.ts"
import type { RowReader } from "./select-row-reader.ts"
import { type CompiledTerm, UNSET } from "../statements/term.ts"

/** One bound condition. */
export type RowPredicate = (row: RowReader) => boolean

/** A condition compiled for the slots of a reader; bound once a request. */
export type FilterSource = (values: BoundValues) => RowPredicate

interface Operand {
  readonly slot: number
  readonly compare: ValueComparator
}

/** `slotOf` gives the reader's slot of a column. `analyzer`: the index that says what is equal, or null. */
export function compileFilter(restriction: Restriction, slotOf: (column: ColumnSchema) => number, analyzer: IndexSchema | null = null): FilterSource {
  if (analyzer !== null && restriction.kind === "eq") return compileAnalyzed(restriction, slotOf(analyzer.column), analyzer)
  const operands = restriction.columns.map((column): Operand => ({ slot: slotOf(column), compare: compareValues(column.type) }))
  switch (restriction.kind) {
    case "eq":
      return (values) => {
        const tuple = own(restriction.tuple(values, true))
        return (row) => compareRow(row, operands, tuple) === 0
      }
    case "in":
      return (values) => {
        const tuples = restriction.tuples(values, true).map(own)
        return (row) => tuples.some((tuple) => compareRow(row, operands, tuple) === 0)
      }
    case "slice":
      return (values) => {
        const lower = bindLimit(restriction.lower, values)
        const upper = bindLimit(restriction.upper, values)
        return (row) => withinLimit(row, operands, lower, 1) && withinLimit(row, operands, upper, -1)
      }
  }
}

function compileAnalyzed(restriction: Extract<Restriction, { kind: "eq" }>, slot: number, analyzer: IndexSchema): FilterSource {
  return (values) => {
    const wanted = Buffer.from(analyze(analyzer, restriction.tuple(values, true)[0] as Buffer))
    return (row) => {
      const value = row.value(slot)
      return value !== null && wanted.equals(analyze(analyzer, value))
    }
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

interface BoundLimit {
  readonly inclusive: boolean
  readonly tuple: readonly Buffer[]
}

function bindLimit(limit: Limit | null, values: BoundValues): BoundLimit | null {
  return limit === null ? null : { inclusive: limit.inclusive, tuple: own(limit.tuple(values, true)) }
}

/** Bound values go away with the request's buffer; a filter lives as long as its pages are read. */
function own(tuple: readonly Buffer[]): readonly Buffer[] {
  return tuple.map((value) => Buffer.from(value))
}

function withinLimit(row: RowReader, operands: readonly Operand[], limit: BoundLimit | null, sign: 1 | -1): boolean {
  if (limit === null) return true
  const order = compareRow(row, operands, limit.tuple)
  if (order === null) return false
  return order === 0 ? limit.inclusive : order * sign > 0
}

/** The row's values against the tuple's, column by column; null when one is null. */
function compareRow(row: RowReader, operands: readonly Operand[], tuple: readonly Buffer[]): number | null {
  for (const [index, wanted] of tuple.entries()) {
    const { slot, compare } = operands[index] as Operand
    const length = row.length(slot)
    if (length < 0) return null
    const start = row.start(slot)
    const order = compare(row.source(slot), start, start + length, wanted, 0, wanted.length)
    if (order !== 0) return order
  }
  return 0
}

export function compileCondition(condition: CollectionCondition, slotOf: (column: ColumnSchema) => number, analyzer: IndexSchema | null = null): FilterSource {
  const { column, kind } = condition
  const analyzed = (value: Buffer): Buffer => (analyzer === null ? value : asBuffer(analyze(analyzer, value)))
  const slot = slotOf(column)
  const type = column.type
  assert(type.kind === "list" || type.kind === "set" || type.kind === "map", "a collection")
  const stride = type.kind === "map" ? 2 : 1
  const elementType: CqlType = type.kind === "map" ? (kind === "containsKey" ? type.key : type.value) : type.element
  const equals = equality(elementType)
  const keyEquals = type.kind === "map" ? equality(type.key) : equals
  return (values) => {
    const key = condition.key === null ? null : filterValue(condition.key, column, values, "map key ")
    const wanted = analyzed(filterValue(condition.value, column, values, condition.key === null ? "value " : "map value "))
    return (row) => {
      const value = row.value(slot)
      if (value === null) return false
      const parts = unpackCollection(value)
      for (let at = 0; at < parts.length; at += stride) {
        const element = parts[kind === "containsKey" ? at : at + stride - 1] as Buffer
        if (equals(analyzed(element), wanted) && (key === null || keyEquals(parts[at] as Buffer, key))) return true
      }
      return false
    }
  }
}

function equality(type: CqlType): (a: Buffer, b: Buffer) => boolean {
  const compare = compareValues(type)
  return (a, b) => compare(a, 0, a.length, b, 0, b.length) === 0
}

/** A copy. `what`: of a map's entry, before the word `value`. Throws InvalidRequestError for null and unset. */
export function filterValue(term: CompiledTerm, column: ColumnSchema, values: BoundValues, what = "value "): Buffer {
  const value = term.value(values)
  if (value === null) throw new InvalidRequestError(`Unsupported null ${what}for column ${column.name}`)
  if (value === UNSET) throw new InvalidRequestError(`Unsupported unset ${what}for column ${column.name}`)
  return Buffer.from(value)
}
