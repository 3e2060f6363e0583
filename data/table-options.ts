// What a table has when CREATE TABLE says nothing: Cassandra 5.0's defaults.
import type { TableOptions } from "./schema.ts"

export const DEFAULT_TABLE_OPTIONS: TableOptions = Object.freeze({
  comment: "",
  gcGraceSeconds: 864_000,
  defaultTimeToLive: 0,
  bloomFilterFpChance: 0.01,
  caching: Object.freeze({ keys: "ALL", rows_per_partition: "NONE" }),
  compaction: Object.freeze({ class: "org.apache.cassandra.db.compaction.SizeTieredCompactionStrategy", max_threshold: "32", min_threshold: "4" }),
  compression: Object.freeze({ chunk_length_in_kb: "16", class: "org.apache.cassandra.io.compress.LZ4Compressor" }),
  memtable: "default",
  crcCheckChance: 1,
  minIndexInterval: 128,
  maxIndexInterval: 2048,
  memtableFlushPeriodInMs: 0,
  speculativeRetry: "99p",
  additionalWritePolicy: "99p",
  readRepair: "BLOCKING",
  cdc: false,
  allowAutoSnapshot: true,
  incrementalBackups: true,
  extensions: Object.freeze({}),
})
