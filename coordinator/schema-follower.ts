// Brings the local store after the schema: new tables are known to it before anything can name them, and a table that was
// truncated is empty from the entry on. Called first by whoever owns the store, so that later subscribers find it done.
import type { LocalStore } from "../data/local-store.ts"
import type { TableSchema } from "../data/schema.ts"
import type { ClusterMetadata, Snapshot, Unsubscribe } from "./cluster-metadata.ts"

/** Every table of the snapshot that is stored, the system's included. */
export function storedTables(snapshot: Snapshot): TableSchema[] {
  const tables: TableSchema[] = []
  for (const keyspace of snapshot.schema.keyspaces.values()) for (const table of keyspace.tables.values()) if (table.kind !== "virtual") tables.push(table)
  return tables
}

/** `truncated` is told when the data of all tables truncated by a change is gone for good. */
export function followSchema(metadata: ClusterMetadata, store: LocalStore, truncated: (epoch: number) => void = () => undefined): Unsubscribe {
  return metadata.subscribe((snapshot, previous) => {
    if (snapshot.schema !== previous.schema) store.setTables(storedTables(snapshot))
    const truncating: Promise<void>[] = []
    for (const table of storedTables(snapshot)) {
      // A table that is new has nothing to lose.
      if (previous.schema.tableById(table.id) === null) continue
      if (snapshot.truncationEpoch(table.id) > previous.truncationEpoch(table.id)) truncating.push(store.truncate(table.id))
    }
    if (truncating.length > 0) void Promise.all(truncating).then(() => truncated(snapshot.epoch))
  })
}
