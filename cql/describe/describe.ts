// DESCRIBE: lists of names, or CREATE statements, as rows. Pages are cut by row number; the paging state is bound to the
// schema version, so that a schema that changes between two pages is noticed.
import { Buffer } from "../../runtime/pure.ts"
import { ByteWriter } from "../../data/bytes.ts"
import type { CqlType } from "../../data/cql-type.ts"
import type { KeyspaceSchema, Schema } from "../../data/schema.ts"
import { encodeValue } from "../../data/types/type-operations.ts"
import { nativeType, quoteIdentifier } from "../../data/types/type-name.ts"
import { InvalidRequestError } from "../errors.ts"
import type { DescribeStatement, DescribeTarget } from "../language/ast-schema.ts"
import type { ColumnSpecification, ResultMetadata } from "../metadata.ts"
import type { DescribeContext, DescribePlan } from "../plan.ts"
import type { QueryOptions } from "../request.ts"
import { decodeDescribeState, encodeDescribeState } from "./describe-paging.ts"
import {
  type SchemaElement, aggregateElement, byName, functionElement, indexElement, keyspaceElement, keyspaceElements, tableElement, tableElements, tablesOf, typeElement,
} from "./describe-elements.ts"
import { resultMetadata } from "../statements/result-metadata.ts"

const TEXT = nativeType("text")
const LIST_COLUMNS = ["keyspace_name", "type", "name"].map((name) => column(name, TEXT))
const LIST_METADATA = resultMetadata(LIST_COLUMNS)
const ELEMENT_METADATA = resultMetadata([...LIST_COLUMNS, column("create_statement", TEXT)])
const CLUSTER_COLUMNS = ["cluster", "partitioner", "snitch"].map((name) => column(name, TEXT))
const OWNERSHIP_TYPE: CqlType = { kind: "map", key: TEXT, value: { kind: "list", element: TEXT, frozen: false }, frozen: false }
const CLUSTER_METADATA = resultMetadata(CLUSTER_COLUMNS)
const OWNERSHIP_METADATA = resultMetadata([...CLUSTER_COLUMNS, column("range_ownership", OWNERSHIP_TYPE)])

/** What DESCRIBE SCHEMA leaves out unless it is FULL. */
const SYSTEM_KEYSPACES: ReadonlySet<string> = new Set([
  "system", "system_auth", "system_distributed", "system_schema", "system_traces", "system_views", "system_virtual_schema",
])

function column(name: string, type: CqlType): ColumnSpecification {
  return { keyspace: "system", table: "describe", name, type }
}

interface Rows {
  readonly metadata: ResultMetadata
  readonly rows: readonly (readonly Buffer[])[]
}

/** `keyspace`: the session's when the statement is compiled; the context's comes first. */
export function compileDescribe(statement: DescribeStatement, keyspace: string | null): DescribePlan {
  return {
    kind: "describe",
    run(schema, context, options) {
      const found = describe(statement, schema, { ...context, keyspace: context.keyspace ?? keyspace })
      return page(found, schema, options)
    },
  }
}

function page(found: Rows, schema: Schema, options: QueryOptions): ReturnType<DescribePlan["run"]> {
  const offset = options.pagingState === null ? 0 : decodeDescribeState(options.pagingState, schema.version)
  const end = options.pageSize > 0 ? offset + options.pageSize : found.rows.length
  const rows = found.rows.slice(offset, end)
  const out = new ByteWriter(1024)
  for (const value of rows.flat()) {
    out.int32(value.length)
    out.bytes(value)
  }
  const pagingState = end < found.rows.length ? encodeDescribeState(end, schema.version) : null
  return { metadata: found.metadata, count: rows.length, rows: out.take(), pagingState }
}

function describe({ target, withInternals }: DescribeStatement, schema: Schema, context: DescribeContext): Rows {
  switch (target.kind) {
    case "cluster":
      return cluster(context)
    case "keyspaces":
      return list(byName(schema.keyspaces.values()).map(keyspaceElement))
    case "tables":
      return list(listed(schema, context).flatMap((keyspace) => tablesOf(keyspace).map((table) => tableElement(keyspace, table))))
    case "types":
      return list(listed(schema, context).flatMap((keyspace) => byName(keyspace.types.values()).map((type) => typeElement(keyspace, type))))
    case "functions":
      return list(listed(schema, context).flatMap((keyspace) => byName(keyspace.functions).map((each) => functionElement(keyspace, each))))
    case "aggregates":
      return list(listed(schema, context).flatMap((keyspace) => byName(keyspace.aggregates).map((each) => aggregateElement(keyspace, each))))
    case "schema": {
      const keyspaces = byName(schema.keyspaces.values()).filter((keyspace) => target.full || !SYSTEM_KEYSPACES.has(keyspace.name))
      return elements(keyspaces.flatMap(keyspaceElements), withInternals)
    }
    case "keyspace": {
      const keyspace = existing(schema, target.keyspace ?? sessionKeyspace(context))
      return elements(target.only ? [keyspaceElement(keyspace)] : keyspaceElements(keyspace), withInternals)
    }
    case "any":
      return elements(anything(target, schema, context), withInternals)
    default:
      return elements(named(target, existing(schema, target.keyspace ?? sessionKeyspace(context))), withInternals)
  }
}

/** The session's keyspace, or all. */
function listed(schema: Schema, context: DescribeContext): KeyspaceSchema[] {
  return context.keyspace === null ? byName(schema.keyspaces.values()) : [existing(schema, context.keyspace)]
}

function existing(schema: Schema, name: string): KeyspaceSchema {
  const keyspace = schema.keyspaces.get(name)
  if (keyspace === undefined) throw new InvalidRequestError(`'${name}' not found in keyspaces`)
  return keyspace
}

function sessionKeyspace(context: DescribeContext): string {
  if (context.keyspace === null) throw new InvalidRequestError("No keyspace specified and no current keyspace")
  return context.keyspace
}

type NamedTarget = Extract<DescribeTarget, { name: string }>

/** The element, and the views of a table. */
function named({ kind, name }: NamedTarget, keyspace: KeyspaceSchema): SchemaElement[] {
  const table = keyspace.tables.get(name)
  switch (kind) {
    case "table":
      if (table === undefined || table.view !== null) throw new InvalidRequestError(`Table '${name}' not found in keyspace '${keyspace.name}'`)
      return tableElements(keyspace, table)
    case "view":
      if (table === undefined || table.view === null) throw new InvalidRequestError(`Materialized view '${name}' not found in '${keyspace.name}'`)
      return [tableElement(keyspace, table)]
    case "type": {
      const type = keyspace.types.get(name)
      if (type === undefined) throw new InvalidRequestError(`User defined type '${name}' not found in '${keyspace.name}'`)
      return [typeElement(keyspace, type)]
    }
    case "index":
      return found(indexNamed(keyspace, name), `Table for existing index '${name}' not found in '${keyspace.name}'`)
    case "function":
      return found(keyspace.functions.filter((each) => each.name === name).map((each) => functionElement(keyspace, each)), `User defined function '${name}' not found in '${keyspace.name}'`)
    case "aggregate":
      return found(keyspace.aggregates.filter((each) => each.name === name).map((each) => aggregateElement(keyspace, each)), `User defined aggregate '${name}' not found in '${keyspace.name}'`)
    case "any":
      if (table !== undefined) return tableElements(keyspace, table)
      return found(indexNamed(keyspace, name), `'${name}' not found in keyspace '${keyspace.name}'`)
  }
}

function indexNamed(keyspace: KeyspaceSchema, name: string): SchemaElement[] {
  return tablesOf(keyspace).flatMap((table) => table.indexes.filter((index) => index.name === name).map((index) => indexElement(table, index)))
}

function found(elements: SchemaElement[], otherwise: string): SchemaElement[] {
  if (elements.length === 0) throw new InvalidRequestError(otherwise)
  return elements
}

/** DESCRIBE name: a keyspace, else a table or view of the session's keyspace. */
function anything(target: NamedTarget, schema: Schema, context: DescribeContext): SchemaElement[] {
  if (target.keyspace !== null) return named(target, existing(schema, target.keyspace))
  const keyspace = schema.keyspaces.get(target.name)
  if (keyspace !== undefined) return keyspaceElements(keyspace)
  return named(target, existing(schema, context.keyspace ?? target.name))
}

function names(element: SchemaElement): Buffer[] {
  return [quoteIdentifier(element.keyspace), element.type, element.name].map((text) => Buffer.from(text))
}

function list(found: readonly SchemaElement[]): Rows {
  return { metadata: LIST_METADATA, rows: found.map(names) }
}

function elements(found: readonly SchemaElement[], withInternals: boolean): Rows {
  return { metadata: ELEMENT_METADATA, rows: found.map((element) => [...names(element), Buffer.from(element.text(withInternals))]) }
}

function cluster(context: DescribeContext): Rows {
  const { clusterName, partitioner, snitch, keyspace } = context
  const row = [clusterName, partitioner.replace(/^org\.apache\.cassandra\.dht\./, ""), snitch.replace(/^org\.apache\.cassandra\.locator\./, "")].map((text) => Buffer.from(text))
  if (keyspace === null || SYSTEM_KEYSPACES.has(keyspace)) return { metadata: CLUSTER_METADATA, rows: [row] }
  return { metadata: OWNERSHIP_METADATA, rows: [[...row, encodeValue(OWNERSHIP_TYPE, context.rangeOwnership(keyspace))]] }
}
