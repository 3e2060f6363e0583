// Rows of system_schema and system_virtual_schema. Virtual keyspaces are described only in the latter, all others only in
// the former; a view is in `views`, not in `tables`; hidden columns are nowhere.
import { storageFlags } from "../../cql/schema/compact.ts"
import { initialConditionText } from "../../cql/describe/create-text-functions.ts"
import { indexTargetText } from "../../cql/describe/create-text-indexes.ts"
import type { ColumnSchema, KeyspaceSchema, TableOptions, TableSchema } from "../../data/schema.ts"
import { typeName } from "../../data/types/type-name.ts"
import { Buffer } from "../../runtime/pure.ts"
import type { SystemRow } from "./virtual-rows.ts"

export type SchemaRows = (keyspaces: readonly KeyspaceSchema[]) => SystemRow[]

export const keyspacesRows: SchemaRows = (keyspaces) =>
  keyspaces.map((keyspace) => ({ keyspace_name: keyspace.name, durable_writes: keyspace.durableWrites, replication: toMap(keyspace.replication) }))

export const tablesRows: SchemaRows = (keyspaces) =>
  tablesOf(keyspaces)
    .filter((table) => table.view === null)
    .map((table) => ({
      keyspace_name: table.keyspace,
      table_name: table.name,
      id: table.descriptor.uuid,
      flags: [...storageFlags(table), ...(isCounterTable(table) ? ["counter"] : [])].toSorted(),
      ...optionColumns(table.options),
    }))

export const viewsRows: SchemaRows = (keyspaces) =>
  keyspaces.flatMap((keyspace) => {
    const rows: SystemRow[] = []
    for (const base of keyspace.tables.values()) {
      for (const table of base.views) {
        const view = table.view
        if (view === null) continue
        rows.push({
          keyspace_name: keyspace.name,
          view_name: table.name,
          base_table_id: base.descriptor.uuid,
          base_table_name: base.name,
          id: table.descriptor.uuid,
          include_all_columns: view.includeAllColumns,
          where_clause: view.whereClause,
          ...optionColumns(table.options),
        })
      }
    }
    return rows
  })

export const columnsRows: SchemaRows = (keyspaces) => tablesOf(keyspaces).flatMap((table) => [...table.columns, ...table.hidden.filter(({ hidden }) => hidden === "compact")].map((column) => columnRow(table, column)))

export const droppedColumnsRows: SchemaRows = (keyspaces) =>
  tablesOf(keyspaces).flatMap((table) => {
    // A name that was dropped twice is listed once, with the last time.
    const byName = new Map(table.descriptor.droppedColumns.map((column) => [column.name, column]))
    return [...byName.values()].map((column) => ({
      keyspace_name: table.keyspace,
      table_name: table.name,
      column_name: column.name,
      dropped_time: Math.floor(column.droppedAtMicros / 1000),
      kind: column.kind,
      type: typeName(column.type),
    }))
  })

export const indexesRows: SchemaRows = (keyspaces) =>
  tablesOf(keyspaces).flatMap((table) =>
    table.indexes.map(({ name, column, descriptor }) => ({
      keyspace_name: table.keyspace,
      table_name: table.name,
      index_name: name,
      kind: descriptor.kind,
      options: toMap({ ...descriptor.options, target: indexTargetText(column.name, descriptor.part) }),
    })),
  )

export const typesRows: SchemaRows = (keyspaces) =>
  keyspaces.flatMap((keyspace) =>
    [...keyspace.types.values()].map((type) => ({
      keyspace_name: keyspace.name,
      type_name: type.name,
      field_names: type.fields.map((field) => field.name),
      field_types: type.fields.map((field) => typeName(field.type)),
    })),
  )

export const functionsRows: SchemaRows = (keyspaces) =>
  keyspaces.flatMap((keyspace) =>
    keyspace.functions.map((each) => ({
      keyspace_name: keyspace.name,
      function_name: each.name,
      argument_types: each.argumentTypes.map(typeName),
      argument_names: each.argumentNames,
      body: each.body,
      called_on_null_input: each.calledOnNullInput,
      language: each.language,
      return_type: typeName(each.returnType),
    })),
  )

export const aggregatesRows: SchemaRows = (keyspaces) =>
  keyspaces.flatMap((keyspace) =>
    keyspace.aggregates.map((each) => ({
      keyspace_name: keyspace.name,
      aggregate_name: each.name,
      argument_types: each.argumentTypes.map(typeName),
      final_func: each.finalFunction,
      initcond: initialConditionText(each),
      return_type: typeName(each.returnType),
      state_func: each.stateFunction,
      state_type: typeName(each.stateType),
    })),
  )

export const virtualKeyspacesRows: SchemaRows = (keyspaces) => keyspaces.map((keyspace) => ({ keyspace_name: keyspace.name }))

export const virtualTablesRows: SchemaRows = (keyspaces) =>
  tablesOf(keyspaces).map((table) => ({ keyspace_name: table.keyspace, table_name: table.name, comment: table.options.comment }))

function tablesOf(keyspaces: readonly KeyspaceSchema[]): TableSchema[] {
  return keyspaces.flatMap((keyspace) => [...keyspace.tables.values()])
}

function toMap(record: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  return new Map(Object.entries(record))
}

function columnRow(table: TableSchema, column: ColumnSchema): SystemRow {
  const order = column.reversed ? "desc" : "asc"
  return {
    keyspace_name: table.keyspace,
    table_name: table.name,
    column_name: column.name,
    clustering_order: column.kind === "clustering" ? order : "none",
    column_name_bytes: Buffer.from(column.name, "utf8"),
    kind: column.kind,
    position: column.position,
    type: typeName(column.type),
  }
}

function isCounterTable(table: TableSchema): boolean {
  return [...table.statics, ...table.regulars].some((column) => column.type.kind === "native" && column.type.name === "counter")
}

/** Cassandra leaves null what is as it always was before the column existed, and so do we. */
function optionColumns(options: TableOptions): SystemRow {
  return {
    additional_write_policy: options.additionalWritePolicy,
    allow_auto_snapshot: options.allowAutoSnapshot ? null : false,
    bloom_filter_fp_chance: options.bloomFilterFpChance,
    caching: toMap(options.caching),
    cdc: options.cdc ? true : null,
    comment: options.comment,
    compaction: toMap(options.compaction),
    compression: toMap(options.compression),
    crc_check_chance: options.crcCheckChance,
    dclocal_read_repair_chance: 0,
    default_time_to_live: options.defaultTimeToLive,
    extensions: new Map(Object.entries(options.extensions).map(([name, hex]) => [name, Buffer.from(hex.replace(/^0x/i, ""), "hex")])),
    gc_grace_seconds: options.gcGraceSeconds,
    incremental_backups: options.incrementalBackups ? null : false,
    max_index_interval: options.maxIndexInterval,
    memtable: options.memtable === "default" ? null : options.memtable,
    memtable_flush_period_in_ms: options.memtableFlushPeriodInMs,
    min_index_interval: options.minIndexInterval,
    read_repair: options.readRepair,
    read_repair_chance: 0,
    speculative_retry: options.speculativeRetry,
  }
}
