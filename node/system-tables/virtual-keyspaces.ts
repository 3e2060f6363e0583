// The tables of the virtual keyspaces: system_virtual_schema, which describes them, and system_views, which has all tables of
// Cassandra 5.0's and one for materialized views.
import type { TableDescriptor } from "../../data/schema.ts"
import { ACTIVITY_TABLES } from "./activity-tables.ts"
import { type SystemTableDefinition, systemTable } from "./system-table.ts"
import { BIGINT, BLOB, BOOLEAN, DOUBLE, INET, INT, TEXT, TIMEUUID, frozenMap } from "./system-types.ts"
import { UNUSED_TABLES } from "./unused-tables.ts"

const VIRTUAL_SCHEMA: readonly SystemTableDefinition[] = [
  { id: 301, name: "keyspaces", options: { comment: "virtual keyspace definitions" }, partitionKey: { keyspace_name: TEXT } },
  {
    id: 302,
    name: "tables",
    options: { comment: "virtual table definitions" },
    partitionKey: { keyspace_name: TEXT },
    clustering: { table_name: TEXT },
    regular: { comment: TEXT },
  },
  {
    id: 303,
    name: "columns",
    options: { comment: "virtual column definitions" },
    partitionKey: { keyspace_name: TEXT },
    clustering: { table_name: TEXT, column_name: TEXT },
    regular: { clustering_order: TEXT, column_name_bytes: BLOB, kind: TEXT, position: INT, type: TEXT },
  },
]

const VIEWS: readonly SystemTableDefinition[] = [
  {
    id: 351,
    name: "clients",
    options: { comment: "currently connected clients" },
    partitionKey: { address: INET },
    clustering: { port: INT },
    regular: {
      client_options: frozenMap(TEXT, TEXT), connection_stage: TEXT, driver_name: TEXT, driver_version: TEXT, hostname: TEXT, keyspace_name: TEXT,
      protocol_version: INT, request_count: BIGINT, ssl_cipher_suite: TEXT, ssl_enabled: BOOLEAN, ssl_protocol: TEXT, username: TEXT,
    },
  },
  { id: 352, name: "settings", options: { comment: "current settings" }, partitionKey: { name: TEXT }, regular: { value: TEXT } },
  {
    id: 353,
    name: "disk_usage",
    partitionKey: { keyspace_name: TEXT, table_name: TEXT },
    regular: { mebibytes: BIGINT },
  },
  {
    id: 354,
    name: "gossip_info",
    options: { comment: "lists the gossip information for the cluster" },
    partitionKey: { address: INET },
    clustering: { port: INT },
    regular: {
      // All but `alive` are Cassandra's.
      alive: BOOLEAN, dc: TEXT, dc_version: INT, disk_usage: TEXT, disk_usage_version: INT, generation: INT, heartbeat: INT, host_id: TEXT,
      host_id_version: INT, hostname: TEXT, index_status: TEXT, index_status_version: INT, internal_address_and_port: TEXT,
      internal_address_and_port_version: INT, internal_ip: TEXT, internal_ip_version: INT, load: TEXT, load_version: INT,
      native_address_and_port: TEXT, native_address_and_port_version: INT, net_version: TEXT, net_version_version: INT, rack: TEXT,
      rack_version: INT, release_version: TEXT, release_version_version: INT, removal_coordinator: TEXT, removal_coordinator_version: INT,
      rpc_address: TEXT, rpc_address_version: INT, rpc_ready: TEXT, rpc_ready_version: INT, schema: TEXT, schema_version: INT, severity: TEXT,
      severity_version: INT, sstable_versions: TEXT, sstable_versions_version: INT, status: TEXT, status_version: INT, status_with_port: TEXT,
      status_with_port_version: INT, tokens_version: INT, x1: TEXT, x10: TEXT, x10_version: INT, x1_version: INT, x2: TEXT, x2_version: INT,
      x3: TEXT, x3_version: INT, x4: TEXT, x4_version: INT, x5: TEXT, x5_version: INT, x6: TEXT, x6_version: INT, x7: TEXT, x7_version: INT,
      x8: TEXT, x8_version: INT, x9: TEXT, x9_version: INT, x_11_padding: TEXT, x_11_padding_version: INT,
    },
  },
  {
    id: 355,
    name: "sstable_tasks",
    options: { comment: "current sstable tasks" },
    partitionKey: { keyspace_name: TEXT },
    clustering: { table_name: TEXT, task_id: TIMEUUID },
    regular: { completion_ratio: DOUBLE, kind: TEXT, progress: BIGINT, sstables: INT, target_directory: TEXT, total: BIGINT, unit: TEXT },
  },
  {
    id: 370,
    name: "sai_column_indexes",
    options: { comment: "Storage-attached column index metadata" },
    partitionKey: { keyspace_name: TEXT },
    clustering: { index_name: TEXT },
    regular: { analyzer: TEXT, column_name: TEXT, is_building: BOOLEAN, is_queryable: BOOLEAN, is_string: BOOLEAN, table_name: TEXT },
  },
]

export const VIRTUAL_SCHEMA_TABLES: readonly TableDescriptor[] = VIRTUAL_SCHEMA.map((definition) => systemTable("system_virtual_schema", definition))
export const VIEWS_TABLES: readonly TableDescriptor[] = [...VIEWS, ...ACTIVITY_TABLES, ...UNUSED_TABLES].map((definition) => systemTable("system_views", definition))
