// Rows of the tables of system_views about how long operations on each table take: of the last minutes, but for the count.
import { type Distribution, type LatencyHistogram, NO_VALUES } from "../../coordinator/latency-histogram.ts"
import type { Operation, OperationHistograms } from "../../coordinator/request-latencies.ts"
import type { KeyspaceSchema, TableId } from "../../data/schema.ts"
import { storedTablesOf } from "./figures-rows.ts"
import type { SystemRow } from "./virtual-rows.ts"

const MICROS_PER_MS = 1000

/** A row for each stored table, also for those that nobody has asked. Values are microseconds. */
export function latencyRows(of: (table: TableId) => OperationHistograms | null, operation: Operation, keyspaces: readonly KeyspaceSchema[]): SystemRow[] {
  return storedTablesOf(keyspaces).map(({ id, keyspace, name }) => {
    const { count, perSecond, median, percentile99, max }: Distribution = of(id)?.[operation].distribution() ?? NO_VALUES
    return {
      keyspace_name: keyspace, table_name: name, count: BigInt(count), per_second: perSecond, max_ms: max / MICROS_PER_MS, p50th_ms: median / MICROS_PER_MS,
      p99th_ms: percentile99 / MICROS_PER_MS,
    }
  })
}

/** As latencyRows, of numbers without a unit. */
export function distributionRows(of: (table: TableId) => LatencyHistogram | null, keyspaces: readonly KeyspaceSchema[]): SystemRow[] {
  return storedTablesOf(keyspaces).map(({ id, keyspace, name }) => {
    const { count, median, percentile99, max } = of(id)?.distribution() ?? NO_VALUES
    return { keyspace_name: keyspace, table_name: name, count: BigInt(count), max, p50th: median, p99th: percentile99 }
  })
}
