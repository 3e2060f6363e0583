// A view's descriptor in the form that deriving and merging entries work with, made once per view.
import { Buffer, assert } from "../runtime/pure.ts"
import { unpackCollection } from "./types/collections.ts"
import type { ColumnId, TableSchema, ViewFilter } from "./schema.ts"
import type { ValueComparator } from "./types/operations.ts"
import { compareValues } from "./types/type-operations.ts"

/** One condition of the WHERE clause beyond IS NOT NULL. */
export interface FilterShape {
  readonly baseColumn: ColumnId
  /** Index in the view's key of a column that the view's key holds; -1 otherwise: then `contextColumn` holds it. */
  readonly keyIndex: number
  readonly contextColumn: ColumnId
  accepts(value: Uint8Array): boolean
}

/** A K+ column: a regular column of the base in the view's key. */
export interface NewKeyShape {
  readonly baseColumn: ColumnId
  readonly keyIndex: number
  readonly contextColumn: ColumnId
}

/** What becomes of a base column's cell: a cell of the view's column; `isVirtual`: without its value. */
export interface Projection {
  readonly base: ColumnId
  readonly view: ColumnId
  readonly isVirtual: boolean
}

export interface ViewShape {
  /** For every key column of the view, in key order, the base column it holds. */
  readonly keyColumns: readonly ColumnId[]
  /** How many of them make the view's partition key. */
  readonly partitionColumns: number
  readonly newKeys: readonly NewKeyShape[]
  readonly filters: readonly FilterShape[]
  /** Base column to view column. */
  readonly contextOf: ReadonlyMap<ColumnId, ColumnId>
  readonly selectedOf: ReadonlyMap<ColumnId, ColumnId>
  readonly virtualOf: ReadonlyMap<ColumnId, ColumnId>
  /** View columns that hold the context, ascending. */
  readonly contextColumns: readonly ColumnId[]
  /** View columns that readers see. */
  readonly selectedColumns: ReadonlySet<ColumnId>
  readonly witness: ColumnId
  /** All projections of an entry, and those of a mask (the context's); both by view column. */
  readonly projections: readonly Projection[]
  readonly contextProjections: readonly Projection[]
}

const shapes = new WeakMap<TableSchema, ViewShape>()

/** REQUIRES: `view` is a view. */
export function viewShape(view: TableSchema): ViewShape {
  let shape = shapes.get(view)
  if (shape === undefined) {
    shape = buildShape(view)
    shapes.set(view, shape)
  }
  return shape
}

function buildShape(view: TableSchema): ViewShape {
  const descriptor = view.view
  assert(descriptor !== null, `${view.keyspace}.${view.name} is a view`)
  const contextOf = columnMap(descriptor.context)
  const contextProjections = projectionsOf(descriptor.context, false)
  return {
    contextProjections,
    projections: [...contextProjections, ...projectionsOf(descriptor.selected, false), ...projectionsOf(descriptor.virtual, true)].toSorted(byViewColumn),
    keyColumns: descriptor.keyColumns,
    partitionColumns: view.partitionKey.length,
    newKeys: descriptor.newKeyColumns.map((baseColumn) => {
      const contextColumn = contextOf.get(baseColumn)
      assert(contextColumn !== undefined, "every new key column is in the context")
      return { baseColumn, keyIndex: descriptor.keyColumns.indexOf(baseColumn), contextColumn }
    }),
    filters: descriptor.filters.map((filter) => filterShape(view, filter, descriptor.keyColumns, contextOf)),
    contextOf,
    selectedOf: columnMap(descriptor.selected),
    virtualOf: columnMap(descriptor.virtual),
    contextColumns: descriptor.context.map((column) => column.view).toSorted((a, b) => a - b),
    selectedColumns: new Set(descriptor.selected.map((column) => column.view)),
    witness: descriptor.witness,
  }
}

function projectionsOf(pairs: readonly { readonly base: ColumnId; readonly view: ColumnId }[], isVirtual: boolean): Projection[] {
  return pairs.map(({ base, view }) => ({ base, view, isVirtual })).toSorted(byViewColumn)
}

function byViewColumn(a: Projection, b: Projection): number {
  return a.view - b.view
}

function columnMap(pairs: readonly { readonly base: ColumnId; readonly view: ColumnId }[]): ReadonlyMap<ColumnId, ColumnId> {
  return new Map(pairs.map(({ base, view }) => [base, view]))
}

function filterShape(view: TableSchema, filter: ViewFilter, keyColumns: readonly ColumnId[], contextOf: ReadonlyMap<ColumnId, ColumnId>): FilterShape {
  const keyIndex = keyColumns.indexOf(filter.column)
  const contextColumn = contextOf.get(filter.column) ?? -1
  const holder = keyIndex >= 0 ? [...view.partitionKey, ...view.clustering][keyIndex] : view.columnById[contextColumn]
  assert(holder !== undefined && holder !== null, "every filter column is in the key or in the context")
  const compare = compareValues(holder.type)
  const operand = Buffer.from(filter.value, "base64")
  return { baseColumn: filter.column, keyIndex, contextColumn, accepts: condition(filter.operator, compare, operand) }
}

function condition(operator: ViewFilter["operator"], compare: ValueComparator, operand: Buffer): (value: Uint8Array) => boolean {
  const order = (value: Uint8Array): number => compare(value, 0, value.length, operand, 0, operand.length)
  switch (operator) {
    case "IN": {
      const values = unpackCollection(operand)
      return (value) => values.some((each) => compare(value, 0, value.length, each, 0, each.length) === 0)
    }
    case "=":
      return (value) => order(value) === 0
    case "<":
      return (value) => order(value) < 0
    case "<=":
      return (value) => order(value) <= 0
    case ">":
      return (value) => order(value) > 0
    case ">=":
      return (value) => order(value) >= 0
  }
}
