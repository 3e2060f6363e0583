// The tables of keyspace `system`, with the columns of Cassandra 5.0. Most of them are empty here: they are there because
// tools select from them by name.
import type { TableDescriptor } from "../../data/schema.ts"
import { type SystemTableDefinition, systemTable } from "./system-table.ts"
import {
  BIGINT, BLOB, BOOLEAN, DOUBLE, INET, INT, TEXT, TIMESTAMP, TIMEUUID, UUID, frozenList, frozenMap, list, map, set, tuple,
} from "./system-types.ts"

const ONE_HOUR_MS = 3_600_000
const ONE_WEEK_SECONDS = 604_800

const NODE_TABLES: readonly SystemTableDefinition[] = [
  {
    id: 1,
    name: "local",
    options: { comment: "information about the local node" },
    partitionKey: { key: TEXT },
    regular: {
      bootstrapped: TEXT, broadcast_address: INET, broadcast_port: INT, cluster_name: TEXT, cql_version: TEXT, data_center: TEXT,
      gossip_generation: INT, host_id: UUID, listen_address: INET, listen_port: INT, native_protocol_version: TEXT, partitioner: TEXT,
      rack: TEXT, release_version: TEXT, rpc_address: INET, rpc_port: INT, schema_version: UUID, tokens: set(TEXT), truncated_at: map(UUID, BLOB),
    },
  },
  {
    id: 2,
    name: "peers",
    options: { comment: "information about known peers in the cluster" },
    partitionKey: { peer: INET },
    regular: {
      data_center: TEXT, host_id: UUID, preferred_ip: INET, rack: TEXT, release_version: TEXT, rpc_address: INET, schema_version: UUID, tokens: set(TEXT),
    },
  },
  {
    id: 3,
    name: "peers_v2",
    options: { comment: "information about known peers in the cluster" },
    partitionKey: { peer: INET },
    clustering: { peer_port: INT },
    regular: {
      data_center: TEXT, host_id: UUID, preferred_ip: INET, preferred_port: INT, rack: TEXT, release_version: TEXT, native_address: INET,
      native_port: INT, schema_version: UUID, tokens: set(TEXT),
    },
  },
  {
    id: 4,
    name: "peer_events",
    options: { comment: "events related to peers" },
    partitionKey: { peer: INET },
    regular: { hints_dropped: map(TIMEUUID, INT) },
  },
  {
    id: 5,
    name: "peer_events_v2",
    options: { comment: "events related to peers" },
    partitionKey: { peer: INET },
    clustering: { peer_port: INT },
    regular: { hints_dropped: map(TIMEUUID, INT) },
  },
]

const VIEW_AND_INDEX_TABLES: readonly SystemTableDefinition[] = [
  {
    id: 6,
    name: "IndexInfo",
    options: { comment: "built column indexes" },
    partitionKey: { table_name: TEXT },
    clustering: { index_name: TEXT },
    regular: { value: BLOB },
  },
  {
    id: 7,
    name: "built_views",
    options: { comment: "built views" },
    partitionKey: { keyspace_name: TEXT },
    clustering: { view_name: TEXT },
    regular: { status_replicated: BOOLEAN },
  },
  {
    id: 8,
    name: "view_builds_in_progress",
    options: { comment: "views builds current progress" },
    partitionKey: { keyspace_name: TEXT },
    clustering: { view_name: TEXT, start_token: TEXT, end_token: TEXT },
    regular: { last_token: TEXT, keys_built: BIGINT },
  },
]

const ESTIMATE_TABLES: readonly SystemTableDefinition[] = [
  {
    id: 9,
    name: "size_estimates",
    options: { comment: "per-table primary range size estimates, table is deprecated in favor of table_estimates" },
    partitionKey: { keyspace_name: TEXT },
    clustering: { table_name: TEXT, range_start: TEXT, range_end: TEXT },
    regular: { mean_partition_size: BIGINT, partitions_count: BIGINT },
  },
  {
    id: 10,
    name: "table_estimates",
    options: { comment: "per-table range size estimates" },
    partitionKey: { keyspace_name: TEXT },
    clustering: { table_name: TEXT, range_type: TEXT, range_start: TEXT, range_end: TEXT },
    regular: { mean_partition_size: BIGINT, partitions_count: BIGINT },
  },
  {
    id: 11,
    name: "sstable_activity",
    options: { comment: "historic sstable read rates" },
    partitionKey: { keyspace_name: TEXT, columnfamily_name: TEXT, generation: INT },
    regular: { rate_120m: DOUBLE, rate_15m: DOUBLE },
  },
  {
    id: 12,
    name: "sstable_activity_v2",
    options: { comment: "historic sstable read rates" },
    partitionKey: { keyspace_name: TEXT, table_name: TEXT, id: TEXT },
    regular: { rate_120m: DOUBLE, rate_15m: DOUBLE },
  },
  {
    id: 13,
    name: "top_partitions",
    options: { comment: "Stores the top partitions" },
    partitionKey: { keyspace_name: TEXT },
    clustering: { table_name: TEXT, top_type: TEXT },
    regular: { top: frozenList(tuple(TEXT, BIGINT)), last_update: TIMESTAMP },
  },
  {
    id: 14,
    name: "compaction_history",
    options: { comment: "week-long compaction history", defaultTimeToLive: ONE_WEEK_SECONDS },
    partitionKey: { id: TIMEUUID },
    regular: {
      bytes_in: BIGINT, bytes_out: BIGINT, columnfamily_name: TEXT, compacted_at: TIMESTAMP, keyspace_name: TEXT, rows_merged: map(INT, BIGINT),
      compaction_properties: frozenMap(TEXT, TEXT),
    },
  },
]

const OPERATION_TABLES: readonly SystemTableDefinition[] = [
  {
    id: 15,
    name: "batches",
    options: { comment: "batches awaiting replay" },
    partitionKey: { id: TIMEUUID },
    regular: { mutations: list(BLOB), version: INT },
  },
  {
    id: 16,
    name: "prepared_statements",
    options: { comment: "prepared statements" },
    partitionKey: { prepared_id: BLOB },
    regular: { logged_keyspace: TEXT, query_string: TEXT },
  },
  {
    id: 17,
    name: "paxos",
    options: { comment: "in-progress paxos proposals" },
    partitionKey: { row_key: BLOB },
    clustering: { cf_id: UUID },
    regular: {
      in_progress_ballot: TIMEUUID, in_progress_read_ballot: TIMEUUID, most_recent_commit: BLOB, most_recent_commit_at: TIMEUUID,
      most_recent_commit_version: INT, proposal: BLOB, proposal_ballot: TIMEUUID, proposal_version: INT,
    },
  },
  {
    id: 18,
    name: "paxos_repair_history",
    options: { comment: "paxos repair history" },
    partitionKey: { keyspace_name: TEXT },
    clustering: { table_name: TEXT },
    regular: { points: frozenList(tuple(BLOB, TIMEUUID)) },
  },
  {
    id: 19,
    name: "repairs",
    options: { comment: "repairs" },
    partitionKey: { parent_id: TIMEUUID },
    regular: {
      started_at: TIMESTAMP, last_update: TIMESTAMP, repaired_at: TIMESTAMP, state: INT, coordinator: INET, coordinator_port: INT,
      participants: set(INET), participants_wp: set(TEXT), ranges: set(BLOB), cfids: set(UUID),
    },
  },
  {
    id: 20,
    name: "available_ranges",
    options: { comment: "available keyspace/ranges during bootstrap/replace that are ready to be served" },
    partitionKey: { keyspace_name: TEXT },
    regular: { ranges: set(BLOB) },
  },
  {
    id: 21,
    name: "available_ranges_v2",
    options: { comment: "available keyspace/ranges during bootstrap/replace that are ready to be served" },
    partitionKey: { keyspace_name: TEXT },
    regular: { full_ranges: set(BLOB), transient_ranges: set(BLOB) },
  },
  {
    id: 22,
    name: "transferred_ranges",
    options: { comment: "record of transferred ranges for streaming operation" },
    partitionKey: { operation: TEXT, keyspace_name: TEXT },
    clustering: { peer: INET },
    regular: { ranges: set(BLOB) },
  },
  {
    id: 23,
    name: "transferred_ranges_v2",
    options: { comment: "record of transferred ranges for streaming operation" },
    partitionKey: { operation: TEXT, keyspace_name: TEXT },
    clustering: { peer: INET, peer_port: INT },
    regular: { ranges: set(BLOB) },
  },
]

export const SYSTEM_TABLES: readonly TableDescriptor[] = [...NODE_TABLES, ...VIEW_AND_INDEX_TABLES, ...ESTIMATE_TABLES, ...OPERATION_TABLES].map(
  (definition) => systemTable("system", definition, { gcGraceSeconds: 0, memtableFlushPeriodInMs: ONE_HOUR_MS }),
)
