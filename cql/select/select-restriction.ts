// One relation of a WHERE clause as a restriction: which columns, and how to get the serialised values it compares them
// with from the bound values. A restriction of one column is a tuple of one.
import type { Buffer } from "../../runtime/pure.ts"
import { type CqlType, isMultiCell } from "../../data/cql-type.ts"
import type { ColumnSchema, TableSchema } from "../../data/schema.ts"
import { unpackCollection } from "../../data/types/collections.ts"
import { unpackTuple } from "../../data/types/tuples.ts"
import { nativeType, typeName } from "../../data/types/type-name.ts"
import { InvalidRequestError } from "../errors.ts"
import type { InValues, Relation } from "../language/ast-relations.ts"
import type { Term } from "../language/ast-terms.ts"
import type { BoundValues } from "../request.ts"
import { compileTerm } from "../statements/compile-term.ts"
import { undefinedColumn } from "../statements/find-table.ts"
import { relationText } from "../statements/relation-text.ts"
import { termText } from "../statements/term-text.ts"
import { type CompiledTerm, type TermContext, UNSET, columnReceiver } from "../statements/term.ts"

/** One value for each column of a restriction. */
export type Tuple = readonly Buffer[]

/**
 * Gives a tuple for the bound values. Throws InvalidRequestError for null and unset, in other words when it is for a filter.
 * Views of the bound values' buffer.
 */
export type TupleSource = (values: BoundValues, isFilter?: boolean) => Tuple

export interface Limit {
  readonly inclusive: boolean
  readonly tuple: TupleSource
}

export type Restriction =
  /** `term` is set when there is one column and its value is one term. */
  | { readonly kind: "eq"; readonly columns: readonly ColumnSchema[]; readonly tuple: TupleSource; readonly term: CompiledTerm | null }
  | { readonly kind: "in"; readonly columns: readonly ColumnSchema[]; readonly tuples: (values: BoundValues, isFilter?: boolean) => readonly Tuple[] }
  | { readonly kind: "slice"; readonly columns: readonly ColumnSchema[]; readonly lower: Limit | null; readonly upper: Limit | null }

/** CONTAINS, CONTAINS KEY and `m[k] = v`: they only filter. */
export interface CollectionCondition {
  readonly kind: "contains" | "containsKey" | "element"
  readonly column: ColumnSchema
  /** Element: the key. */
  readonly key: CompiledTerm | null
  readonly value: CompiledTerm
}

/** token(k) compared with 64-bit integers, 8 bytes each. */
export interface TokenRestriction {
  readonly eq: CompiledTerm | null
  readonly lower: { readonly inclusive: boolean; readonly term: CompiledTerm } | null
  readonly upper: { readonly inclusive: boolean; readonly term: CompiledTerm } | null
}

const noun = (columns: readonly ColumnSchema[]): string => columns.map((column) => column.name).join(", ")

/** The term's bytes; null and unset are refused. */
export function requiredValue(term: CompiledTerm, columnName: string, values: BoundValues, isFilter = false): Buffer {
  const value = term.value(values)
  if (value === null) throw new InvalidRequestError(isFilter ? `Unsupported null value for column ${columnName}` : `Invalid null value in condition for column ${columnName}`)
  if (value === UNSET) throw new InvalidRequestError(`${isFilter ? "Unsupported" : "Invalid"} unset value for column ${columnName}`)
  return value
}

/** The column of that name. Throws as Cassandra does when there is none. */
export function columnNamed(table: TableSchema, name: string): ColumnSchema {
  const column = table.columnByName.get(name)
  if (column === undefined || column.hidden !== null) throw undefinedColumn(name, table)
  return column
}

function unsupported(relation: Parameters<typeof relationText>[0]): InvalidRequestError {
  return new InvalidRequestError(`Unsupported "${relation.operator}" relation: ${relationText(relation)}`)
}

export function compileComparison(table: TableSchema, relation: Extract<Relation, { kind: "comparison" }>, context: TermContext): Restriction {
  const column = columnNamed(table, relation.column)
  checkRestrictable(column, relation.operator === "=" ? "=" : relation.operator)
  if (relation.operator === "!=") throw unsupported(relation)
  const term = compileTerm(relation.value, columnReceiver(table, column), context)
  const tuple: TupleSource = (values, isFilter) => [requiredValue(term, column.name, values, isFilter)]
  if (relation.operator === "=") return { kind: "eq", columns: [column], tuple, term }
  if (column.type.kind === "native" && column.type.name === "duration") throw new InvalidRequestError("Slice restrictions are not supported on duration columns")
  return slice([column], relation.operator, tuple)
}

export function compileIn(table: TableSchema, relation: Extract<Relation, { kind: "in" }>, context: TermContext): Restriction {
  const column = columnNamed(table, relation.column)
  checkRestrictable(column, "IN")
  const receiver = columnReceiver(table, column)
  const columns = [column]
  if (relation.values.kind === "values") {
    const terms = relation.values.values.map((term) => compileTerm(term, receiver, context))
    const [only] = terms
    if (only !== undefined && terms.length === 1) return { kind: "eq", columns, term: only, tuple: (values, isFilter) => [requiredValue(only, column.name, values, isFilter)] }
    // As a filter a null matches nothing.
    const wanted = (values: BoundValues, isFilter = false): CompiledTerm[] => terms.filter((term) => !isFilter || term.value(values) !== null)
    return { kind: "in", columns, tuples: (values, isFilter) => wanted(values, isFilter).map((term) => [requiredValue(term, column.name, values, isFilter)]) }
  }
  const elements = compileInMarker(relation.values.marker, table, `in(${column.name})`, column.type, context)
  return { kind: "in", columns, tuples: (values) => elements(values).map((element) => [element]) }
}

/** A marker that holds a whole list. */
function compileInMarker(marker: Term, table: TableSchema, name: string, element: CqlType, context: TermContext): (values: BoundValues) => readonly Buffer[] {
  const type: CqlType = { kind: "list", element, frozen: false }
  const term = compileTerm(marker, { keyspace: table.keyspace, table: table.name, name, type }, context)
  return (values) => {
    const list = term.value(values)
    if (list === null) throw new InvalidRequestError(`Invalid null value for ${name.replace(/^in\((.*)\)$/, "column $1")}`)
    if (list === UNSET) throw new InvalidRequestError(`Invalid unset value for ${name.replace(/^in\((.*)\)$/, "column $1")}`)
    return unpackCollection(list)
  }
}

export function compileTupleComparison(table: TableSchema, relation: Extract<Relation, { kind: "tupleComparison" }>, context: TermContext): Restriction {
  const columns = clusteringColumns(table, relation.columns, () => relationText(relation))
  if (relation.operator === "!=") throw unsupported(relation)
  const tuple = compileTuple(table, columns, relation.value, `(${columns.map((column) => column.name).join(",")})`, context)
  if (relation.operator === "=") return { kind: "eq", columns, tuple, term: null }
  return slice(columns, relation.operator, tuple)
}

export function compileTupleIn(table: TableSchema, relation: Extract<Relation, { kind: "tupleIn" }>, context: TermContext): Restriction {
  const columns = clusteringColumns(table, relation.columns, () => inText(relation))
  const [only] = relation.values.kind === "values" && relation.values.values.length === 1 ? relation.values.values : []
  if (only !== undefined) return { kind: "eq", columns, tuple: compileTuple(table, columns, only, `in(${columns.map((column) => column.name).join(",")})`, context), term: null }
  return { kind: "in", columns, tuples: compileTuples(table, columns, relation.values, context) }
}

function inText(relation: Extract<Relation, { kind: "tupleIn" }>): string {
  const { values } = relation
  return `(${relation.columns.join(", ")}) IN ${values.kind === "marker" ? termText(values.marker) : `(${values.values.map(termText).join(", ")})`}`
}

function compileTuples(table: TableSchema, columns: readonly ColumnSchema[], source: InValues, context: TermContext): (values: BoundValues) => readonly Tuple[] {
  const name = `in(${columns.map((column) => column.name).join(",")})`
  if (source.kind === "values") {
    const tuples = source.values.map((term) => compileTuple(table, columns, term, name, context))
    return (values) => tuples.map((tuple) => tuple(values))
  }
  const elements = compileInMarker(source.marker, table, name, tupleType(columns), context)
  return (values) => elements(values).map((element) => tupleParts(element, columns))
}

function tupleType(columns: readonly ColumnSchema[]): CqlType {
  return { kind: "tuple", elements: columns.map((column) => column.type) }
}

/** A tuple literal is compiled part by part; a marker holds the serialised tuple. */
function compileTuple(table: TableSchema, columns: readonly ColumnSchema[], term: Term, name: string, context: TermContext): TupleSource {
  if (term.kind === "tuple") {
    if (term.elements.length !== columns.length) {
      throw new InvalidRequestError(`Expected ${columns.length} elements in value tuple, but got ${term.elements.length}: ${termText(term)}`)
    }
    const terms = term.elements.map((element, index) => compileTerm(element, columnReceiver(table, columns[index] as ColumnSchema), context))
    return (values) => terms.map((part, index) => requiredPart(part.value(values), columns[index] as ColumnSchema))
  }
  const whole = compileTerm(term, { keyspace: table.keyspace, table: table.name, name, type: tupleType(columns) }, context)
  return (values) => {
    const value = whole.value(values)
    if (value === null) throw new InvalidRequestError(`Invalid null value for (${noun(columns)})`)
    if (value === UNSET) throw new InvalidRequestError(`Invalid unset value for tuple (${noun(columns)})`)
    return tupleParts(value, columns)
  }
}

function tupleParts(tuple: Buffer, columns: readonly ColumnSchema[]): Tuple {
  const parts = unpackTuple(tuple)
  return columns.map((column, index) => requiredPart(parts[index] ?? null, column))
}

function requiredPart(value: ReturnType<CompiledTerm["value"]>, column: ColumnSchema): Buffer {
  if (value === null) throw new InvalidRequestError(`Invalid null value for column ${column.name}`)
  if (value === UNSET) throw new InvalidRequestError(`Invalid unset value for column ${column.name}`)
  return value
}

function clusteringColumns(table: TableSchema, names: readonly string[], text: () => string): readonly ColumnSchema[] {
  const columns = names.map((name) => columnNamed(table, name))
  columns.forEach((column, index) => {
    if (column.kind !== "clustering") throw new InvalidRequestError(`Multi-column relations can only be applied to clustering columns but was applied to: ${column.name}`)
    if (columns.indexOf(column) !== index) throw new InvalidRequestError(`Column "${column.name}" appeared twice in a relation: ${text()}`)
    const previous = columns[index - 1]
    if (previous !== undefined && column.position !== previous.position + 1) {
      throw new InvalidRequestError(`Clustering columns must appear in the PRIMARY KEY order in multi-column relations: ${text()}`)
    }
  })
  return columns
}

function slice(columns: readonly ColumnSchema[], operator: "<" | "<=" | ">" | ">=", tuple: TupleSource): Restriction {
  const limit = { inclusive: operator === "<=" || operator === ">=", tuple }
  const lower = operator === ">" || operator === ">="
  return { kind: "slice", columns, lower: lower ? limit : null, upper: lower ? null : limit }
}

function checkRestrictable(column: ColumnSchema, operator: string): void {
  const type = column.type
  if (!isMultiCell(type)) return
  if (type.kind === "udt") throw new InvalidRequestError(`Non-frozen UDT column '${column.name}' (${typeName(type)}) cannot be restricted by any relation`)
  throw new InvalidRequestError(`Collection column '${column.name}' (${typeName(type)}) cannot be restricted by a '${operator}' relation`)
}

export function compileContains(table: TableSchema, relation: Extract<Relation, { kind: "contains" }>, context: TermContext): CollectionCondition {
  const column = columnNamed(table, relation.column)
  const type = column.type
  const name = `${relation.key ? "key" : "value"}(${column.name})`
  if (relation.key) {
    if (type.kind !== "map") throw new InvalidRequestError(`Cannot use CONTAINS KEY on non-map column ${column.name}`)
    return { kind: "containsKey", column, key: null, value: compileTerm(relation.value, { ...columnReceiver(table, column), name, type: type.key }, context) }
  }
  if (type.kind !== "map" && type.kind !== "list" && type.kind !== "set") throw new InvalidRequestError(`Cannot use CONTAINS on non-collection column ${column.name}`)
  const element = type.kind === "map" ? type.value : type.element
  return { kind: "contains", column, key: null, value: compileTerm(relation.value, { ...columnReceiver(table, column), name, type: element }, context) }
}

export function compileElement(table: TableSchema, relation: Extract<Relation, { kind: "element" }>, context: TermContext): CollectionCondition {
  const column = columnNamed(table, relation.column)
  const type = column.type
  if (type.kind === "list") throw new InvalidRequestError(`Indexes on list entries (${column.name}[index] = value) are not currently supported.`)
  if (type.kind !== "map") throw new InvalidRequestError(`Column ${column.name} cannot be used as a map`)
  if (relation.operator !== "=") throw new InvalidRequestError("Only EQ relations are supported on map entries")
  const receiver = columnReceiver(table, column)
  const key = compileTerm(relation.key, { ...receiver, name: `key(${column.name})`, type: type.key }, context)
  return { kind: "element", column, key, value: compileTerm(relation.value, { ...receiver, name: `value(${column.name})`, type: type.value }, context) }
}

export function compileToken(table: TableSchema, relation: Extract<Relation, { kind: "token" }>, context: TermContext): TokenRestriction {
  const columns = relation.columns.map((name) => columnNamed(table, name))
  const keys = table.partitionKey
  if (!(columns.length === keys.length && columns.every((column, index) => column === keys[index]))) {
    if (!keys.every((column) => columns.includes(column))) throw new InvalidRequestError("The token() function must be applied to all partition key components or none of them")
    if (new Set(columns).size !== columns.length) throw new InvalidRequestError("The token() function contains duplicate partition key components")
    if (columns.length > keys.length) throw new InvalidRequestError("The token() function must contains only partition key components")
    throw new InvalidRequestError(`The token function arguments must be in the partition key order: ${noun(keys)}`)
  }
  const term = compileTerm(relation.value, { keyspace: table.keyspace, table: table.name, name: "partition key token", type: nativeType("bigint") }, context)
  const limit = { inclusive: relation.operator === "<=" || relation.operator === ">=", term }
  switch (relation.operator) {
    case "=":
      return { eq: term, lower: null, upper: null }
    case ">":
    case ">=":
      return { eq: null, lower: limit, upper: null }
    case "<":
    case "<=":
      return { eq: null, lower: null, upper: limit }
    case "!=":
      throw unsupported(relation)
  }
}
