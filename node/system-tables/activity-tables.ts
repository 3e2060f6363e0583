// The tables of system_views about what a node does and has done, with the columns they have in Cassandra 5.0.
import type { SystemTableDefinition } from "./system-table.ts"
import { BIGINT, BOOLEAN, DOUBLE, FLOAT, INET, INT, TEXT, TIMESTAMP, TIMEUUID, UUID, frozenList } from "./system-types.ts"

const LATENCY = { count: BIGINT, max_ms: DOUBLE, p50th_ms: DOUBLE, p99th_ms: DOUBLE, per_second: DOUBLE }
const DISTRIBUTION = { count: BIGINT, max: DOUBLE, p50th: DOUBLE, p99th: DOUBLE }

export const ACTIVITY_TABLES: readonly SystemTableDefinition[] = [
  {
    id: 400,
    name: "batch_metrics",
    options: { comment: "Metrics specific to batch statements" },
    partitionKey: { name: TEXT },
    regular: { max: BIGINT, p50th: DOUBLE, p999th: DOUBLE, p99th: DOUBLE },
  },
  {
    id: 401,
    name: "caches",
    options: { comment: "system caches" },
    partitionKey: { name: TEXT },
    regular: {
      capacity_bytes: BIGINT, entry_count: INT, hit_count: BIGINT, hit_ratio: DOUBLE, recent_hit_rate_per_second: BIGINT,
      recent_request_rate_per_second: BIGINT, request_count: BIGINT, size_bytes: BIGINT,
    },
  },
  ofTables(402, "coordinator_read_latency", LATENCY),
  ofTables(403, "coordinator_scan_latency", LATENCY),
  ofTables(404, "coordinator_write_latency", LATENCY),
  {
    id: 405,
    name: "cql_metrics",
    options: { comment: "Metrics specific to CQL prepared statement caching" },
    partitionKey: { name: TEXT },
    regular: { value: DOUBLE },
  },
  {
    id: 406,
    name: "internode_inbound",
    partitionKey: { address: INET, port: INT },
    clustering: { dc: TEXT, rack: TEXT },
    regular: {
      corrupt_frames_recovered: BIGINT, corrupt_frames_unrecovered: BIGINT, error_bytes: BIGINT, error_count: BIGINT, expired_bytes: BIGINT,
      expired_count: BIGINT, processed_bytes: BIGINT, processed_count: BIGINT, received_bytes: BIGINT, received_count: BIGINT,
      scheduled_bytes: BIGINT, scheduled_count: BIGINT, throttled_count: BIGINT, throttled_nanos: BIGINT, using_bytes: BIGINT,
      using_reserve_bytes: BIGINT,
    },
  },
  {
    id: 407,
    name: "internode_outbound",
    partitionKey: { address: INET, port: INT },
    clustering: { dc: TEXT, rack: TEXT },
    regular: {
      active_connections: BIGINT, connection_attempts: BIGINT, error_bytes: BIGINT, error_count: BIGINT, expired_bytes: BIGINT,
      expired_count: BIGINT, overload_bytes: BIGINT, overload_count: BIGINT, pending_bytes: BIGINT, pending_count: BIGINT, sent_bytes: BIGINT,
      sent_count: BIGINT, successful_connection_attempts: BIGINT, using_bytes: BIGINT, using_reserve_bytes: BIGINT,
    },
  },
  ofTables(408, "local_read_latency", LATENCY),
  ofTables(409, "local_scan_latency", LATENCY),
  ofTables(410, "local_write_latency", LATENCY),
  ofTables(411, "max_sstable_size", { mebibytes: BIGINT }),
  ofTables(424, "max_sstable_duration", { max_sstable_duration: BIGINT }),
  {
    id: 412,
    name: "pending_hints",
    options: { comment: "Pending hints that this node has for other nodes" },
    partitionKey: { host_id: UUID },
    regular: { address: INET, dc: TEXT, files: INT, newest: TIMESTAMP, oldest: TIMESTAMP, port: INT, rack: TEXT, status: TEXT },
  },
  ofTables(414, "rows_per_read", DISTRIBUTION),
  {
    id: 415,
    name: "snapshots",
    options: { comment: "available snapshots" },
    partitionKey: { name: TEXT },
    clustering: { keyspace_name: TEXT, table_name: TEXT },
    regular: { created_at: TIMESTAMP, ephemeral: BOOLEAN, expires_at: TIMESTAMP, size_on_disk: BIGINT, true_size: BIGINT },
  },
  {
    id: 416,
    name: "streaming",
    partitionKey: { id: TIMEUUID },
    regular: {
      bytes_received: BIGINT, bytes_sent: BIGINT, bytes_to_receive: BIGINT, bytes_to_send: BIGINT, duration_millis: BIGINT, failure_cause: TEXT,
      files_received: BIGINT, files_sent: BIGINT, files_to_receive: BIGINT, files_to_send: BIGINT, follower: BOOLEAN, last_updated_at: TIMESTAMP,
      operation: TEXT, peers: frozenList(TEXT), progress_percentage: FLOAT, status: TEXT, status_failure_timestamp: TIMESTAMP,
      status_init_timestamp: TIMESTAMP, status_start_timestamp: TIMESTAMP, status_success_timestamp: TIMESTAMP, success_message: TEXT,
    },
  },
  {
    id: 417,
    name: "thread_pools",
    partitionKey: { name: TEXT },
    regular: {
      active_tasks: INT, active_tasks_limit: INT, blocked_tasks: BIGINT, blocked_tasks_all_time: BIGINT, completed_tasks: BIGINT,
      pending_tasks: INT,
    },
  },
  ofTables(418, "tombstones_per_read", DISTRIBUTION),
  {
    // Of Belvedere alone.
    id: 450,
    name: "view_updates",
    options: { comment: "what this node owes to materialized views" },
    partitionKey: { keyspace_name: TEXT },
    clustering: { view_name: TEXT },
    regular: { base_table_name: TEXT, build_status: TEXT, pending_updates: BIGINT, pending_updates_of_all_views_in_log: BIGINT },
  },
]

/** Figures about each table. */
function ofTables(id: number, name: string, regular: NonNullable<SystemTableDefinition["regular"]>): SystemTableDefinition {
  return { id, name, partitionKey: { keyspace_name: TEXT, table_name: TEXT }, regular }
}
