// The table options whose values are maps: caching, compaction and compression. Checked as Cassandra checks them and
// brought into the form in which it keeps and prints them: full class names, defaults filled in, keys sorted.
import { ConfigurationError } from "../errors.ts"
import { parseJavaInteger } from "./schema-properties.ts"

export const COMPACTION_PACKAGE = "org.apache.cassandra.db.compaction."
const COMPRESSION_PACKAGE = "org.apache.cassandra.io.compress."

type Options = ReadonlyMap<string, string>
type StoredOptions = Readonly<Record<string, string>>

function sorted(options: Options): StoredOptions {
  return Object.fromEntries([...options].sort(([a], [b]) => (a < b ? -1 : 1)))
}

function classNameIn(packageName: string, name: string): string {
  return name.includes(".") ? name : packageName + name
}

export function cachingOption(options: Options): StoredOptions {
  const unknown = [...options.keys()].filter((key) => key !== "keys" && key !== "rows_per_partition")
  if (unknown.length > 0) {
    throw new ConfigurationError(`Invalid caching sub-options [${unknown.join(", ")}]: only 'keys' and 'rows_per_partition' are allowed`)
  }
  const keys = (options.get("keys") ?? "ALL").toUpperCase()
  if (keys !== "ALL" && keys !== "NONE") {
    throw new ConfigurationError("Invalid value for caching sub-option 'keys': only 'ALL' and 'NONE' are allowed")
  }
  const rows = (options.get("rows_per_partition") ?? "NONE").toUpperCase()
  if (rows !== "ALL" && rows !== "NONE" && !/^\d+$/.test(rows)) {
    throw new ConfigurationError("Invalid value for caching sub-option 'rows_per_partition': only 'ALL', 'NONE', and integer values are allowed")
  }
  return { keys, rows_per_partition: rows }
}

const COMMON_COMPACTION = [
  "enabled", "log_all", "only_purge_repaired_tombstones", "provide_overlapping_tombstones", "tombstone_compaction_interval",
  "tombstone_threshold", "unchecked_tombstone_compaction",
]
const THRESHOLDS = ["max_threshold", "min_threshold"]
const SIZE_TIERED = ["bucket_high", "bucket_low", "min_sstable_size"]

const COMPACTION_OPTIONS: Readonly<Record<string, readonly string[]>> = {
  SizeTieredCompactionStrategy: [...THRESHOLDS, ...SIZE_TIERED],
  LeveledCompactionStrategy: [...THRESHOLDS, ...SIZE_TIERED, "fanout_size", "single_sstable_uplevel", "sstable_size_in_mb"],
  TimeWindowCompactionStrategy: [
    ...THRESHOLDS, ...SIZE_TIERED, "compaction_window_size", "compaction_window_unit", "expired_sstable_check_frequency_seconds",
    "timestamp_resolution", "unsafe_aggressive_sstable_expiration",
  ],
  UnifiedCompactionStrategy: [
    "base_shard_count", "expired_sstable_check_frequency_seconds", "flush_size_override", "max_sstables_to_compact", "min_sstable_size",
    "overlap_inclusion_method", "scaling_parameters", "sstable_growth", "target_sstable_size", "unsafe_aggressive_sstable_expiration",
  ],
}

export function compactionOption(given: Options): StoredOptions {
  const options = new Map(given)
  const written = options.get("class")
  if (written === undefined) throw new ConfigurationError("Missing sub-option 'class' for the 'compaction' option")
  const className = classNameIn(COMPACTION_PACKAGE, written)
  const strategy = className.startsWith(COMPACTION_PACKAGE) ? className.slice(COMPACTION_PACKAGE.length) : ""
  const own = COMPACTION_OPTIONS[strategy]
  if (own === undefined) throw new ConfigurationError(`Unable to find compaction strategy class '${className}'`)
  options.set("class", className)
  const unknown = [...options.keys()].filter((key) => key !== "class" && !COMMON_COMPACTION.includes(key) && !own.includes(key))
  if (unknown.length > 0) throw new ConfigurationError(`Properties specified [${unknown.join(", ")}] are not understood by ${strategy}`)
  if (own.includes("min_threshold")) checkThresholds(options)
  checkOverlappingTombstones(options)
  return sorted(options)
}

function checkThresholds(options: Map<string, string>): void {
  if (!options.has("min_threshold")) options.set("min_threshold", "4")
  if (!options.has("max_threshold")) options.set("max_threshold", "32")
  const minimum = threshold(options, "min_threshold")
  const maximum = threshold(options, "max_threshold")
  if (minimum <= 0 || maximum <= 0) {
    throw new ConfigurationError(
      "Disabling compaction by setting compaction thresholds to 0 has been removed, set the compaction option 'enabled' to false instead.",
    )
  }
  if (minimum <= 1) throw new ConfigurationError(`Min compaction threshold cannot be less than 2 (got ${minimum})`)
  if (minimum > maximum) {
    throw new ConfigurationError(`Min compaction threshold (got ${minimum}) cannot be greater than max compaction threshold (got ${maximum})`)
  }
}

function threshold(options: Options, name: string): number {
  const text = options.get(name) ?? ""
  const value = parseJavaInteger(text)
  if (value === null) throw new ConfigurationError(`Invalid value ${text} for '${name}' compaction sub-option - must be an integer`)
  return value
}

function checkOverlappingTombstones(options: Options): void {
  const value = options.get("provide_overlapping_tombstones")?.toUpperCase()
  if (value === undefined || value === "NONE" || value === "ROW" || value === "CELL") return
  throw new ConfigurationError(
    `Invalid value ${value} for 'provide_overlapping_tombstones' compaction sub-option - must be one of the following [NONE, ROW, CELL].`,
  )
}

const COMPRESSOR_OPTIONS: Readonly<Record<string, readonly string[]>> = {
  LZ4Compressor: ["lz4_compressor_type", "lz4_high_compressor_level"],
  SnappyCompressor: [],
  DeflateCompressor: [],
  ZstdCompressor: ["compression_level"],
  NoopCompressor: [],
}
const DEFAULT_CHUNK_LENGTH_KIB = "16"
const MAX_CHUNK_LENGTH_KIB = 0x7fffffff / 1024

export function compressionOption(given: Options): StoredOptions {
  const options = new Map(given)
  const enabled = options.get("enabled")
  options.delete("enabled")
  if (given.size === 0 || (enabled !== undefined && enabled.toLowerCase() !== "true")) {
    if (options.size > 0) throw new ConfigurationError("If the 'enabled' option is set to false no other options must be specified")
    return { enabled: "false" }
  }
  const written = options.get("class")
  if (written === undefined) throw new ConfigurationError("Missing sub-option 'class' for the 'compression' option.")
  if (written === "") throw new ConfigurationError("The 'class' option must not be empty. To disable compression use 'enabled' : false")
  const className = classNameIn(COMPRESSION_PACKAGE, written)
  const own = className.startsWith(COMPRESSION_PACKAGE) ? COMPRESSOR_OPTIONS[className.slice(COMPRESSION_PACKAGE.length)] : undefined
  if (own === undefined) throw new ConfigurationError(`Could not create Compression for type ${className}`)
  for (const key of options.keys()) {
    if (key !== "class" && key !== "chunk_length_in_kb" && key !== "min_compress_ratio" && !own.includes(key)) {
      throw new ConfigurationError(`Unknown compression options ${key}`)
    }
  }
  options.set("class", className)
  options.set("chunk_length_in_kb", String(checkChunkLength(options.get("chunk_length_in_kb") ?? DEFAULT_CHUNK_LENGTH_KIB)))
  checkRatio(options)
  return sorted(options)
}

function checkChunkLength(text: string): number {
  const kibibytes = parseJavaInteger(text)
  if (kibibytes === null) throw new ConfigurationError("Invalid value for chunk_length_in_kb")
  if (kibibytes > MAX_CHUNK_LENGTH_KIB) throw new ConfigurationError(`Value of chunk_length_in_kb is too large (${kibibytes})`)
  if (kibibytes <= 0) throw new ConfigurationError("Invalid negative or null chunk_length_in_kb")
  if ((kibibytes & (kibibytes - 1)) !== 0) throw new ConfigurationError("chunk_length_in_kb must be a power of 2")
  return kibibytes
}

function checkRatio(options: Map<string, string>): void {
  const text = options.get("min_compress_ratio")
  if (text === undefined) return
  const ratio = Number(text)
  if (text.trim() === "" || Number.isNaN(ratio)) throw new ConfigurationError("Invalid value for min_compress_ratio")
  if (ratio < 0) throw new ConfigurationError("Invalid negative min_compress_ratio")
  if (ratio > 0 && ratio < 1) throw new ConfigurationError("min_compress_ratio can either be 0 or greater than or equal to 1")
  if (ratio === 0) options.delete("min_compress_ratio")
}
