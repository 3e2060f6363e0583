// Finds the table that a statement writes to, and refuses those that clients may not write.
import type { ColumnSchema, TableSchema } from "../../data/schema.ts"
import { ERROR_CODE, InvalidRequestError, RequestError } from "../errors.ts"
import type { TableName } from "../language/ast-dml.ts"
import { findTable, undefinedColumn } from "../statements/find-table.ts"
import type { CompileContext } from "../statements/term.ts"

/** Keyspaces that only the node itself writes. */
const READ_ONLY_KEYSPACES: ReadonlySet<string> = new Set(["system", "system_schema"])

/** As findTable; refuses views, virtual tables and the system's own. */
export function findWritableTable(name: TableName, context: CompileContext): TableSchema {
  const table = findTable(name, context)
  if (table.kind === "view") throw new InvalidRequestError("Cannot directly modify a materialized view")
  refuseReadOnly(table, "Modification")
  return table
}

export function refuseReadOnly(table: TableSchema, what: "Modification" | "Truncation"): void {
  if (READ_ONLY_KEYSPACES.has(table.keyspace)) throw new RequestError(ERROR_CODE.unauthorized, `${table.keyspace} keyspace is not user-modifiable.`)
  if (table.kind === "virtual") throw new InvalidRequestError(`${what} is not supported by table ${table.keyspace}.${table.name}`)
}

/** The column of that name. */
export function findColumn(table: TableSchema, name: string): ColumnSchema {
  const column = table.columnByName.get(name)
  if (column === undefined) throw undefinedColumn(name, table)
  return column
}

export function isKeyColumn(column: ColumnSchema): boolean {
  return column.kind === "partition_key" || column.kind === "clustering"
}
