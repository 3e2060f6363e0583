import { md5 } from "../../runtime/pure.ts"
import { typeName } from "../../data/types/type-name.ts"
import type { ColumnSpecification, ResultMetadata } from "../metadata.ts"

/** The description of a result; its id depends on names and types only, and is the same on every node. */
export function resultMetadata(columns: readonly ColumnSpecification[]): ResultMetadata {
  const parts = columns.flatMap((column) => [column.keyspace, column.table, column.name, typeName(column.type)])
  // Names may hold anything but a zero character.
  return { columns, id: md5(parts.join("\0")) }
}
