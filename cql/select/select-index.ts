// Which secondary index serves a restriction, when a SELECT needs ALLOW FILTERING beside it, and what is looked up in it.
//
// 1. Legacy indexes serve = (of a column, of a map's entry) and CONTAINS [KEY]; storage-attached ones also < <= >= > of
//    types that are not compared as whole texts.
// 2. All storage-attached indexes of a table work together; of the others one serves one restriction. What is left over
//    is filtered, which the client must allow.
// 3. One index is looked up, the one whose restriction is likely to leave the fewest rows. All restrictions are compared
//    with the rows that it brings: an index says where to look, no more.
import { Buffer } from "../../runtime/pure.ts"
import { analyze } from "../../data/index-analyzer.ts"
import { KNOWN_TERMS, LONG_TERMS, termPrefix } from "../../data/index-table.ts"
import type { ClusteringSlice, IndexSearch } from "../../data/read-command.ts"
import type { ColumnSchema, IndexPart, IndexSchema, TableSchema } from "../../data/schema.ts"
import { packTuple } from "../../data/types/tuples.ts"
import { compareValues } from "../../data/types/type-operations.ts"
import type { BoundValues } from "../request.ts"
import { filterValue } from "./row-filter.ts"
import type { CollectionCondition, Limit, Restriction } from "./select-restriction.ts"

export type Searchable = Restriction | CollectionCondition

/** What is looked up: bound once a request. */
export interface IndexUse {
  readonly index: IndexSchema
  bind(values: BoundValues): IndexSearch
}

function columnOf(restriction: Searchable): ColumnSchema {
  return "columns" in restriction ? (restriction.columns[0] as ColumnSchema) : restriction.column
}

function partOf(restriction: Searchable): readonly IndexPart[] {
  switch (restriction.kind) {
    case "contains":
      return ["values"]
    case "containsKey":
      return ["keys"]
    case "element":
      return ["entries"]
    default:
      return ["simple", "full"]
  }
}

const LITERALS = new Set(["text", "ascii", "boolean", "uuid"])

/** Whether nothing but equality is looked up: Cassandra's indexes have no order for these types. */
function isLiteral({ termType }: IndexSchema): boolean {
  return termType.kind !== "native" || LITERALS.has(termType.name)
}

function serves(index: IndexSchema, restriction: Searchable): boolean {
  if ("columns" in restriction && restriction.columns.length !== 1) return false
  if (index.column !== columnOf(restriction) || !partOf(restriction).includes(index.descriptor.part)) return false
  if (index.isStorageAttached && index.column.type.kind === "vector") return false
  if (restriction.kind === "in") return false
  return restriction.kind !== "slice" || (index.isStorageAttached && !isLiteral(index))
}

export function indexesFor(table: TableSchema, restriction: Searchable): readonly IndexSchema[] {
  return table.indexes.filter((index) => serves(index, restriction))
}

/** A storage-attached index on the column's values as vectors. */
export function vectorIndex(table: TableSchema, column: ColumnSchema): IndexSchema | null {
  return table.indexes.find((index) => index.isStorageAttached && index.column === column && column.type.kind === "vector") ?? null
}

/** Whether indexes leave nothing to filter. `withVector`: the query also asks a storage-attached index for its order. */
export function coversAll(table: TableSchema, restrictions: readonly Searchable[], withVector: boolean): boolean {
  const served = restrictions.map((restriction) => indexesFor(table, restriction))
  if (served.every((indexes) => indexes.some(({ isStorageAttached }) => isStorageAttached))) return true
  return !withVector && restrictions.length === 1 && (served[0] as readonly IndexSchema[]).length > 0
}

/** Lower is better. */
function rank(restriction: Searchable): number {
  if (restriction.kind === "slice") return 6
  const { kind } = columnOf(restriction)
  if (kind === "partition_key") return 5
  if (kind === "static") return 4
  if (kind === "clustering") return 3
  return restriction.kind === "eq" || restriction.kind === "element" ? 1 : 2
}

/** `isOnePartition`: only lookups of one term are worth it there. Null: read without an index. */
export function chooseIndex(table: TableSchema, restrictions: readonly Searchable[], isOnePartition: boolean): IndexUse | null {
  let best: Searchable | null = null
  for (const restriction of restrictions) {
    if (indexesFor(table, restriction).length === 0 || (isOnePartition && (rank(restriction) > 3 || rank(restriction) === 4))) continue
    if (best === null || rank(restriction) < rank(best)) best = restriction
  }
  if (best === null) return null
  const restriction = best
  const indexes = indexesFor(table, restriction)
  const index = (indexes.find(({ analyzer }) => analyzer === null) ?? indexes[0]) as IndexSchema
  return { index: analyzed(table, restriction) ?? index, bind: (values) => search(analyzed(table, restriction) ?? index, restriction, values) }
}

/** The index whose analyzer decides what is equal; null: values are compared as they are. */
export function analyzed(table: TableSchema, restriction: Searchable): IndexSchema | null {
  return indexesFor(table, restriction).find(({ analyzer }) => analyzer !== null) ?? null
}

function search(index: IndexSchema, restriction: Searchable, values: BoundValues): IndexSearch {
  if (restriction.kind === "slice") return { index, slices: rangeSlices(index, restriction, values), term: null }
  // Copies: bound values go away with the request's buffer.
  const term = Buffer.from(analyze(index, termOf(restriction, values)))
  const prefix = termPrefix(term)
  return { index, slices: [{ start: prefix, startInclusive: true, end: prefix, endInclusive: true }], term }
}

function termOf(restriction: Exclude<Searchable, { kind: "slice" }>, values: BoundValues): Uint8Array {
  switch (restriction.kind) {
    case "eq":
      return restriction.tuple(values, true)[0] as Buffer
    case "in":
      return restriction.tuples(values, true)[0]?.[0] as Buffer
    case "contains":
    case "containsKey":
      return filterValue(restriction.value, restriction.column, values)
    case "element":
      return packTuple([filterValue(restriction.key ?? restriction.value, restriction.column, values, "map key "), filterValue(restriction.value, restriction.column, values, "map value ")])
  }
}

function rangeSlices(index: IndexSchema, { lower, upper }: { readonly lower: Limit | null; readonly upper: Limit | null }, values: BoundValues): ClusteringSlice[] {
  const from = lower === null ? null : (lower.tuple(values, true)[0] as Buffer)
  const to = upper === null ? null : (upper.tuple(values, true)[0] as Buffer)
  // Of long values the index does not know more than that they are there.
  const long: ClusteringSlice = { start: LONG_TERMS, startInclusive: true, end: LONG_TERMS, endInclusive: true }
  if (from !== null && to !== null && compareValues(index.termType)(from, 0, from.length, to, 0, to.length) > 0) return [long]
  return [
    {
      start: from === null ? KNOWN_TERMS : termPrefix(from), startInclusive: lower?.inclusive ?? true,
      end: to === null ? KNOWN_TERMS : termPrefix(to), endInclusive: upper?.inclusive ?? true,
    },
    long,
  ]
}
