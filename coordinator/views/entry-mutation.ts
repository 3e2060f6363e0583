// A view entry as a mutation: what a base replica sends to a view replica, or applies itself.
import type { MutationWriter } from "../../data/mutation.ts"
import { serializePartitionKey } from "../../data/partition-key.ts"
import type { RowView } from "../../data/local-store.ts"
import type { TableSchema } from "../../data/schema.ts"
import { projectEntry } from "../../data/view-entry.ts"
import type { Buffer } from "../../runtime/pure.ts"

/** The partition of the view that a view key belongs to. */
export function viewPartitionKey(view: TableSchema, viewKey: readonly Uint8Array[]): Buffer {
  return serializePartitionKey(viewKey.slice(0, view.partitionKey.length))
}

/** Writes the entry that the base row `row` makes of the view key `viewKey`. The bytes are valid until the writer's next use. */
export function writeEntry(writer: MutationWriter, base: TableSchema, view: TableSchema, row: RowView, viewKey: readonly Buffer[]): Buffer {
  const key = viewPartitionKey(view, viewKey)
  writer.begin(key, 0, key.length)
  writer.beginUpdate(view.id)
  writer.row(projectEntry(base, view, row, viewKey))
  writer.endUpdate()
  return writer.end()
}
