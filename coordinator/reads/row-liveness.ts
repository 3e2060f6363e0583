import { isLive } from "../../data/reconcile.ts"
import { partitionKeyValues } from "../../data/partition-key.ts"
import { decodeClustering } from "../../data/row-format.ts"
import type { Row } from "../../data/row.ts"
import type { TableSchema } from "../../data/schema.ts"
import { entryVisible } from "../../data/view-entry.ts"

/** Whether the row counts for limits: of a view, whether readers see the entry. REQUIRES: a merged row of the partition. */
export function isRowLive(table: TableSchema, key: Uint8Array, row: Row, nowSeconds: number): boolean {
  if (table.kind !== "view") return isLive(row, nowSeconds)
  return entryVisible(table, row, [...partitionKeyValues(table, key), ...decodeClustering(row.clustering)], nowSeconds)
}
