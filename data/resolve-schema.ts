// From descriptors to the schema that code works with. Cold: runs once per schema change on every node.
import { assert, md5 } from "../runtime/pure.ts"
import { canonicalJson } from "./canonical-json.ts"
import { clusteringComparator } from "./comparator.ts"
import { indexAnalyzer, indexTableDescriptor, indexTermType, isStorageAttached } from "./index-table.ts"
import type { ColumnSchema, IndexDescriptor, IndexSchema, KeyspaceDescriptor, KeyspaceSchema, Schema, SchemaDescriptor, TableDescriptor, TableId, TableSchema, TypeDescriptor } from "./schema.ts"
import { formatUuid } from "./types/uuids.ts"

/** As resolved; `views` of a base table are its views' resolved forms. `virtual`: a table without storage. */
export function resolveTable(descriptor: TableDescriptor, views: readonly TableSchema[] = [], virtual = false): TableSchema {
  const { columns } = descriptor
  const byPosition = (kind: ColumnSchema["kind"]): ColumnSchema[] =>
    columns.filter((column) => column.kind === kind).toSorted((a, b) => a.position - b.position)
  const byName = (kind: ColumnSchema["kind"]): ColumnSchema[] =>
    columns.filter((column) => column.kind === kind && column.hidden === null).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const partitionKey = byPosition("partition_key")
  const clustering = byPosition("clustering")
  assert(partitionKey.length > 0, `table ${descriptor.keyspace}.${descriptor.name} has a partition key`)
  const statics = byName("static")
  const regulars = byName("regular")
  const visible = [...partitionKey, ...clustering.filter((column) => column.hidden === null), ...statics, ...regulars]
  const columnById = new Array<ColumnSchema | null>(descriptor.nextColumnId).fill(null)
  for (const column of columns) {
    assert(column.id < descriptor.nextColumnId && columnById[column.id] === null, `column id ${column.id} is used once and below the next`)
    columnById[column.id] = column
  }
  return {
    descriptor,
    id: descriptor.id,
    keyspace: descriptor.keyspace,
    name: descriptor.name,
    kind: descriptor.view !== null ? "view" : descriptor.indexOf !== undefined ? "index" : virtual ? "virtual" : "table",
    partitionKey,
    clustering,
    statics,
    regulars,
    hidden: columns.filter((column) => column.hidden !== null),
    columns: visible,
    columnByName: new Map(visible.map((column) => [column.name, column])),
    columnById,
    view: descriptor.view,
    views: views.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    indexes: (descriptor.indexes ?? []).map((index) => resolveIndex(descriptor, index)),
    options: descriptor.options,
    compareClustering: clusteringComparator(clustering),
  }
}

function resolveIndex(base: TableDescriptor, descriptor: IndexDescriptor): IndexSchema {
  const column = base.columns.find(({ id }) => id === descriptor.column)
  assert(column !== undefined, `index ${descriptor.name} has its column`)
  return {
    descriptor,
    name: descriptor.name,
    column,
    termType: indexTermType(column, descriptor.part),
    table: resolveTable(indexTableDescriptor(base, descriptor)),
    isStorageAttached: isStorageAttached(descriptor),
    analyzer: indexAnalyzer(descriptor),
  }
}

/** A keyspace with its views attached to their base tables. */
export function resolveKeyspace(descriptor: KeyspaceDescriptor, virtual = false): KeyspaceSchema {
  const views = descriptor.tables.filter((table) => table.view !== null).map((table) => resolveTable(table))
  const tables = descriptor.tables
    .filter((table) => table.view === null)
    .map((table) => resolveTable(table, views.filter((view) => view.view?.baseTable === table.id), virtual))
  const all = [...tables, ...views].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  return {
    name: descriptor.name,
    durableWrites: descriptor.durableWrites,
    replication: descriptor.replication,
    tables: new Map(all.map((table) => [table.name, table])),
    types: new Map(descriptor.types.map((type): [string, TypeDescriptor] => [type.name, type])),
    functions: descriptor.functions ?? [],
    aggregates: descriptor.aggregates ?? [],
    virtual,
  }
}

/** The user's keyspaces and the system's, which every release brings itself. */
export function resolveSchema(descriptor: SchemaDescriptor, system: readonly KeyspaceSchema[]): Schema {
  const keyspaces = new Map<string, KeyspaceSchema>()
  for (const keyspace of system) keyspaces.set(keyspace.name, keyspace)
  for (const keyspace of descriptor.keyspaces) {
    assert(!keyspaces.has(keyspace.name), `keyspace ${keyspace.name} is there once`)
    keyspaces.set(keyspace.name, resolveKeyspace(keyspace))
  }
  const byId = new Map<TableId, TableSchema>()
  for (const keyspace of keyspaces.values()) {
    for (const table of keyspace.tables.values()) {
      assert(!byId.has(table.id), `table id ${table.id} is used once`)
      byId.set(table.id, table)
      for (const { table: entries } of table.indexes) {
        assert(!byId.has(entries.id), `table id ${entries.id} is used once`)
        byId.set(entries.id, entries)
      }
    }
  }
  return {
    keyspaces,
    version: schemaVersion(descriptor),
    tableById: (id) => byId.get(id) ?? null,
    table: (keyspace, name) => keyspaces.get(keyspace)?.tables.get(name) ?? null,
  }
}

/** UUID text (version 3, as Cassandra's): a digest of the descriptors. */
export function schemaVersion(descriptor: SchemaDescriptor): string {
  const digest = md5(canonicalJson(descriptor.keyspaces.toSorted((a, b) => (a.name < b.name ? -1 : 1))))
  digest[6] = ((digest[6] as number) & 0x0f) | 0x30
  digest[8] = ((digest[8] as number) & 0x3f) | 0x80
  return formatUuid(digest)
}
