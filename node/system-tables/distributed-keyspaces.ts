// The tables of system_distributed, system_traces and system_auth, with the columns of Cassandra 5.0.
import { COMPACTION_PACKAGE } from "../../cql/schema/compaction.ts"
import type { TableDescriptor, TableOptions } from "../../data/schema.ts"
import { type SystemTableDefinition, systemTable } from "./system-table.ts"
import { BLOB, BOOLEAN, INET, INT, SMALLINT, TEXT, TIMESTAMP, TIMEUUID, UUID, frozenSet, map, set, tuple } from "./system-types.ts"

const THIRTY_DAYS_SECONDS = 2_592_000
const NINETY_DAYS_SECONDS = 7_776_000

const BY_DAY: Partial<TableOptions> = {
  comment: "Repair history",
  defaultTimeToLive: THIRTY_DAYS_SECONDS,
  compaction: {
    class: COMPACTION_PACKAGE + "TimeWindowCompactionStrategy", compaction_window_size: "1", compaction_window_unit: "DAYS", max_threshold: "32",
    min_threshold: "4",
  },
}

const DISTRIBUTED: readonly SystemTableDefinition[] = [
  {
    id: 101,
    name: "view_build_status",
    options: { comment: "Materialized View build status" },
    partitionKey: { keyspace_name: TEXT, view_name: TEXT },
    clustering: { host_id: UUID },
    regular: { status: TEXT },
  },
  {
    id: 102,
    name: "repair_history",
    options: BY_DAY,
    partitionKey: { keyspace_name: TEXT, columnfamily_name: TEXT },
    clustering: { id: TIMEUUID },
    regular: {
      parent_id: TIMEUUID, range_begin: TEXT, range_end: TEXT, coordinator: INET, coordinator_port: INT, participants: set(INET),
      participants_v2: set(TEXT), exception_message: TEXT, exception_stacktrace: TEXT, status: TEXT, started_at: TIMESTAMP, finished_at: TIMESTAMP,
    },
  },
  {
    id: 103,
    name: "parent_repair_history",
    options: BY_DAY,
    partitionKey: { parent_id: TIMEUUID },
    regular: {
      keyspace_name: TEXT, columnfamily_names: set(TEXT), started_at: TIMESTAMP, finished_at: TIMESTAMP, exception_message: TEXT,
      exception_stacktrace: TEXT, requested_ranges: set(TEXT), successful_ranges: set(TEXT), options: map(TEXT, TEXT),
    },
  },
  {
    id: 104,
    name: "partition_denylist",
    options: { comment: "Partition keys which have been denied access" },
    partitionKey: { ks_name: TEXT, table_name: TEXT },
    clustering: { key: BLOB },
  },
]

/** The only system tables that are stored: tracing writes them like any client. */
const TRACES: readonly SystemTableDefinition[] = [
  {
    id: 151,
    name: "sessions",
    options: { comment: "tracing sessions" },
    partitionKey: { session_id: UUID },
    regular: {
      command: TEXT, client: INET, coordinator: INET, coordinator_port: INT, duration: INT, parameters: map(TEXT, TEXT), request: TEXT,
      started_at: TIMESTAMP,
    },
  },
  {
    id: 152,
    name: "events",
    options: { comment: "tracing events" },
    partitionKey: { session_id: UUID },
    clustering: { event_id: TIMEUUID },
    regular: { activity: TEXT, source: INET, source_port: INT, source_elapsed: INT, thread: TEXT },
  },
]

const AUTH: readonly SystemTableDefinition[] = [
  {
    id: 201,
    name: "roles",
    options: { comment: "role definitions" },
    partitionKey: { role: TEXT },
    regular: { can_login: BOOLEAN, is_superuser: BOOLEAN, member_of: set(TEXT), salted_hash: TEXT },
  },
  { id: 202, name: "role_members", options: { comment: "role memberships lookup table" }, partitionKey: { role: TEXT }, clustering: { member: TEXT } },
  {
    id: 203,
    name: "role_permissions",
    options: { comment: "permissions granted to db roles" },
    partitionKey: { role: TEXT },
    clustering: { resource: TEXT },
    regular: { permissions: set(TEXT) },
  },
  {
    id: 204,
    name: "resource_role_permissons_index",
    options: { comment: "index of db roles with permissions granted on a resource" },
    partitionKey: { resource: TEXT },
    clustering: { role: TEXT },
  },
  {
    id: 205,
    name: "network_permissions",
    options: { comment: "user network permissions" },
    partitionKey: { role: TEXT },
    regular: { dcs: frozenSet(TEXT) },
  },
  {
    id: 206,
    name: "cidr_groups",
    options: { comment: "cidr groups to cidrs mapping" },
    partitionKey: { cidr_group: TEXT },
    regular: { cidrs: frozenSet(tuple(INET, SMALLINT)) },
  },
  {
    id: 207,
    name: "cidr_permissions",
    options: { comment: "user cidr permissions" },
    partitionKey: { role: TEXT },
    regular: { cidr_groups: frozenSet(TEXT) },
  },
  {
    id: 208,
    name: "identity_to_role",
    options: { comment: "mtls authorized identities lookup table" },
    partitionKey: { identity: TEXT },
    regular: { role: TEXT },
  },
]

export const DISTRIBUTED_TABLES: readonly TableDescriptor[] = DISTRIBUTED.map((definition) => systemTable("system_distributed", definition))
export const TRACES_TABLES: readonly TableDescriptor[] = TRACES.map((definition) => systemTable("system_traces", definition, { gcGraceSeconds: 0 }))
export const AUTH_TABLES: readonly TableDescriptor[] = AUTH.map((definition) =>
  systemTable("system_auth", definition, { gcGraceSeconds: NINETY_DAYS_SECONDS }),
)
