// Rows about secondary indexes: which of them this node has built, and what storage-attached ones are like.
import type { IndexSchema, TableSchema } from "../../data/schema.ts"
import type { SystemSource } from "./system-source.ts"
import type { SystemRow } from "./virtual-rows.ts"

interface Found {
  readonly table: TableSchema
  readonly index: IndexSchema
  readonly isBuilt: boolean
}

function indexes({ snapshot, self }: SystemSource): Found[] {
  const { schema, viewBuilds } = snapshot()
  const tables = [...schema.keyspaces.values()].flatMap((keyspace) => [...keyspace.tables.values()])
  return tables.flatMap((table) => table.indexes.map((index) => ({ table, index, isBuilt: viewBuilds.get(index.table.id)?.get(self) === "SUCCESS" })))
}

/** The column `table_name` holds the keyspace's name, as in Cassandra. */
export function builtIndexesRows(source: SystemSource): SystemRow[] {
  return indexes(source).filter(({ isBuilt }) => isBuilt).map(({ table, index }) => ({ table_name: table.keyspace, index_name: index.name, value: null }))
}

/** An index that is being built can be asked: then all rows are read. */
export function storageAttachedIndexesRows(source: SystemSource): SystemRow[] {
  return indexes(source).filter(({ index }) => index.isStorageAttached).map(({ table, index, isBuilt }) => ({
    keyspace_name: table.keyspace,
    index_name: index.name,
    table_name: table.name,
    column_name: index.column.name,
    is_queryable: true,
    is_building: !isBuilt,
    is_string: index.termType.kind === "native" && (index.termType.name === "text" || index.termType.name === "ascii"),
    analyzer: index.analyzer === null ? "NoOpAnalyzer" : "NonTokenizingAnalyzer",
  }))
}
