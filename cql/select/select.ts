// Compiles SELECT: looks the table up, compiles the clauses in Cassandra's order (so that the first of several mistakes
// is the one Cassandra names), and puts the plan together.
import type { ColumnSchema, TableSchema } from "../../data/schema.ts"
import { nativeType } from "../../data/types/type-name.ts"
import { InvalidRequestError } from "../errors.ts"
import type { Ordering, SelectStatement } from "../language/ast-dml.ts"
import type { Term } from "../language/ast-terms.ts"
import { compileTerm } from "../statements/compile-term.ts"
import { EqualValues } from "../statements/equal-values.ts"
import { resultMetadata } from "../statements/result-metadata.ts"
import { compileCondition, compileFilter } from "./row-filter.ts"
import type { Grouping } from "./select-definition.ts"
import { compileGrouping } from "./select-grouping.ts"
import { SelectPlan } from "./select-plan.ts"
import { columnNamed } from "./select-restriction.ts"
import { checkTopK, compileAnn } from "./select-ann.ts"
import { analyzed } from "./select-index.ts"
import { DISTINCT_WHERE, type WhereClause, compileWhere } from "./select-where.ts"
import { type Selection, compileSelection } from "./selection.ts"
import { findTable } from "../statements/find-table.ts"
import type { CompileContext, CompiledTerm, TermContext } from "../statements/term.ts"

/** Throws InvalidRequestError. */
export function compileSelect(statement: SelectStatement, context: CompileContext): SelectPlan {
  const table = findTable(statement.table, context)
  const termContext: TermContext = { ...context, table }
  const selection = compileSelection(table, statement, termContext)
  const selected = selectedColumns(table, selection)
  const { allowFiltering, distinct } = statement
  const ann = compileAnn(table, statement.orderBy, termContext)
  const where = compileWhere(table, statement.where, { allowFiltering, distinct, ann: ann === null ? null : ann.column }, termContext)
  if (where.restrictsClustering && selected.length > 0 && selected.every((column) => column.kind === "static")) {
    throw new InvalidRequestError("Cannot restrict clustering columns when selecting only static columns")
  }
  const grouping = compileGrouping(table, statement.groupBy, where, termContext)
  const aggregates = selection.aggregates.length > 0
  if (ann !== null) checkTopK(statement, aggregates || grouping !== null)
  if (statement.distinct) checkDistinct(table, statement, where, selected, grouping)
  if (aggregates && grouping === null && statement.perPartitionLimit !== null) throw new InvalidRequestError("PER PARTITION LIMIT is not allowed with aggregate queries.")
  const reversed = statement.orderBy.length > 0 && ann === null && compileOrdering(table, statement.orderBy, where)
  const limit = compileLimit(statement.limit, "[limit]", table, termContext)
  const perPartitionLimit = compileLimit(statement.perPartitionLimit, "[per_partition_limit]", table, termContext)

  const filterColumns: ColumnSchema[] = []
  const slotOf = (column: ColumnSchema): number => {
    const slot = filterColumns.indexOf(column)
    return slot >= 0 ? slot : filterColumns.push(column) - 1
  }
  const filters = [
    ...where.filters.map((filter) => compileFilter(filter, slotOf, analyzed(table, filter))),
    ...where.conditions.map((condition) => compileCondition(condition, slotOf, analyzed(table, condition))),
  ]
  return new SelectPlan(
    {
      table, where, selection, reversed, grouping, limit, perPartitionLimit, filters, filterColumns,
      metadata: resultMetadata(selection.columns),
      equalKey: where.keys === null || where.token !== null ? null : EqualValues.of(where.keys),
      equalClustering: where.clustering.length === 0 ? null : EqualValues.of(where.clustering),
      distinct,
      ann,
      sortColumns: ann === null ? sortColumns(table, statement.orderBy, where) : 0,
      showsStaticOnly: !where.restrictsClustering && !where.restrictsRegulars,
      warnings: aggregates || grouping !== null ? aggregationWarnings(where) : [],
    },
    context.variables,
  )
}

/** The columns that the selection reads. */
function selectedColumns(table: TableSchema, selection: Selection): readonly ColumnSchema[] {
  return selection.plain ?? (selection.fetched.length > 0 ? selection.fetched : table.partitionKey)
}

function compileLimit(term: Term | null, name: string, table: TableSchema, context: TermContext): CompiledTerm | null {
  return term === null ? null : compileTerm(term, { keyspace: table.keyspace, table: table.name, name, type: nativeType("int") }, context)
}

function isScan(where: WhereClause): boolean {
  return where.keys === null || where.token !== null
}

function keysAreIn(where: WhereClause): boolean {
  return where.keys !== null && where.keys.some((restriction) => restriction.kind === "in")
}

function aggregationWarnings(where: WhereClause): readonly string[] {
  if (where.keys === null && where.token === null && !where.filters.some((filter) => filter.columns[0]?.kind === "partition_key")) return ["Aggregation query used without partition key"]
  return keysAreIn(where) ? ["Aggregation query used on multiple partition keys (IN restriction)"] : []
}

function checkDistinct(table: TableSchema, statement: SelectStatement, where: WhereClause, selected: readonly ColumnSchema[], grouping: Grouping | null): void {
  if (grouping !== null && grouping.clusteringColumns > 0) throw new InvalidRequestError("Grouping on clustering columns is not allowed for SELECT DISTINCT queries")
  if (statement.perPartitionLimit !== null) throw new InvalidRequestError("PER PARTITION LIMIT is not allowed with SELECT DISTINCT queries")
  if (where.restrictsClustering || where.restrictsRegulars) {
    throw new InvalidRequestError(DISTINCT_WHERE)
  }
  for (const column of selected) {
    if (column.kind !== "partition_key" && column.kind !== "static") {
      throw new InvalidRequestError(`SELECT DISTINCT queries must only request partition key columns and/or static columns (not ${column.name})`)
    }
  }
  if (!isScan(where)) return
  for (const column of table.partitionKey) {
    if (!selected.includes(column)) throw new InvalidRequestError(`SELECT DISTINCT queries must request all the partition key columns (missing ${column.name})`)
  }
}

/** True when rows are read in reverse clustering order. */
function compileOrdering(table: TableSchema, orderBy: readonly Ordering[], where: WhereClause): boolean {
  const orderings = orderBy.map((ordering) => ({ column: columnNamed(table, ordering.column), descending: ordering.descending }))
  if (where.usesIndex) throw new InvalidRequestError("ORDER BY with 2ndary indexes is not supported, except for ANN queries.")
  if (isScan(where)) throw new InvalidRequestError("ORDER BY is only supported when the partition key is restricted by an EQ or an IN.")
  let reversed: boolean | null = null
  let position = 0
  // A column that is named twice counts once, as it was named last.
  for (const { column, descending } of new Map(orderings.map((ordering) => [ordering.column, ordering])).values()) {
    if (column.kind !== "clustering") throw new InvalidRequestError(`Order by is currently only supported on the clustered columns of the PRIMARY KEY, got ${column.name}`)
    while (position !== column.position) {
      const skipped = table.clustering[position++]
      if (skipped === undefined || !where.fixed.has(skipped)) {
        throw new InvalidRequestError("Order by currently only supports the ordering of columns following their declared order in the PRIMARY KEY")
      }
    }
    position++
    const backwards = descending !== column.reversed
    if (reversed !== null && reversed !== backwards) throw new InvalidRequestError("Unsupported order by relation")
    reversed = backwards
  }
  return reversed ?? false
}

function sortColumns(table: TableSchema, orderBy: readonly Ordering[], where: WhereClause): number {
  if (!keysAreIn(where)) return 0
  return Math.max(0, ...orderBy.map((ordering) => columnNamed(table, ordering.column).position + 1))
}
