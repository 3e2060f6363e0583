// Rows of system_views about storage, statements, hints and views: figures that the parts of the node keep.
import type { KeyspaceSchema, TableSchema } from "../../data/schema.ts"
import type { CacheFigures } from "../../storage/sstable/block-cache.ts"
import type { PoolFigures } from "../../runtime/real/real-jobs.ts"
import type { NodeActivity, SystemSource } from "./system-source.ts"
import type { SystemRow } from "./virtual-rows.ts"

const BYTES_PER_MEBIBYTE = 1024 * 1024

/** Cassandra's `chunks` is its cache of blocks; it has none for the blocks of indexes. Rates are left out: nobody samples them. */
export function cachesRows({ storage }: NodeActivity): SystemRow[] {
  const { blocks, indexBlocks } = storage.cacheFigures()
  return [cacheRow("chunks", blocks), cacheRow("index_blocks", indexBlocks)]
}

function cacheRow(name: string, { capacityBytes, bytes, entries, hits, requests }: CacheFigures): SystemRow {
  return {
    name, capacity_bytes: BigInt(capacityBytes), entry_count: entries, hit_count: BigInt(hits), hit_ratio: hits / requests, request_count: BigInt(requests),
    size_bytes: BigInt(bytes),
  }
}

export function cqlMetricsRows({ statements }: NodeActivity): SystemRow[] {
  const { preparedCount, preparedEvicted, preparedExecuted, regularExecuted } = statements()
  const executed = preparedExecuted + regularExecuted
  return Object.entries({
    prepared_statements_count: preparedCount, prepared_statements_evicted: preparedEvicted, prepared_statements_executed: preparedExecuted,
    prepared_statements_ratio: executed === 0 ? 0 : preparedExecuted / executed, regular_statements_executed: regularExecuted,
  }).map(([name, value]) => ({ name, value }))
}

/** Partitions by batch. */
export function batchMetricsRows({ batchSizes }: NodeActivity): SystemRow[] {
  return Object.entries(batchSizes()).map(([type, sizes]) => {
    const { max, median, percentile99, percentile999 } = sizes.distribution()
    return { name: `partitions_per_${type.toLowerCase()}_batch`, max: BigInt(max), p50th: median, p99th: percentile99, p999th: percentile999 }
  })
}

/** Flushes have threads of their own; compactions share theirs with verifications, in Cassandra as well. */
export function threadPoolsRows({ jobs }: NodeActivity): SystemRow[] {
  const { foreground, background } = jobs.figures()
  const rows = [poolRow("MemtableFlushWriter", foreground)]
  if (background !== null) rows.push(poolRow("CompactionExecutor", background))
  return rows
}

function poolRow(name: string, { active, limit, pending, completed }: PoolFigures): SystemRow {
  return {
    name, active_tasks: active, active_tasks_limit: limit, blocked_tasks: 0n, blocked_tasks_all_time: 0n, completed_tasks: BigInt(completed), pending_tasks: pending,
  }
}

export function snapshotsRows({ storage }: NodeActivity): SystemRow[] {
  return storage.listSnapshots().map((info) => ({
    name: info.name, keyspace_name: info.table.keyspace, table_name: info.table.name, created_at: BigInt(Math.floor(info.createdAtMicros / 1000)),
    ephemeral: false, size_on_disk: BigInt(info.sstables.reduce((sum, { bytes }) => sum + bytes, 0)), true_size: BigInt(storage.trueSize(info)),
  }))
}

export function pendingHintsRows({ hints }: NodeActivity, source: SystemSource): SystemRow[] {
  const { nodes } = source.snapshot()
  return hints.pendingFiles().flatMap(({ node, files, oldestMicros, newestMicros }) => {
    const peer = nodes.get(node)
    if (peer === undefined) return []
    return {
      host_id: peer.hostId, address: peer.listenAddress, port: peer.listenPort, dc: peer.dataCenter, rack: peer.rack, files,
      oldest: BigInt(Math.floor(oldestMicros / 1000)), newest: BigInt(Math.floor(newestMicros / 1000)), status: source.liveness.isAlive(node) ? "UP" : "DOWN",
    }
  })
}

export function maxSSTableSizeRows({ storage }: NodeActivity, keyspaces: readonly KeyspaceSchema[]): SystemRow[] {
  return storedTablesOf(keyspaces).map(({ id, keyspace, name }) => {
    const bytes = storage.sstableFigures(id).reduce((largest, sstable) => Math.max(largest, sstable.bytes), 0)
    return { keyspace_name: keyspace, table_name: name, mebibytes: BigInt(Math.ceil(bytes / BYTES_PER_MEBIBYTE)) }
  })
}

/** In milliseconds: how far apart the timestamps of one SSTable are. */
export function maxSSTableDurationRows({ storage }: NodeActivity, keyspaces: readonly KeyspaceSchema[]): SystemRow[] {
  return storedTablesOf(keyspaces).map(({ id, keyspace, name }) => {
    const micros = storage.sstableFigures(id).reduce((longest, { spanMicros }) => Math.max(longest, spanMicros), 0)
    return { keyspace_name: keyspace, table_name: name, max_sstable_duration: BigInt(Math.floor(micros / 1000)) }
  })
}

/** `build_status` as in system_distributed.view_build_status, of this node; null: it has not begun. */
export function viewUpdatesRows({ views }: NodeActivity, source: SystemSource): SystemRow[] {
  const { schema, viewBuilds } = source.snapshot()
  const { byView, inLog } = views.pendingByView()
  const rows: SystemRow[] = []
  for (const keyspace of schema.keyspaces.values()) {
    for (const view of keyspace.tables.values()) {
      if (view.kind !== "view") continue
      const base = view.view === null ? null : schema.tableById(view.view.baseTable)
      rows.push({
        keyspace_name: keyspace.name, view_name: view.name, base_table_name: base?.name ?? null, build_status: viewBuilds.get(view.id)?.get(source.self) ?? null,
        pending_updates: BigInt(byView.get(view.id) ?? 0), pending_updates_of_all_views_in_log: BigInt(inLog),
      })
    }
  }
  return rows
}

export function storedTablesOf(keyspaces: readonly KeyspaceSchema[]): TableSchema[] {
  return keyspaces.flatMap(({ tables }) => [...tables.values()].filter(({ kind }) => kind !== "virtual"))
}
