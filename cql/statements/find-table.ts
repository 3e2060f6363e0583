import type { TableSchema } from "../../data/schema.ts"
import { quoteIdentifier } from "../../data/types/type-name.ts"
import { InvalidRequestError } from "../errors.ts"
import type { TableName } from "../language/ast-dml.ts"
import type { CompileContext } from "./term.ts"

export function undefinedColumn(name: string, table: { readonly keyspace: string; readonly name: string }): InvalidRequestError {
  return new InvalidRequestError(`Undefined column name ${quoteIdentifier(name)} in table ${quoteIdentifier(table.keyspace)}.${quoteIdentifier(table.name)}`)
}

/** The table or view that a statement names, in its own keyspace or the session's. Throws InvalidRequestError. */
export function findTable(name: TableName, context: Pick<CompileContext, "schema" | "keyspace">): TableSchema {
  const keyspace = name.keyspace ?? context.keyspace
  if (keyspace === null) throw new InvalidRequestError("No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename")
  if (name.name === "") throw new InvalidRequestError("non-empty table is required")
  if (!context.schema.keyspaces.has(keyspace)) throw new InvalidRequestError(`keyspace ${keyspace} does not exist`)
  const table = context.schema.table(keyspace, name.name)
  if (table === null) throw new InvalidRequestError(`table ${name.name} does not exist`)
  return table
}
