// The snapshot that a node takes of a table before it truncates or drops it, so that a slip of the hand can be undone. Of
// base tables only: views follow what comes back. A table says no with allow_auto_snapshot, a node with --no-auto-snapshot.
import type { MetadataState } from "../coordinator/cluster/snapshot.ts"
import type { SchemaDescriptor, TableDescriptor } from "../data/schema.ts"
import { resolveSchema } from "../data/resolve-schema.ts"
import type { StoreOperations } from "../storage/store-operations.ts"
import type { Log } from "./log.ts"
import { snapshotTable } from "./operations.ts"

/** Before `next` is applied. A snapshot that fails is logged and does not hold up the cluster. */
export async function takeAutoSnapshots(storage: StoreOperations, before: MetadataState, next: MetadataState, nowMicros: number, log: Log): Promise<void> {
  const now = new Map(tablesOf(next.schema).map((table) => [table.id, table]))
  const ended = tablesOf(before.schema).flatMap((table): { table: TableDescriptor; how: "truncated" | "dropped" }[] => {
    const later = now.get(table.id)
    if (table.view !== null || !table.options.allowAutoSnapshot) return []
    if (later === undefined) return [{ table, how: "dropped" }]
    return later.truncationEpoch > table.truncationEpoch ? [{ table, how: "truncated" }] : []
  })
  if (ended.length === 0) return
  const schema = resolveSchema(before.schema, [])
  for (const { table, how } of ended) {
    const name = `${how}-${Math.floor(nowMicros / 1000)}-${table.name}`
    const resolved = schema.tableById(table.id)
    if (resolved === null) continue
    await storage.snapshot(name, [snapshotTable(schema, resolved)], { isFlushed: true }).catch((error: unknown) => {
      log.error(`No snapshot of ${table.keyspace}.${table.name} before it is ${how}: ${String(error)}`)
    })
  }
}

function tablesOf(schema: SchemaDescriptor): TableDescriptor[] {
  return schema.keyspaces.flatMap(({ tables }) => tables)
}
