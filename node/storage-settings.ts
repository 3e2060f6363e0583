// A node's settings of its storage, by cassandra.yaml's names: what the command line takes, what system_views.settings shows,
// what the store is opened with.
import { type Command, Option } from "commander"
import type { CommitLogSync } from "../storage/log/commit-log.ts"
import { type CommitFailurePolicy, DEFAULT_STORE_OPTIONS, type DiskFailurePolicy, type StoreOptions } from "../storage/store-options.ts"

export interface StorageSettings {
  readonly commitlogSync: CommitLogSync
  readonly commitlogSyncPeriodMs: number
  readonly commitlogSyncGroupWindowMs: number
  readonly commitlogSegmentSizeBytes: number
  readonly commitlogTotalSpaceBytes: number
  readonly commitFailurePolicy: CommitFailurePolicy
  readonly diskFailurePolicy: DiskFailurePolicy
  /** Of blocks of data files, decompressed. */
  readonly fileCacheSizeBytes: number
  readonly concurrentCompactors: number
  /** Of all compactions together; 0: no limit. */
  readonly compactionThroughputBytes: number
}

const MEBIBYTE = 1024 * 1024

export const DEFAULT_STORAGE_SETTINGS: StorageSettings = {
  commitlogSync: DEFAULT_STORE_OPTIONS.commitlogSync,
  commitlogSyncPeriodMs: DEFAULT_STORE_OPTIONS.commitlogSyncPeriodMs,
  commitlogSyncGroupWindowMs: DEFAULT_STORE_OPTIONS.commitlogSyncGroupWindowMs,
  commitlogSegmentSizeBytes: DEFAULT_STORE_OPTIONS.commitlogSegmentBytes,
  commitlogTotalSpaceBytes: DEFAULT_STORE_OPTIONS.commitlogTotalBytes,
  commitFailurePolicy: DEFAULT_STORE_OPTIONS.commitFailurePolicy,
  diskFailurePolicy: DEFAULT_STORE_OPTIONS.diskFailurePolicy,
  fileCacheSizeBytes: DEFAULT_STORE_OPTIONS.blockCacheBytes,
  concurrentCompactors: DEFAULT_STORE_OPTIONS.concurrentCompactors,
  compactionThroughputBytes: DEFAULT_STORE_OPTIONS.compactionThroughputBytes,
}

/** As commander names the options that `addStorageOptions` adds. */
export interface StorageWords {
  readonly commitlogSync: CommitLogSync
  readonly commitlogSyncPeriod: number
  readonly commitlogSyncGroupWindow: number
  readonly commitlogSegmentSize: number
  readonly commitlogTotalSpace: number
  readonly commitFailurePolicy: CommitFailurePolicy
  readonly diskFailurePolicy: DiskFailurePolicy
  readonly fileCacheSize: number
  readonly concurrentCompactors: number
  readonly compactionThroughput: number
}

/** `integer` makes a parser of whole numbers within bounds. */
export function addStorageOptions(command: Command, integer: (least: number, most: number) => (text: string) => number): Command {
  const defaults = DEFAULT_STORAGE_SETTINGS
  const policies = ["stop", "stop_commit", "ignore", "die"]
  const diskPolicies = ["stop", "stop_paranoid", "best_effort", "ignore", "die"]
  return command
    .addOption(new Option("--commitlog-sync <mode>", "when a write is acknowledged").choices(["periodic", "batch", "group"]).default(defaults.commitlogSync))
    .option("--commitlog-sync-period <ms>", "the log is synced at least so often", integer(1, 3_600_000), defaults.commitlogSyncPeriodMs)
    .option("--commitlog-sync-group-window <ms>", "time between syncs of mode group", integer(1, 60_000), defaults.commitlogSyncGroupWindowMs)
    .option("--commitlog-segment-size <mebibytes>", "size of a log file; a mutation is at most half of it", integer(1, 2047), defaults.commitlogSegmentSizeBytes / MEBIBYTE)
    .option("--commitlog-total-space <mebibytes>", "tables that hold more log than this back are flushed", integer(1, 1_048_576), defaults.commitlogTotalSpaceBytes / MEBIBYTE)
    .addOption(new Option("--commit-failure-policy <policy>", "when the disk under the log fails").choices(policies).default(defaults.commitFailurePolicy))
    .addOption(new Option("--disk-failure-policy <policy>", "when a data file cannot be read or written").choices(diskPolicies).default(defaults.diskFailurePolicy))
    .option("--file-cache-size <mebibytes>", "memory for blocks of data files", integer(1, 1_048_576), defaults.fileCacheSizeBytes / MEBIBYTE)
    .option("--concurrent-compactors <count>", "compactions that run at once, each on a thread of its own", integer(1, 64), defaults.concurrentCompactors)
    .option("--compaction-throughput <mebibytes>", "what all compactions read in a second; 0: no limit", integer(0, 1_048_576), defaults.compactionThroughputBytes / MEBIBYTE)
}

export function storageSettings(words: StorageWords): StorageSettings {
  return {
    commitlogSync: words.commitlogSync,
    commitlogSyncPeriodMs: words.commitlogSyncPeriod,
    commitlogSyncGroupWindowMs: words.commitlogSyncGroupWindow,
    commitlogSegmentSizeBytes: words.commitlogSegmentSize * MEBIBYTE,
    commitlogTotalSpaceBytes: words.commitlogTotalSpace * MEBIBYTE,
    commitFailurePolicy: words.commitFailurePolicy,
    diskFailurePolicy: words.diskFailurePolicy,
    fileCacheSizeBytes: words.fileCacheSize * MEBIBYTE,
    concurrentCompactors: words.concurrentCompactors,
    compactionThroughputBytes: words.compactionThroughput * MEBIBYTE,
  }
}

export function storeOptionsOf(settings: StorageSettings): Partial<StoreOptions> {
  return {
    commitlogSync: settings.commitlogSync,
    commitlogSyncPeriodMs: settings.commitlogSyncPeriodMs,
    commitlogSyncGroupWindowMs: settings.commitlogSyncGroupWindowMs,
    commitlogSegmentBytes: settings.commitlogSegmentSizeBytes,
    commitlogTotalBytes: settings.commitlogTotalSpaceBytes,
    commitFailurePolicy: settings.commitFailurePolicy,
    diskFailurePolicy: settings.diskFailurePolicy,
    blockCacheBytes: settings.fileCacheSizeBytes,
    concurrentCompactors: settings.concurrentCompactors,
    compactionThroughputBytes: settings.compactionThroughputBytes,
  }
}

/** For system_views.settings. */
export function storageSettingRows(settings: StorageSettings): [string, string][] {
  return [
    ["commitlog_sync", settings.commitlogSync], ["commitlog_sync_period", `${settings.commitlogSyncPeriodMs}ms`],
    ["commitlog_sync_group_window", `${settings.commitlogSyncGroupWindowMs}ms`],
    ["commitlog_segment_size", `${settings.commitlogSegmentSizeBytes / MEBIBYTE}MiB`], ["commitlog_total_space", `${settings.commitlogTotalSpaceBytes / MEBIBYTE}MiB`],
    ["commit_failure_policy", settings.commitFailurePolicy], ["disk_failure_policy", settings.diskFailurePolicy],
    ["file_cache_size", `${settings.fileCacheSizeBytes / MEBIBYTE}MiB`], ["concurrent_compactors", `${settings.concurrentCompactors}`],
    ["compaction_throughput", `${settings.compactionThroughputBytes / MEBIBYTE}MiB/s`],
  ]
}
