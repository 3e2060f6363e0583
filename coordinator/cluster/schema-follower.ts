// Brings the local store after the schema: new tables are known to it before anything can name them, and a table that was
// truncated is empty from the entry on. Called first by whoever owns the store, so that later subscribers find it done.
import type { LocalStore } from "../../data/local-store.ts"
import type { TableSchema } from "../../data/schema.ts"
import type { ClusterMetadata, Snapshot, Unsubscribe } from "./cluster-metadata.ts"

/** Every table of the snapshot that is stored, the system's and those of indexes included. */
export function storedTables(snapshot: Snapshot): TableSchema[] {
  const tables: TableSchema[] = []
  for (const keyspace of snapshot.schema.keyspaces.values()) {
    for (const table of keyspace.tables.values()) if (table.kind !== "virtual") tables.push(table, ...table.indexes.map((index) => index.table))
  }
  return tables
}

/** Tables that `next` truncates; one that is new in it has nothing to lose. */
function truncatedTables(next: Snapshot, previous: Snapshot): TableSchema[] {
  return storedTables(next).filter(({ id }) => previous.schema.tableById(id) !== null && next.truncationEpoch(id) > previous.truncationEpoch(id))
}

/** What is done before a change counts as applied: data is void for good. Null: the change voids none. */
export function truncateFirst(store: LocalStore, next: Snapshot, previous: Snapshot): Promise<unknown> | null {
  const tables = truncatedTables(next, previous)
  // All at once: a write between the truncations of a table and of its view would be in one of them.
  return tables.length === 0 ? null : Promise.all(tables.map(({ id }) => store.truncate(id)))
}

export function followSchema(metadata: ClusterMetadata, store: LocalStore): Unsubscribe {
  return metadata.subscribe((next, previous) => {
    if (next.schema !== previous.schema) store.setTables(storedTables(next))
    // Once more: what was written since `truncateFirst` is void too, and a view that heard of it may have been truncated since.
    for (const { id } of truncatedTables(next, previous)) void store.truncate(id)
  })
}
