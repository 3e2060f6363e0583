// A table's `compaction` option as the strategies read it. The texts were checked when the table was made
// (cql/schema/compaction.ts); what is left out has Cassandra's default.
import { assert } from "../../runtime/pure.ts"

const MIB = 1 << 20
const PACKAGE = "org.apache.cassandra.db.compaction."

export interface CommonOptions {
  /** False: nothing is compacted unless somebody asks for it. */
  readonly enabled: boolean
  /** A table with a larger share of droppable tombstones is rewritten alone. */
  readonly tombstoneThreshold: number
  /** But not before it is this old. */
  readonly tombstoneIntervalSeconds: number
  /** Rewrite it also when other tables hold the same partitions. */
  readonly uncheckedTombstoneCompaction: boolean
  /** There is no incremental repair here, so that no table is repaired: then nothing is ever purged. */
  readonly onlyPurgeRepairedTombstones: boolean
}

export interface SizeTieredOptions {
  readonly minThreshold: number
  readonly maxThreshold: number
  /** Tables below it count as of one size. */
  readonly minSSTableBytes: number
  readonly bucketLow: number
  readonly bucketHigh: number
}

export interface LeveledOptions {
  readonly sstableBytes: number
  readonly fanout: number
  /** A table that overlaps nothing in the next level moves there without being rewritten. */
  readonly singleUplevel: boolean
}

export interface TimeWindowOptions {
  /** Window and timestamps in one unit: timestamps per window. */
  readonly windowTimestamps: bigint
  readonly expiredCheckSeconds: number
  /** Drop an expired table although others hold older data of the same partitions, which then comes back. */
  readonly unsafeExpiration: boolean
}

export interface UnifiedOptions {
  /** W of each level, the last one for all that follow: above 0 tiered, below 0 leveled. */
  readonly scaling: readonly number[]
  readonly baseShards: number
  readonly targetBytes: number
  readonly minBytes: number
  readonly growth: number
  /** Null: as large as memtables are. */
  readonly flushBytes: number | null
  /** 0: no bound. */
  readonly maxTables: number
  readonly overlapInclusion: "NONE" | "SINGLE" | "TRANSITIVE"
  readonly expiredCheckSeconds: number
  readonly unsafeExpiration: boolean
}

export type CompactionOptions = CommonOptions &
  (
    | { readonly strategy: "SizeTieredCompactionStrategy"; readonly tiers: SizeTieredOptions }
    | { readonly strategy: "LeveledCompactionStrategy"; readonly tiers: SizeTieredOptions; readonly levels: LeveledOptions }
    | { readonly strategy: "TimeWindowCompactionStrategy"; readonly tiers: SizeTieredOptions; readonly windows: TimeWindowOptions }
    | { readonly strategy: "UnifiedCompactionStrategy"; readonly unified: UnifiedOptions }
  )

type Texts = Readonly<Record<string, string>>

/** REQUIRES: the option passed the checks of CREATE TABLE. */
export function parseCompactionOptions(texts: Texts): CompactionOptions {
  const common: CommonOptions = {
    enabled: flag(texts, "enabled", true),
    tombstoneThreshold: number(texts, "tombstone_threshold", 0.2),
    tombstoneIntervalSeconds: number(texts, "tombstone_compaction_interval", 86_400),
    uncheckedTombstoneCompaction: flag(texts, "unchecked_tombstone_compaction", false),
    onlyPurgeRepairedTombstones: flag(texts, "only_purge_repaired_tombstones", false),
  }
  const strategy = (texts["class"] ?? "SizeTieredCompactionStrategy").replace(PACKAGE, "")
  switch (strategy) {
    case "SizeTieredCompactionStrategy":
      return { ...common, strategy, tiers: tierOptions(texts) }
    case "LeveledCompactionStrategy":
      return { ...common, strategy, tiers: tierOptions(texts), levels: levelOptions(texts) }
    case "TimeWindowCompactionStrategy":
      return { ...common, strategy, tiers: tierOptions(texts), windows: windowOptions(texts) }
    default:
      assert(strategy === "UnifiedCompactionStrategy", `a compaction strategy, not ${strategy}`)
      return { ...common, strategy: "UnifiedCompactionStrategy", unified: unifiedOptions(texts) }
  }
}

function tierOptions(texts: Texts): SizeTieredOptions {
  return {
    minThreshold: number(texts, "min_threshold", 4),
    maxThreshold: number(texts, "max_threshold", 32),
    minSSTableBytes: number(texts, "min_sstable_size", 50 * MIB),
    bucketLow: number(texts, "bucket_low", 0.5),
    bucketHigh: number(texts, "bucket_high", 1.5),
  }
}

function levelOptions(texts: Texts): LeveledOptions {
  return {
    sstableBytes: number(texts, "sstable_size_in_mb", 160) * MIB,
    fanout: number(texts, "fanout_size", 10),
    singleUplevel: flag(texts, "single_sstable_uplevel", true),
  }
}

const UNIT_SECONDS: Texts = { MINUTES: "60", HOURS: "3600", DAYS: "86400" }
const PER_SECOND: Texts = { SECONDS: "1", MILLISECONDS: "1000", MICROSECONDS: "1000000", NANOSECONDS: "1000000000" }

function windowOptions(texts: Texts): TimeWindowOptions {
  const unitSeconds = BigInt(UNIT_SECONDS[texts["compaction_window_unit"] ?? "DAYS"] as string)
  const perSecond = BigInt(PER_SECOND[texts["timestamp_resolution"] ?? "MICROSECONDS"] as string)
  return {
    windowTimestamps: BigInt(number(texts, "compaction_window_size", 1)) * unitSeconds * perSecond,
    expiredCheckSeconds: number(texts, "expired_sstable_check_frequency_seconds", 600),
    unsafeExpiration: flag(texts, "unsafe_aggressive_sstable_expiration", false),
  }
}

function unifiedOptions(texts: Texts): UnifiedOptions {
  const targetBytes = size(texts["target_sstable_size"] ?? "1GiB")
  const given = texts["min_sstable_size"] ?? "100MiB"
  const method = (texts["overlap_inclusion_method"] ?? "TRANSITIVE").toUpperCase()
  return {
    scaling: (texts["scaling_parameters"] ?? "T4").split(",").map((text) => scalingOf(text.trim())),
    baseShards: number(texts, "base_shard_count", 4),
    targetBytes,
    minBytes: given.toLowerCase() === "auto" ? 0 : size(given),
    growth: number(texts, "sstable_growth", 0.333),
    flushBytes: texts["flush_size_override"] === undefined ? null : size(texts["flush_size_override"]),
    maxTables: Math.max(0, number(texts, "max_sstables_to_compact", 0)),
    overlapInclusion: method === "NONE" || method === "SINGLE" ? method : "TRANSITIVE",
    expiredCheckSeconds: number(texts, "expired_sstable_check_frequency_seconds", 600),
    unsafeExpiration: flag(texts, "unsafe_aggressive_sstable_expiration", false),
  }
}

/** T4 is 2, L10 is -8, N is 0. */
function scalingOf(text: string): number {
  if (text === "N") return 0
  const value = Number(/^[LT]/.test(text) ? text.slice(1) : text)
  return text.startsWith("T") ? value - 2 : text.startsWith("L") ? 2 - value : value
}

const UNITS = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]

function size(text: string): number {
  const [, value, prefix] = /^(\d+(?:\.\d+)?)\s*([KMGTPE]i)?B$/.exec(text) ?? []
  assert(value !== undefined, `a size in bytes, not ${text}`)
  return Number(value) * 1024 ** UNITS.indexOf(prefix ?? "")
}

function number(texts: Texts, name: string, otherwise: number): number {
  return texts[name] === undefined ? otherwise : Number(texts[name])
}

function flag(texts: Texts, name: string, otherwise: boolean): boolean {
  return texts[name] === undefined ? otherwise : texts[name].toLowerCase() === "true"
}
