// What a term becomes when it is compiled for a receiver: something that gives serialised bytes once the values are bound.
import type { Buffer } from "../../runtime/pure.ts"
import type { CqlType } from "../../data/cql-type.ts"
import type { Schema, TableSchema } from "../../data/schema.ts"
import type { FunctionContext } from "../functions/context.ts"
import type { ColumnSpecification } from "../metadata.ts"
import type { BoundValues } from "../request.ts"
import type { BindVariables } from "./bind-variables.ts"

/** A variable that the client left unset. */
export const UNSET: unique symbol = Symbol("unset")
export type TermValue = Buffer | null | typeof UNSET

export interface CompiledTerm {
  readonly receiver: ColumnSpecification
  /** A bare bind marker: its index in the bound values; -1 otherwise. */
  readonly marker: number
  /** The bytes when they are known already (null: the value null); undefined when they depend on the bound values or on the moment. */
  readonly constant: Buffer | null | undefined
  /** Possibly a view of the bound values' buffer. Throws InvalidRequestError. */
  value(values: BoundValues): TermValue
}

/** What compiling a statement needs. */
export interface CompileContext {
  readonly schema: Schema
  /** The session's keyspace. */
  readonly keyspace: string | null
  readonly variables: BindVariables
  readonly functions: FunctionContext
}

/** What compiling a term needs: `table` for token(), and the keyspace in which user types are looked up. */
export interface TermContext extends CompileContext {
  readonly table: TableSchema | null
}

/** A receiver that is no column: `[limit]`, `in(k)`, `value(m)`. */
export function pseudoReceiver(column: ColumnSpecification, name: string, type: CqlType): ColumnSpecification {
  return { keyspace: column.keyspace, table: column.table, name, type }
}

export function columnReceiver(table: TableSchema, column: { readonly name: string; readonly type: CqlType }): ColumnSpecification {
  return { keyspace: table.keyspace, table: table.name, name: column.name, type: column.type }
}
