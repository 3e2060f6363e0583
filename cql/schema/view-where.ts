// The WHERE clause of CREATE MATERIALIZED VIEW: every column of the view's key must be restricted, other columns only by
// IS NOT NULL. What goes beyond IS NOT NULL becomes a filter of the view.
import type { ColumnSchema, Schema, TableSchema, ViewFilter } from "../../data/schema.ts"
import { packCollection } from "../../data/types/collections.ts"
import type { Buffer } from "../../runtime/pure.ts"
import { quoteIdentifier } from "../../data/types/type-name.ts"
import { InvalidRequestError } from "../errors.ts"
import type { FunctionContext } from "../functions/context.ts"
import type { Term } from "../language/ast-terms.ts"
import type { CreateViewStatement } from "../language/ast-schema.ts"
import { BindVariables, NO_VALUES } from "../statements/bind-variables.ts"
import { cqlLiteral } from "../statements/cql-literal.ts"
import { compileTerm } from "../statements/compile-term.ts"
import { undefinedColumn } from "../statements/find-table.ts"
import type { ViewRelation } from "./where-text.ts"
import { UNSET, columnReceiver } from "../statements/term.ts"
import { termText } from "../statements/term-text.ts"

export interface ViewWhere {
  readonly text: string
  /** Names of columns that are compared with a value. */
  readonly filtered: ReadonlySet<string>
  readonly filters: readonly ViewFilter[]
}

/** What values are worked out with. */
export interface WhereScope {
  readonly schema: Schema
  readonly nowMicros: number
  readonly functions: FunctionContext
}

/** `keyColumns`: names of the view's primary key columns. Throws InvalidRequestError. */
export function viewWhere(statement: CreateViewStatement, base: TableSchema, keyColumns: readonly string[], scope: WhereScope): ViewWhere {
  const compared = new Set<string>()
  const relations = statement.where.map((relation) => checkedRelation(statement, relation))
  const filters: ViewFilter[] = []
  const filtered = new Set<string>()
  const texts: string[] = []
  const illegal = new Set<string>()
  const restricted = new Set<string>()
  for (const relation of relations) {
    const column = base.columnByName.get(relation.column)
    if (column === undefined) throw undefinedColumn(relation.column, base)
    restricted.add(column.name)
    if (relation.kind === "isNotNull") {
      texts.push(`${quoteIdentifier(column.name)} IS NOT NULL`)
      continue
    }
    const isEqual = relation.kind === "in" || relation.operator === "="
    if (isEqual ? filtered.has(column.name) : compared.has(column.name)) {
      throw new InvalidRequestError(`${column.name} cannot be restricted by more than one relation if it includes an Equal`)
    }
    if (isEqual) compared.add(column.name)
    if (relation.kind === "in" && column.position < 0) illegal.add(column.name)
    filtered.add(column.name)
    const { filter, text } = viewFilter(relation, base, column, scope)
    filters.push(filter)
    texts.push(text)
  }
  const open = keyColumns.filter((name) => !restricted.has(name))
  if (open.length > 0) throw new InvalidRequestError(`Primary key columns ${open.join(", ")} must be restricted with 'IS NOT NULL' or otherwise`)
  for (const name of filtered) if (!keyColumns.includes(name)) illegal.add(name)
  if (illegal.size > 0) {
    throw new InvalidRequestError(`Non-primary key columns can only be restricted with 'IS NOT NULL' (got: ${[...illegal].join(",")} restricted illegally)`)
  }
  return { text: texts.join(" AND "), filtered, filters }
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

/** The filter, and the relation as the view keeps it. */
function viewFilter(
  relation: Extract<ViewRelation, { kind: "comparison" | "in" }>, base: TableSchema, column: ColumnSchema, scope: WhereScope,
): { readonly filter: ViewFilter; readonly text: string } {
  const name = quoteIdentifier(column.name)
  if (relation.kind === "in") {
    if (relation.values.kind === "marker") throw bindVariables()
    const values = relation.values.values.map((value) => constantOf(value, base, column, scope))
    const packed = packCollection(values.length, values.map(({ bytes }) => bytes)).toString("base64")
    return { filter: { column: column.id, operator: "IN", value: packed }, text: `${name} IN (${values.map(({ text }) => text).join(", ")})` }
  }
  const { operator } = relation
  if (operator === "!=") throw new InvalidRequestError(`Unsupported "!=" relation on column ${column.name}`)
  const { bytes, text } = constantOf(relation.value, base, column, scope)
  return { filter: { column: column.id, operator, value: bytes.toString("base64") }, text: `${name} ${operator} ${text}` }
}

function bindVariables(): InvalidRequestError {
  return new InvalidRequestError("Bind variables are not allowed in CREATE MATERIALIZED VIEW statements")
}

/** What is computed is computed here, once: a view must not change because a function has. */
function constantOf(value: Term, base: TableSchema, column: ColumnSchema, { schema, nowMicros, functions }: WhereScope): { readonly bytes: Buffer; readonly text: string } {
  const variables = new BindVariables()
  let isComputing = false
  const context = { ...functions, nowMicros: () => (isComputing ? notConstant() : nowMicros), randomBytes: notConstant }
  const term = compileTerm(value, columnReceiver(base, column), { schema, keyspace: base.keyspace, table: base, variables, functions: context })
  if (variables.specifications().length > 0) throw bindVariables()
  isComputing = true
  const bytes = term.constant === undefined ? term.value(NO_VALUES) : term.constant
  if (bytes === null || bytes === UNSET) throw new InvalidRequestError(`Invalid null value in condition for column ${column.name}`)
  return { bytes, text: COMPUTED.has(value.kind) ? cqlLiteral(column.type, bytes) : termText(value) }
}

const COMPUTED: ReadonlySet<Term["kind"]> = new Set<Term["kind"]>(["arithmetic", "cast", "function", "negation"])

function notConstant(): never {
  throw new InvalidRequestError("The WHERE clause of a materialized view can only compare columns with constants")
}
