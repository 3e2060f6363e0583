// GROUP BY: columns of the primary key in their order, those restricted by = left out at will, and as the last a function
// of a clustering column that keeps its order, so that groups stay together.
import { Buffer } from "../../runtime/pure.ts"
import type { CqlType } from "../../data/cql-type.ts"
import type { ColumnSchema, TableSchema } from "../../data/schema.ts"
import { typeName } from "../../data/types/type-name.ts"
import { InvalidRequestError } from "../errors.ts"
import { type CqlFunction, type FunctionArgument, type ScalarFunction, qualifiedName } from "../functions/function.ts"
import { resolveFunction } from "../functions/registry.ts"
import type { FunctionNode, Selectable, Term } from "../language/ast-terms.ts"
import { compileTerm } from "../statements/compile-term.ts"
import type { Grouping } from "./select-definition.ts"
import { columnNamed } from "./select-restriction.ts"
import type { WhereClause } from "./select-where.ts"
import { isTerm } from "./selectable.ts"
import { functionSite, inferType, testAssignment } from "../statements/test-assignment.ts"
import { termText } from "../statements/term-text.ts"
import { type TermContext, columnReceiver } from "../statements/term.ts"
import { testType } from "../statements/value-compatibility.ts"

const ORDER = "Group by currently only support groups of columns following their declared order in the PRIMARY KEY"
/** Equal or greater arguments give equal or greater results. */
const MONOTONIC = new Set([
  "floor", "to_date", "todate", "to_timestamp", "totimestamp", "to_unix_timestamp", "tounixtimestamp", "min_timeuuid", "mintimeuuid", "max_timeuuid", "maxtimeuuid",
])

/** Null without GROUP BY. Throws InvalidRequestError. */
export function compileGrouping(table: TableSchema, groupBy: readonly Selectable[], where: WhereClause, context: TermContext): Grouping | null {
  if (groupBy.length === 0) return null
  const key = [...table.partitionKey, ...table.clustering]
  let last: Grouping["last"] = null
  let next = 0
  for (const selectable of groupBy) {
    if (last !== null) throw new InvalidRequestError("Functions are only supported on the last element of the GROUP BY clause")
    const column = groupedColumn(table, selectable)
    if (!key.includes(column)) throw new InvalidRequestError(`Group by is currently only supported on the columns of the PRIMARY KEY, got ${column.name}`)
    while (key[next] !== column) {
      const skipped = key[next++]
      if (skipped === undefined || !isFixed(skipped, where)) throw new InvalidRequestError(ORDER)
    }
    next++
    if (selectable.kind === "function") last = compileFunction(table, selectable, column, context)
  }
  const clusteringColumns = next - table.partitionKey.length
  if (clusteringColumns < 0 && !table.partitionKey.slice(next).every((column) => isFixed(column, where))) {
    throw new InvalidRequestError("Group by is not supported on only a part of the partition key")
  }
  return { clusteringColumns: Math.max(clusteringColumns, 0), last }
}

function groupedColumn(table: TableSchema, selectable: Selectable): ColumnSchema {
  if (selectable.kind === "column") return columnNamed(table, selectable.name)
  const columns = selectable.kind === "function" ? selectable.arguments.filter((argument) => argument.kind === "column") : []
  const [only] = columns
  if (selectable.kind !== "function" || only === undefined || columns.length > 1) throw new InvalidRequestError("Group by currently only supports columns of the PRIMARY KEY")
  const column = columnNamed(table, only.name)
  if (column.kind !== "clustering") throw new InvalidRequestError(`Group by functions are only supported on clustering columns, got ${column.name}`)
  return column
}

/** REQUIRES: one argument is the column. */
function compileFunction(table: TableSchema, node: FunctionNode<Selectable>, column: ColumnSchema, context: TermContext): (value: Buffer) => Uint8Array | null {
  const found = resolveFunction(node.name, node.arguments.map((argument) => describe(argument, column, context)), functionSite(context, null))
  if (found === null) throw new InvalidRequestError(`Unknown function '${node.name.name}'`)
  if (found.kind !== "scalar" || !MONOTONIC.has(found.name)) throw new InvalidRequestError(`Only monotonic functions are supported in the GROUP BY clause. Got: ${signature(found, node)} `)
  const constants = node.arguments.map((argument, index) => (isTerm(argument) ? constantOf(argument, found, index, table, context) : null))
  return (value) => found.execute(constants.map((constant, index) => (isTerm(node.arguments[index] as Selectable) ? constant : value)), context.functions)
}

/** Arguments that are no column are constants. */
function signature(found: CqlFunction, node: FunctionNode<Selectable>): string {
  const types = found.argumentTypes.map((type, index) => typeName(type) + (isTerm(node.arguments[index] as Selectable) ? "(constant)" : ""))
  return `${qualifiedName(found)} : (${types.join(", ")}) -> ${typeName(found.returnType)}`
}

function describe(argument: Selectable, column: ColumnSchema, context: TermContext): FunctionArgument {
  if (isTerm(argument)) return { text: termText(argument), type: inferType(argument, context), test: (type) => testAssignment(argument, type, context) }
  if (argument.kind !== "column") throw new InvalidRequestError("Group by currently only supports columns of the PRIMARY KEY")
  return { text: column.name, type: column.type, test: (type) => testType(column.type, type) }
}

function constantOf(term: Term, found: ScalarFunction, index: number, table: TableSchema, context: TermContext): Buffer | null {
  const name = `arg${index}(${qualifiedName(found).toLowerCase()})`
  const compiled = compileTerm(term, columnReceiver(table, { name, type: found.argumentTypes[index] as CqlType }), context)
  if (compiled.constant === undefined) throw new InvalidRequestError("Group by functions take constants beside their column")
  return compiled.constant === null ? null : Buffer.from(compiled.constant)
}

function isFixed(column: ColumnSchema, where: WhereClause): boolean {
  if (where.fixed.has(column)) return true
  return [...(where.keys ?? []), ...where.filters].some((restriction) => restriction.kind === "eq" && restriction.columns.includes(column))
}
