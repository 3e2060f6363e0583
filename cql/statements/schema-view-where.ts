// The WHERE clause of CREATE MATERIALIZED VIEW: every column of the view's key must be restricted, other columns only by
// IS NOT NULL. What goes beyond IS NOT NULL becomes a filter of the view.
import type { ColumnSchema, Schema, TableSchema, ViewFilter } from "../../data/schema.ts"
import { packCollection } from "../../data/types/collections.ts"
import type { Buffer } from "../../runtime/pure.ts"
import { InvalidRequestError } from "../errors.ts"
import type { Term } from "../language/ast-terms.ts"
import type { CreateViewStatement } from "../language/ast-schema.ts"
import { BindVariables } from "./bind-variables.ts"
import { compileTerm } from "./compile-term.ts"
import { undefinedColumn } from "./find-table.ts"
import { type ViewRelation, relationText } from "./schema-where-text.ts"
import { columnReceiver } from "./term.ts"

export interface ViewWhere {
  readonly text: string
  /** Names of columns that are compared with a value. */
  readonly filtered: ReadonlySet<string>
  readonly filters: readonly ViewFilter[]
}

/** `keyColumns`: names of the view's primary key columns. Throws InvalidRequestError. */
export function viewWhere(statement: CreateViewStatement, base: TableSchema, keyColumns: readonly string[], schema: Schema, nowMicros: number): ViewWhere {
  const compared = new Set<string>()
  const relations = statement.where.map((relation) => checkedRelation(statement, relation))
  const filters: ViewFilter[] = []
  const filtered = new Set<string>()
  const illegal = new Set<string>()
  const restricted = new Set<string>()
  for (const relation of relations) {
    const column = base.columnByName.get(relation.column)
    if (column === undefined) throw undefinedColumn(relation.column, base)
    restricted.add(column.name)
    if (relation.kind === "isNotNull") continue
    const isEqual = relation.kind === "in" || relation.operator === "="
    if (isEqual ? filtered.has(column.name) : compared.has(column.name)) {
      throw new InvalidRequestError(`${column.name} cannot be restricted by more than one relation if it includes an Equal`)
    }
    if (isEqual) compared.add(column.name)
    if (relation.kind === "in" && column.position < 0) illegal.add(column.name)
    filtered.add(column.name)
    filters.push(viewFilter(relation, base, column, schema, nowMicros))
  }
  const open = keyColumns.filter((name) => !restricted.has(name))
  if (open.length > 0) throw new InvalidRequestError(`Primary key columns ${open.join(", ")} must be restricted with 'IS NOT NULL' or otherwise`)
  for (const name of filtered) if (!keyColumns.includes(name)) illegal.add(name)
  if (illegal.size > 0) {
    throw new InvalidRequestError(`Non-primary key columns can only be restricted with 'IS NOT NULL' (got: ${[...illegal].join(",")} restricted illegally)`)
  }
  return { text: relations.map(relationText).join(" AND "), filtered, filters }
}

function checkedRelation(statement: CreateViewStatement, relation: CreateViewStatement["where"][number]): ViewRelation {
  switch (relation.kind) {
    case "comparison":
    case "isNotNull":
    case "in":
      return relation
    case "token":
      throw new InvalidRequestError("Cannot use token relation when defining a materialized view")
    case "customIndex":
      throw new InvalidRequestError(`WHERE clause for materialized view '${statement.view.name}' cannot contain custom index expressions`)
    case "contains":
    case "like":
    case "element":
    case "tupleComparison":
    case "tupleIn":
      throw new InvalidRequestError("The WHERE clause of a materialized view can only compare single columns with =, <, <=, > and >=, or say IS NOT NULL")
  }
}

function viewFilter(
  relation: Extract<ViewRelation, { kind: "comparison" | "in" }>, base: TableSchema, column: ColumnSchema, schema: Schema, nowMicros: number,
): ViewFilter {
  if (relation.kind === "in") {
    if (relation.values.kind === "marker") throw bindVariables()
    const values = relation.values.values.map((value) => constantOf(value, base, column, schema, nowMicros))
    return { column: column.id, operator: "IN", value: packCollection(values.length, values).toString("base64") }
  }
  const { operator } = relation
  if (operator === "!=") throw new InvalidRequestError(`Unsupported "!=" relation on column ${column.name}`)
  return { column: column.id, operator, value: constantOf(relation.value, base, column, schema, nowMicros).toString("base64") }
}

function bindVariables(): InvalidRequestError {
  return new InvalidRequestError("Bind variables are not allowed in CREATE MATERIALIZED VIEW statements")
}

function constantOf(value: Term, base: TableSchema, column: ColumnSchema, schema: Schema, nowMicros: number): Buffer {
  const variables = new BindVariables()
  const term = compileTerm(value, columnReceiver(base, column), {
    schema,
    keyspace: base.keyspace,
    table: base,
    variables,
    functions: { nowMicros: () => nowMicros, randomBytes: notConstant },
  })
  if (variables.specifications().length > 0) throw bindVariables()
  if (term.constant === undefined) return notConstant()
  if (term.constant === null) throw new InvalidRequestError(`Invalid null value in condition for column ${column.name}`)
  return term.constant
}

function notConstant(): never {
  throw new InvalidRequestError("The WHERE clause of a materialized view can only compare columns with constants")
}
