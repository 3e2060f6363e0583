// Gives every virtual system table its rows. Tables without an entry here are empty: nothing that they would tell about
// exists in this database, or nobody is using it yet.
import type { VirtualTable } from "../../cql/virtual-table.ts"
import { OPERATION, type Operation } from "../../coordinator/request-latencies.ts"
import type { KeyspaceSchema, TableId } from "../../data/schema.ts"
import { builtIndexesRows, storageAttachedIndexesRows } from "./index-rows.ts"
import { clientsRows, diskUsageRows, settingsRows, sstableTasksRows } from "./activity-rows.ts"
import { builtViewsRows, gossipRows, localRows, peersRows, peersV2Rows, viewBuildStatusRows, viewBuildsInProgressRows } from "./node-rows.ts"
import {
  type SchemaRows, aggregatesRows, columnsRows, droppedColumnsRows, functionsRows, indexesRows, keyspacesRows, tablesRows, typesRows, viewsRows, virtualKeyspacesRows, virtualTablesRows,
} from "./schema-rows.ts"
import { batchMetricsRows, cachesRows, cqlMetricsRows, maxSSTableDurationRows, maxSSTableSizeRows, pendingHintsRows, snapshotsRows, threadPoolsRows, viewUpdatesRows } from "./figures-rows.ts"
import { inboundRows, outboundRows } from "./internode-rows.ts"
import { distributionRows, latencyRows } from "./latency-rows.ts"
import { systemKeyspaces } from "./system-keyspaces.ts"
import type { NodeActivity, SystemSource } from "./system-source.ts"
import { type SystemRow, VirtualRows, type VirtualRowsSource } from "./virtual-rows.ts"

type NodeRows = (source: SystemSource) => SystemRow[]

const NODE_ROWS: Readonly<Record<string, NodeRows>> = {
  "system.local": localRows,
  "system.peers": peersRows,
  "system.peers_v2": peersV2Rows,
  "system.built_views": builtViewsRows,
  "system.view_builds_in_progress": viewBuildsInProgressRows,
  "system_distributed.view_build_status": viewBuildStatusRows,
  "system_views.clients": clientsRows,
  "system_views.disk_usage": (source) => diskUsageRows(source, allKeyspaces(source)),
  "system_views.gossip_info": gossipRows,
  "system_views.settings": settingsRows,
  "system_views.sstable_tasks": (source) => sstableTasksRows(source, allKeyspaces(source)),
  "system_views.batch_metrics": (source) => ofActivity(source, batchMetricsRows),
  "system_views.caches": (source) => ofActivity(source, cachesRows),
  "system_views.coordinator_read_latency": (source) => requestRows(source, OPERATION.read),
  "system_views.coordinator_scan_latency": (source) => requestRows(source, OPERATION.scan),
  "system_views.coordinator_write_latency": (source) => requestRows(source, OPERATION.write),
  "system_views.cql_metrics": (source) => ofActivity(source, cqlMetricsRows),
  "system_views.internode_inbound": (source) => ofActivity(source, (activity) => inboundRows(activity, source.snapshot())),
  "system_views.internode_outbound": (source) => ofActivity(source, (activity) => outboundRows(activity, source.snapshot())),
  "system_views.local_read_latency": (source) => operationRows(source, OPERATION.read),
  "system_views.local_scan_latency": (source) => operationRows(source, OPERATION.scan),
  "system_views.local_write_latency": (source) => operationRows(source, OPERATION.write),
  "system_views.max_sstable_duration": (source) => ofActivity(source, (activity) => maxSSTableDurationRows(activity, allKeyspaces(source))),
  "system_views.max_sstable_size": (source) => ofActivity(source, (activity) => maxSSTableSizeRows(activity, allKeyspaces(source))),
  "system_views.pending_hints": (source) => ofActivity(source, (activity) => pendingHintsRows(activity, source)),
  "system_views.rows_per_read": (source) => ofActivity(source, ({ local }) => distributionRows((table) => local.of(table)?.rows ?? null, allKeyspaces(source))),
  "system_views.snapshots": (source) => ofActivity(source, snapshotsRows),
  "system_views.thread_pools": (source) => ofActivity(source, threadPoolsRows),
  "system_views.tombstones_per_read": (source) => ofActivity(source, ({ local }) => distributionRows((table) => local.of(table)?.tombstones ?? null, allKeyspaces(source))),
  "system_views.view_updates": (source) => ofActivity(source, (activity) => viewUpdatesRows(activity, source)),
  "system.IndexInfo": builtIndexesRows,
  "system_views.sai_column_indexes": storageAttachedIndexesRows,
}

const STORED_SCHEMA_ROWS: Readonly<Record<string, SchemaRows>> = {
  "system_schema.keyspaces": keyspacesRows,
  "system_schema.tables": tablesRows,
  "system_schema.columns": columnsRows,
  "system_schema.dropped_columns": droppedColumnsRows,
  "system_schema.views": viewsRows,
  "system_schema.indexes": indexesRows,
  "system_schema.types": typesRows,
  "system_schema.functions": functionsRows,
  "system_schema.aggregates": aggregatesRows,
}

const VIRTUAL_SCHEMA_ROWS: Readonly<Record<string, SchemaRows>> = {
  "system_virtual_schema.keyspaces": virtualKeyspacesRows,
  "system_virtual_schema.tables": virtualTablesRows,
  "system_virtual_schema.columns": columnsRows,
}

function ofActivity({ activity }: SystemSource, rows: (activity: NodeActivity) => SystemRow[]): SystemRow[] {
  return activity === null ? [] : rows(activity)
}

function requestRows(source: SystemSource, operation: Operation): SystemRow[] {
  return ofActivity(source, ({ requests }) => latencyRows((table) => requests().of(table), operation, allKeyspaces(source)))
}

function operationRows(source: SystemSource, operation: Operation): SystemRow[] {
  return ofActivity(source, ({ local }) => latencyRows((table) => local.of(table)?.latencies ?? null, operation, allKeyspaces(source)))
}

/** Every virtual table of `systemKeyspaces()` by id. */
export function createVirtualTables(source: SystemSource): ReadonlyMap<TableId, VirtualTable> {
  const tables = new Map<TableId, VirtualTable>()
  for (const keyspace of systemKeyspaces()) {
    for (const table of keyspace.tables.values()) {
      if (table.kind === "virtual") tables.set(table.id, new VirtualRows(table, rowsOf(`${table.keyspace}.${table.name}`, source)))
    }
  }
  return tables
}

function rowsOf(name: string, source: SystemSource): VirtualRowsSource {
  const stored = STORED_SCHEMA_ROWS[name]
  if (stored !== undefined) return schemaRows(source, (keyspaces) => stored(keyspaces.filter((keyspace) => !keyspace.virtual)))
  const virtual = VIRTUAL_SCHEMA_ROWS[name]
  if (virtual !== undefined) return schemaRows(source, (keyspaces) => virtual(keyspaces.filter((keyspace) => keyspace.virtual)))
  const rows = NODE_ROWS[name]
  return { rows: () => rows?.(source) ?? [] }
}

function schemaRows(source: SystemSource, rows: SchemaRows): VirtualRowsSource {
  return { rows: () => rows(allKeyspaces(source)), version: () => source.snapshot().schema }
}

function allKeyspaces(source: SystemSource): readonly KeyspaceSchema[] {
  const byName = new Map(systemKeyspaces().map((keyspace) => [keyspace.name, keyspace]))
  for (const keyspace of source.snapshot().schema.keyspaces.values()) byName.set(keyspace.name, keyspace)
  return [...byName.values()]
}
