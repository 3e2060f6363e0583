// What tables and views have in common when it comes to columns: their names and the order of the clustering.
import { InvalidRequestError } from "../errors.ts"
import type { ClusteringOrder } from "../language/ast-schema.ts"

/** Begins the names of a view's hidden columns, so that no column of a user can have one of them. */
export const HIDDEN_NAME_PREFIX = "\u0000"

const MAX_COLUMN_NAME_BYTES = 0xffff

/** Cassandra takes any quoted name; ours keeps NUL for itself. */
export function checkColumnName(name: string): void {
  if (name === "" || name.includes(HIDDEN_NAME_PREFIX) || name.length > MAX_COLUMN_NAME_BYTES) {
    throw new InvalidRequestError(`Invalid column name '${name.replaceAll(HIDDEN_NAME_PREFIX, "\\0")}'`)
  }
}

/** Column to whether it descends, in the order of the directive. `where` says of what. */
export function checkClusteringOrder(order: readonly ClusteringOrder[], where: string): ReadonlyMap<string, boolean> {
  const descending = new Map<string, boolean>()
  for (const { column, descending: isDescending } of order) {
    if (descending.has(column)) throw new InvalidRequestError(`Duplicate column '${column}' in CLUSTERING ORDER BY clause for ${where}`)
    descending.set(column, isDescending)
  }
  return descending
}
