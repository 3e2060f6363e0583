// The WITH clause of CREATE TABLE and CREATE MATERIALIZED VIEW as DESCRIBE prints it.
import type { TableOptions, TableSchema } from "../../data/schema.ts"
import { quoteIdentifier } from "../../data/types/type-name.ts"
import { formatDouble } from "../schema/properties.ts"
import { quoteString } from "../statements/term-text.ts"

/** Quoted keys and values, sorted by key. */
export function mapText(map: Readonly<Record<string, string>>): string {
  const entries = Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, value]) => `${quoteString(key)}: ${quoteString(value)}`).join(", ")}}`
}

/** Begins with ` WITH`, ends with a semicolon; every option but the first stands on an indented line of its own. */
export function optionsText(table: TableSchema, virtual: boolean, withInternals: boolean): string {
  const options: string[] = []
  if (table.descriptor.compact === true) options.push("COMPACT STORAGE")
  if (withInternals) options.push(`ID = ${table.descriptor.uuid}`)
  if (table.clustering.length > 0) {
    const order = table.clustering.map((column) => `${quoteIdentifier(column.name)} ${column.reversed ? "DESC" : "ASC"}`)
    options.push(`CLUSTERING ORDER BY (${order.join(", ")})`)
  }
  if (virtual) options.push(`comment = ${quoteString(table.options.comment)}`)
  else options.push(...storedOptions(table.options, table.view !== null))
  return ` WITH ${options.join("\n    AND ")};`
}

/** In Cassandra's order, which is nearly that of the alphabet. */
function storedOptions(options: TableOptions, isView: boolean): string[] {
  const extensions = Object.entries(options.extensions).map(([name, hex]) => `${quoteString(name)}: ${hex}`)
  return [
    `additional_write_policy = ${quoteString(options.additionalWritePolicy)}`,
    `allow_auto_snapshot = ${String(options.allowAutoSnapshot)}`,
    `bloom_filter_fp_chance = ${formatDouble(options.bloomFilterFpChance)}`,
    `caching = ${mapText(options.caching)}`,
    `cdc = ${String(options.cdc)}`,
    `comment = ${quoteString(options.comment)}`,
    `compaction = ${mapText(options.compaction)}`,
    `compression = ${mapText(options.compression)}`,
    `memtable = ${quoteString(options.memtable)}`,
    `crc_check_chance = ${formatDouble(options.crcCheckChance)}`,
    // Data of a view expires with the base's.
    ...(isView ? [] : [`default_time_to_live = ${options.defaultTimeToLive}`]),
    `extensions = {${extensions.join(", ")}}`,
    `gc_grace_seconds = ${options.gcGraceSeconds}`,
    `incremental_backups = ${String(options.incrementalBackups)}`,
    `max_index_interval = ${options.maxIndexInterval}`,
    `memtable_flush_period_in_ms = ${options.memtableFlushPeriodInMs}`,
    `min_index_interval = ${options.minIndexInterval}`,
    `read_repair = ${quoteString(options.readRepair)}`,
    `speculative_retry = ${quoteString(options.speculativeRetry)}`,
  ]
}
