// The compaction option of tables: strategy classes and their sub-options, each checked in Cassandra's words. What a strategy
// does with them is not decided here.
import { ConfigurationError } from "../errors.ts"
import { type Options, type StoredOptions, classNameIn, sorted } from "./map-options.ts"
import { formatDouble, parseJavaInteger } from "./properties.ts"

export const COMPACTION_PACKAGE = "org.apache.cassandra.db.compaction."

/** Throws ConfigurationError when the value of the sub-option is none. */
type Check = (value: string, name: string) => void

const anything: Check = () => undefined

function parsable(what: string, value: string, name: string): number {
  const number = value.trim() === "" ? Number.NaN : Number(value)
  const isWhole = what === "float" || /^[+-]?\d+$/.test(value)
  if (Number.isNaN(number) || !isWhole) throw new ConfigurationError(`${value} is not a parsable ${what === "float" ? what : `${what} (base10)`} for ${name}`)
  return number
}

/** Cassandra says int also where fractions are meant. */
function asNumber(value: string, name: string): number {
  const number = value.trim() === "" ? Number.NaN : Number(value)
  if (Number.isNaN(number)) throw new ConfigurationError(`${value} is not a parsable int (base10) for ${name}`)
  return number
}

const whole: Check = (value, name) => void parsable("int", value, name)
const fraction: Check = (value, name) => void parsable("float", value, name)
const sizeOrZero: Check = (value, name) => {
  if (parsable("int", value, name) < 0) throw new ConfigurationError(`${name} must be non negative: ${value}`)
}
const threshold: Check = (value, name) => {
  const number = asNumber(value, name)
  if (number < 0) throw new ConfigurationError(`${name} must be greater than 0, but was ${number.toFixed(6)}`)
}
const interval: Check = (value, name) => {
  if (parsable("int", value, name) < 0) throw new ConfigurationError(`${name} must be greater than 0, but was ${value}`)
}
const quotedBoolean: Check = (value, name) => {
  if (!isBoolean(value)) throw new ConfigurationError(`'${name}' should be either 'true' or 'false', not '${value}'`)
}
const loggedBoolean: Check = (value, name) => {
  if (!isBoolean(value)) throw new ConfigurationError(`'${name}' should either be 'true' or 'false', not ${value}`)
}
const plainBoolean: Check = (value, name) => {
  if (!isBoolean(value)) throw new ConfigurationError(`${name} should either be 'true' or 'false', not ${value}`)
}
const strictBoolean: Check = (value, name) => {
  if (!isBoolean(value)) throw new ConfigurationError(`${name} is not 'true' or 'false' (${value})`)
}
const larger: Check = (value, name) => {
  if (parsable("int", value, name) < 1) throw new ConfigurationError(`${name} must be larger than 0, but was ${value}`)
}
/** Its message names the fan-out that would be taken instead. */
const fanOut: Check = (value, name) => {
  if (parseJavaInteger(value) === null) throw new ConfigurationError(`1 is not a parsable int (base10) for ${name}`)
  larger(value, name)
}
const window: Check = (value, name) => {
  if (parsable("int", value, name) < 1) throw new ConfigurationError(`${value} must be greater than 1 for ${name}`)
}
const notNegative: Check = (value, name) => {
  if (parsable("int", value, name) < 0) throw new ConfigurationError(`${name} must not be negative, but was ${value}`)
}
const positive = (what: string): Check => (value, name) => {
  if (parsable(what, value, name) < 1) throw new ConfigurationError(`Invalid configuration, ${name} should be positive: ${value}`)
}
const oneOf = (...words: readonly string[]): Check => (value, name) => {
  if (!words.includes(value)) throw new ConfigurationError(`${value} is not valid for ${name}`)
}
const growth: Check = (value, name) => {
  const number = value.trim() === "" ? Number.NaN : Number(value)
  if (Number.isNaN(number)) throw new ConfigurationError(`${name} is not a valid number between 0 and 1: For input string: "${value}"`)
  if (number < 0 || number > 1) throw new ConfigurationError(`${name} ${value} must be between 0 and 1`)
}
const overlap: Check = (value) => {
  if (!["NONE", "SINGLE", "TRANSITIVE"].includes(value.toUpperCase())) {
    throw new ConfigurationError(`Invalid overlap inclusion method ${value}. The valid options are [NONE, SINGLE, TRANSITIVE].`)
  }
}
const byteSize: Check = (value, name) => {
  if (bytesOf(value) === null) throw new ConfigurationError(`${name} ${value} is not a valid size in bytes: ${value} does not end in unit B`)
}
const scaling: Check = (value) => {
  for (const parameter of value.split(",").map((text) => text.trim())) {
    if (!/^(N|L\d+|T\d+|[+-]?\d+)$/.test(parameter)) throw new ConfigurationError(`Scaling parameter ${parameter} must match N|L[0-9]+|T[0-9]+|[+-]?[0-9]+`)
    if (/^[LT]/.test(parameter) && Number(parameter.slice(1)) < 2) throw new ConfigurationError(`Fan factor cannot be lower than 2 in ${parameter}`)
  }
}

function isBoolean(value: string): boolean {
  return /^(true|false)$/i.test(value)
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]

/** "1.5 GiB" as bytes; null when it is no size. */
function bytesOf(text: string): number | null {
  const [, number, prefix] = /^(\d+(?:\.\d+)?)\s*([KMGTPE]i)?B$/.exec(text) ?? []
  return number === undefined ? null : Number(number) * 1024 ** UNITS.indexOf(`${prefix ?? ""}B`)
}

function sizeText(bytes: number): string {
  const unit = bytes <= 0 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10))
  return unit === 0 ? `${bytes}B` : `${(bytes / 1024 ** unit).toFixed(3)}${UNITS[unit]}`
}

const COMMON: Readonly<Record<string, Check>> = {
  tombstone_threshold: threshold, tombstone_compaction_interval: interval, unchecked_tombstone_compaction: quotedBoolean, log_all: loggedBoolean,
  only_purge_repaired_tombstones: anything, provide_overlapping_tombstones: anything, enabled: plainBoolean,
}
const SIZE_TIERED: Readonly<Record<string, Check>> = { min_threshold: anything, max_threshold: anything, min_sstable_size: sizeOrZero, bucket_low: fraction, bucket_high: fraction }

const STRATEGIES: Readonly<Record<string, Readonly<Record<string, Check>>>> = {
  SizeTieredCompactionStrategy: SIZE_TIERED,
  LeveledCompactionStrategy: { ...SIZE_TIERED, sstable_size_in_mb: larger, fanout_size: fanOut, single_sstable_uplevel: anything },
  TimeWindowCompactionStrategy: {
    ...SIZE_TIERED, timestamp_resolution: oneOf("SECONDS", "MILLISECONDS", "MICROSECONDS", "NANOSECONDS"), compaction_window_unit: oneOf("MINUTES", "HOURS", "DAYS"),
    compaction_window_size: window, expired_sstable_check_frequency_seconds: notNegative, unsafe_aggressive_sstable_expiration: strictBoolean,
  },
  UnifiedCompactionStrategy: {
    scaling_parameters: scaling, base_shard_count: positive("int"), target_sstable_size: byteSize, min_sstable_size: minimumSize, sstable_growth: growth,
    flush_size_override: byteSize, max_sstables_to_compact: whole, overlap_inclusion_method: overlap, expired_sstable_check_frequency_seconds: positive("long"),
    unsafe_aggressive_sstable_expiration: plainBoolean,
  },
}

function minimumSize(value: string, name: string): void {
  if (value.toLowerCase() !== "auto" && bytesOf(value) === null) throw new ConfigurationError(`${value} is not a valid size in bytes for ${name}`)
}

export function compactionOption(given: Options): StoredOptions {
  const options = new Map(given)
  const written = options.get("class")
  if (written === undefined) throw new ConfigurationError("Missing sub-option 'class' for the 'compaction' option")
  const className = classNameIn(COMPACTION_PACKAGE, written)
  const strategy = className.startsWith(COMPACTION_PACKAGE) ? className.slice(COMPACTION_PACKAGE.length) : ""
  const own = STRATEGIES[strategy]
  if (own === undefined) throw new ConfigurationError(`Unable to find compaction strategy class '${className}'`)
  options.set("class", className)
  checkOptions(options, own, strategy)
  return sorted(options)
}

function checkOptions(options: Map<string, string>, own: Readonly<Record<string, Check>>, strategy: string): void {
  const unknown: string[] = []
  for (const [name, value] of options) {
    const check = COMMON[name] ?? own[name]
    if (check !== undefined) check(value, name)
    else if (name !== "class") unknown.push(name)
  }
  if (unknown.length > 0) throw new ConfigurationError(`Properties specified [${unknown.join(", ")}] are not understood by ${strategy}`)
  if (own["bucket_low"] !== undefined) checkBuckets(options)
  if (own["target_sstable_size"] !== undefined) checkSizes(options)
  if (own["min_threshold"] !== undefined) checkThresholds(options)
  checkOverlappingTombstones(options)
}

function checkBuckets(options: Options): void {
  const low = Number(options.get("bucket_low") ?? 0.5)
  const high = Number(options.get("bucket_high") ?? 1.5)
  if (high <= low) throw new ConfigurationError(`bucket_high value (${formatDouble(high)}) is less than or equal to the bucket_low value (${formatDouble(low)})`)
}

const TARGET_SIZE = "1GiB"

function checkSizes(options: Options): void {
  const smallest = bytesOf(options.get("min_sstable_size") ?? "") ?? 0
  const target = bytesOf(options.get("target_sstable_size") ?? TARGET_SIZE) ?? 0
  if (smallest < target * 0.7) return
  throw new ConfigurationError(`Invalid configuration, min_sstable_size (${sizeText(smallest)}) should be less than 70% of the targetSSTableSize (${sizeText(target)})`)
}

function checkThresholds(options: Map<string, string>): void {
  if (!options.has("min_threshold")) options.set("min_threshold", "4")
  if (!options.has("max_threshold")) options.set("max_threshold", "32")
  const minimum = thresholdOf(options, "min_threshold")
  const maximum = thresholdOf(options, "max_threshold")
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

function thresholdOf(options: Options, name: string): number {
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
