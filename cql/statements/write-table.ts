// Finds the table that a statement writes to, and refuses those that clients may not write.
import type { ColumnSchema, Schema, TableSchema } from "../../data/schema.ts"
import { ERROR_CODE, InvalidRequestError, RequestError } from "../errors.ts"
import type { TableName } from "../language/ast-dml.ts"

/** Keyspaces that only the node itself writes. */
const READ_ONLY_KEYSPACES: ReadonlySet<string> = new Set(["system", "system_schema"])

/** Throws InvalidRequestError with Cassandra's words when there is no such table. */
export function findTable(schema: Schema, name: TableName, sessionKeyspace: string | null): TableSchema {
  const keyspaceName = name.keyspace ?? sessionKeyspace
  if (keyspaceName === null) throw new InvalidRequestError("No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename")
  const keyspace = schema.keyspaces.get(keyspaceName)
  if (keyspace === undefined) throw new InvalidRequestError(`keyspace ${keyspaceName} does not exist`)
  const table = keyspace.tables.get(name.name)
  if (table === undefined) throw new InvalidRequestError(`table ${name.name} does not exist`)
  return table
}

/** As findTable; refuses views, virtual tables, the system's own and counters. */
export function findWritableTable(schema: Schema, name: TableName, sessionKeyspace: string | null): TableSchema {
  const table = findTable(schema, name, sessionKeyspace)
  if (table.kind === "view") throw new InvalidRequestError("Cannot directly modify a materialized view")
  refuseReadOnly(table)
  const counter = table.regulars.find(isCounterColumn) ?? table.statics.find(isCounterColumn)
  if (counter !== undefined) throw new InvalidRequestError(`Counter columns are not supported: ${counter.name} in table ${table.keyspace}.${table.name}`)
  return table
}

export function refuseReadOnly(table: TableSchema): void {
  if (READ_ONLY_KEYSPACES.has(table.keyspace)) throw new RequestError(ERROR_CODE.unauthorized, `${table.keyspace} keyspace is not user-modifiable.`)
  if (table.kind === "virtual") throw new InvalidRequestError(`Modification is not supported by table ${table.keyspace}.${table.name}`)
}

function isCounterColumn(column: ColumnSchema): boolean {
  return column.type.kind === "native" && column.type.name === "counter"
}

/** The column of that name. */
export function findColumn(table: TableSchema, name: string): ColumnSchema {
  const column = table.columnByName.get(name)
  if (column === undefined) throw new InvalidRequestError(`Undefined column name ${name} in table ${table.keyspace}.${table.name}`)
  return column
}

export function isKeyColumn(column: ColumnSchema): boolean {
  return column.kind === "partition_key" || column.kind === "clustering"
}
