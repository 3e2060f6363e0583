import { isCounterTable } from "../../data/counters.ts"
import type { ColumnSchema, TableSchema } from "../../data/schema.ts"
import { InvalidRequestError } from "../errors.ts"
import type { InsertStatement } from "../language/ast-dml.ts"
import type { Term } from "../language/ast-terms.ts"
import { type Conditions, checkConditional } from "./cas-conditions.ts"
import { compileTerm } from "../statements/compile-term.ts"
import { checkCompactInsert, insertMarksRows } from "../schema/compact.ts"
import { SimpleWrite } from "./simple-write.ts"
import { type CompileContext, type TermContext, columnReceiver } from "../statements/term.ts"
import { WriteAttributes } from "./write-attributes.ts"
import type { Operation } from "./write-operation.ts"
import { compileSet } from "./write-operations.ts"
import { ModificationPlan } from "./write-plan.ts"
import { findColumn, findWritableTable, isKeyColumn } from "./write-table.ts"
import { equalTo } from "./write-where.ts"

export function compileInsert(statement: InsertStatement, compileContext: CompileContext): ModificationPlan {
  const table = findWritableTable(statement.table, compileContext)
  if (isCounterTable(table)) throw new InvalidRequestError("INSERT statements are not allowed on counter tables, use UPDATE instead")
  const context: TermContext = { ...compileContext, table }
  if (statement.columns.length !== statement.values.length) throw new InvalidRequestError("Unmatched column names/values")
  const given = new Map<ColumnSchema, Term>()
  const operations: Operation[] = []
  statement.columns.forEach((name, index) => {
    const column = findColumn(table, name)
    if (given.has(column)) throw new InvalidRequestError("The column names contains duplicates")
    const value = statement.values[index] as Term
    given.set(column, value)
    if (!isKeyColumn(column)) operations.push(compileSet(column, value, table, context))
  })
  checkKeyColumns(table, given)
  checkCompactInsert(table, (column) => given.has(column))
  const restrict = (columns: readonly ColumnSchema[]) =>
    columns.filter((column) => given.has(column)).map((column) => equalTo(column, compileTerm(given.get(column) as Term, columnReceiver(table, column), context)))
  const target = { keys: restrict(table.partitionKey), clustering: restrict(table.clustering) }
  const attributes = new WriteAttributes(statement.using, table, context)
  const conditions: Conditions | null = statement.ifNotExists ? { kind: "notExists" } : null
  if (conditions !== null) checkConditional(table, attributes.hasTimestamp)
  const simple = attributes.areDefaults && conditions === null ? SimpleWrite.of(table, target, operations, insertMarksRows(table)) : null
  return new ModificationPlan({ table, target, attributes, operations, marksRows: insertMarksRows(table), deletes: false, simple, conditions }, compileContext.variables)
}

/** All key columns are given; of the clustering columns none may be, when only static columns are written. */
function checkKeyColumns(table: TableSchema, given: ReadonlyMap<ColumnSchema, Term>): void {
  const missing = (columns: readonly ColumnSchema[]): ColumnSchema[] => columns.filter((column) => !given.has(column))
  const names = (columns: readonly ColumnSchema[]): string => columns.map(({ name }) => name).join(", ")
  const keys = missing(table.partitionKey)
  if (keys.length > 0) throw new InvalidRequestError(`Some partition key parts are missing: ${names(keys)}`)
  const clustering = missing(table.clustering)
  if (clustering.length === 0) return
  const columns = [...given.keys()].filter((column) => !isKeyColumn(column))
  const onlyStatics = clustering.length === table.clustering.length && columns.length > 0 && columns.every(({ kind }) => kind === "static")
  if (!onlyStatics) throw new InvalidRequestError(`Some clustering keys are missing: ${names(clustering)}`)
}
