// The tables of keyspace `system_schema`, with the columns of Cassandra 5.0. They describe every table, themselves too.
import type { CqlType } from "../../data/cql-type.ts"
import type { TableDescriptor } from "../../data/schema.ts"
import { type SystemTableDefinition, systemTable } from "./system-table.ts"
import { BLOB, BOOLEAN, DOUBLE, INT, TEXT, TIMESTAMP, UUID, frozenList, frozenMap, frozenSet } from "./system-types.ts"

const ONE_HOUR_MS = 3_600_000
const ONE_WEEK_SECONDS = 604_800

/** The columns that `tables` and `views` share. The two read repair chances mean nothing any more; drivers may still read them. */
const OPTION_COLUMNS: Readonly<Record<string, CqlType>> = {
  additional_write_policy: TEXT, allow_auto_snapshot: BOOLEAN, bloom_filter_fp_chance: DOUBLE, caching: frozenMap(TEXT, TEXT), cdc: BOOLEAN,
  comment: TEXT, compaction: frozenMap(TEXT, TEXT), compression: frozenMap(TEXT, TEXT), crc_check_chance: DOUBLE,
  dclocal_read_repair_chance: DOUBLE, default_time_to_live: INT, extensions: frozenMap(TEXT, BLOB), gc_grace_seconds: INT, id: UUID,
  incremental_backups: BOOLEAN, max_index_interval: INT, memtable: TEXT, memtable_flush_period_in_ms: INT, min_index_interval: INT,
  read_repair: TEXT, read_repair_chance: DOUBLE, speculative_retry: TEXT,
}

const DEFINITIONS: readonly SystemTableDefinition[] = [
  {
    id: 51,
    name: "keyspaces",
    options: { comment: "keyspace definitions" },
    partitionKey: { keyspace_name: TEXT },
    regular: { durable_writes: BOOLEAN, replication: frozenMap(TEXT, TEXT) },
  },
  {
    id: 52,
    name: "tables",
    options: { comment: "table definitions" },
    partitionKey: { keyspace_name: TEXT },
    clustering: { table_name: TEXT },
    regular: { ...OPTION_COLUMNS, flags: frozenSet(TEXT) },
  },
  {
    id: 53,
    name: "columns",
    options: { comment: "column definitions" },
    partitionKey: { keyspace_name: TEXT },
    clustering: { table_name: TEXT, column_name: TEXT },
    regular: { clustering_order: TEXT, column_name_bytes: BLOB, kind: TEXT, position: INT, type: TEXT },
  },
  {
    id: 54,
    name: "column_masks",
    options: { comment: "column dynamic data masks" },
    partitionKey: { keyspace_name: TEXT },
    clustering: { table_name: TEXT, column_name: TEXT },
    regular: {
      function_keyspace: TEXT, function_name: TEXT, function_argument_types: frozenList(TEXT), function_argument_values: frozenList(TEXT),
      function_argument_nulls: frozenList(BOOLEAN),
    },
  },
  {
    id: 55,
    name: "dropped_columns",
    options: { comment: "dropped column registry" },
    partitionKey: { keyspace_name: TEXT },
    clustering: { table_name: TEXT, column_name: TEXT },
    regular: { dropped_time: TIMESTAMP, kind: TEXT, type: TEXT },
  },
  {
    id: 56,
    name: "triggers",
    options: { comment: "trigger definitions" },
    partitionKey: { keyspace_name: TEXT },
    clustering: { table_name: TEXT, trigger_name: TEXT },
    regular: { options: frozenMap(TEXT, TEXT) },
  },
  {
    id: 57,
    name: "views",
    options: { comment: "view definitions" },
    partitionKey: { keyspace_name: TEXT },
    clustering: { view_name: TEXT },
    regular: { ...OPTION_COLUMNS, base_table_id: UUID, base_table_name: TEXT, include_all_columns: BOOLEAN, where_clause: TEXT },
  },
  {
    id: 58,
    name: "indexes",
    options: { comment: "secondary index definitions" },
    partitionKey: { keyspace_name: TEXT },
    clustering: { table_name: TEXT, index_name: TEXT },
    regular: { kind: TEXT, options: frozenMap(TEXT, TEXT) },
  },
  {
    id: 59,
    name: "types",
    options: { comment: "user defined type definitions" },
    partitionKey: { keyspace_name: TEXT },
    clustering: { type_name: TEXT },
    regular: { field_names: frozenList(TEXT), field_types: frozenList(TEXT) },
  },
  {
    id: 60,
    name: "functions",
    options: { comment: "user defined function definitions" },
    partitionKey: { keyspace_name: TEXT },
    clustering: { function_name: TEXT, argument_types: frozenList(TEXT) },
    regular: { argument_names: frozenList(TEXT), body: TEXT, called_on_null_input: BOOLEAN, language: TEXT, return_type: TEXT },
  },
  {
    id: 61,
    name: "aggregates",
    options: { comment: "user defined aggregate definitions" },
    partitionKey: { keyspace_name: TEXT },
    clustering: { aggregate_name: TEXT, argument_types: frozenList(TEXT) },
    regular: { final_func: TEXT, initcond: TEXT, return_type: TEXT, state_func: TEXT, state_type: TEXT },
  },
]

export const SCHEMA_TABLES: readonly TableDescriptor[] = DEFINITIONS.map((definition) =>
  systemTable("system_schema", definition, { gcGraceSeconds: ONE_WEEK_SECONDS, memtableFlushPeriodInMs: ONE_HOUR_MS }),
)
