// INSERT JSON: an INSERT of all columns of the table, whose values are looked up in one JSON object when it is bound.
// Columns that the object does not name become null, or are left alone with DEFAULT UNSET.
import { isCounterTable } from "../../data/counters.ts"
import type { ColumnSchema, TableSchema } from "../../data/schema.ts"
import { nativeType } from "../../data/types/type-name.ts"
import { InvalidRequestError } from "../errors.ts"
import type { InsertJsonStatement } from "../language/ast-dml.ts"
import type { BoundValues } from "../request.ts"
import { type Conditions, checkConditional } from "./cas-conditions.ts"
import { compileTerm } from "../statements/compile-term.ts"
import { type JsonValue, encodeJson, foldNames, parseJson } from "../statements/json-values.ts"
import { type CompileContext, type CompiledTerm, type TermContext, type TermValue, UNSET, columnReceiver } from "../statements/term.ts"
import { WriteAttributes } from "./write-attributes.ts"
import { setOperation } from "./write-operations.ts"
import { insertMarksRows } from "../schema/compact.ts"
import { ModificationPlan } from "./write-plan.ts"
import { findWritableTable } from "./write-table.ts"
import { equalTo } from "./write-where.ts"

export function compileInsertJson(statement: InsertJsonStatement, compileContext: CompileContext): ModificationPlan {
  const table = findWritableTable(statement.table, compileContext)
  if (isCounterTable(table)) throw new InvalidRequestError("INSERT statements are not allowed on counter tables, use UPDATE instead")
  const context: TermContext = { ...compileContext, table }
  const receiver = { keyspace: table.keyspace, table: table.name, name: "[json]", type: nativeType("text") }
  const source = new JsonSource(table, compileTerm(statement.json, receiver, context))
  const termOf = (column: ColumnSchema): CompiledTerm => columnTerm(column, source, table, statement.defaultUnset, context)
  const target = {
    keys: table.partitionKey.map((column) => equalTo(column, termOf(column))),
    clustering: table.clustering.map((column) => equalTo(column, termOf(column))),
  }
  const operations = [...table.statics, ...table.regulars].map((column) => setOperation(column, termOf(column), context))
  const attributes = new WriteAttributes(statement.using, table, context)
  const conditions: Conditions | null = statement.ifNotExists ? { kind: "notExists" } : null
  if (conditions !== null) checkConditional(table, attributes.hasTimestamp)
  return new ModificationPlan({ table, target, attributes, operations, marksRows: insertMarksRows(table), deletes: false, simple: null, conditions }, compileContext.variables)
}

/** The object of the request at hand, by column name. Keeps the last one, since every column asks for it. */
class JsonSource {
  readonly #table: TableSchema
  readonly #term: CompiledTerm
  #text = ""
  #columns: ReadonlyMap<string, JsonValue> | null = null

  constructor(table: TableSchema, term: CompiledTerm) {
    this.#table = table
    this.#term = term
  }

  columns(values: BoundValues): ReadonlyMap<string, JsonValue> {
    const bytes = this.#term.value(values)
    if (bytes === null) throw new InvalidRequestError("Got null for INSERT JSON values")
    if (bytes === UNSET) throw new InvalidRequestError("Invalid unset value for INSERT JSON")
    const text = bytes.toString("utf8")
    if (this.#columns === null || text !== this.#text) {
      this.#columns = this.#parse(text)
      this.#text = text
    }
    return this.#columns
  }

  #parse(text: string): ReadonlyMap<string, JsonValue> {
    const json = parsed(text)
    if (json === null) throw new InvalidRequestError("Got null for INSERT JSON values")
    if (!(json instanceof Map)) throw new InvalidRequestError(`Could not decode JSON string as a map. (String was: ${text})`)
    const columns = foldNames(json as ReadonlyMap<string, JsonValue>)
    const unknown = [...columns.keys()].find((name) => !this.#table.columnByName.has(name))
    if (unknown !== undefined) throw new InvalidRequestError(`JSON values map contains unrecognized column: ${unknown}`)
    return columns
  }
}

function parsed(text: string): JsonValue {
  try {
    return parseJson(text)
  } catch (error) {
    throw new InvalidRequestError(`Could not decode JSON string as a map: ${(error as Error).message}. (String was: ${text})`)
  }
}

function columnTerm(column: ColumnSchema, source: JsonSource, table: TableSchema, defaultUnset: boolean, context: TermContext): CompiledTerm {
  const value = (values: BoundValues): TermValue => {
    const json = source.columns(values).get(column.name)
    if (json === undefined) return defaultUnset ? UNSET : null
    try {
      return encodeJson(column.type, json, () => context.functions.nowMicros())
    } catch (error) {
      if (error instanceof InvalidRequestError) throw new InvalidRequestError(`Error decoding JSON value for ${column.name}: ${error.message}`)
      throw error
    }
  }
  return { receiver: columnReceiver(table, column), marker: -1, constant: undefined, value }
}
