// Every CQL statement as parsed: plain data discriminated by `kind`, never changed once it is made; nothing is looked up in a schema yet.
import type { BatchStatement, ModificationStatement, SelectStatement, TruncateStatement, UseStatement } from "./ast-dml.ts"
import type { RoleStatement } from "./ast-roles.ts"
import type { DescribeStatement, SchemaStatement } from "./ast-schema.ts"

export type Statement =
  | SelectStatement
  | ModificationStatement
  | BatchStatement
  | TruncateStatement
  | UseStatement
  | SchemaStatement
  | DescribeStatement
  | RoleStatement
