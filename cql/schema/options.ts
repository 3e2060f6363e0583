// The options of CREATE and ALTER for tables and views: WITH a = b AND ..., checked in Cassandra's words.
import type { TableOptions } from "../../data/schema.ts"
import { DEFAULT_TABLE_OPTIONS } from "../../data/table-options.ts"
import { ConfigurationError, InvalidRequestError } from "../errors.ts"
import type { Property } from "../language/ast-schema.ts"
import { COMPACTION_PACKAGE, compactionOption } from "./compaction.ts"
import { cachingOption, compressionOption } from "./map-options.ts"
import { Properties, formatDouble } from "./properties.ts"
import { speculationOption } from "./speculation.ts"

const KNOWN: ReadonlySet<string> = new Set([
  "additional_write_policy", "allow_auto_snapshot", "bloom_filter_fp_chance", "caching", "cdc", "comment", "compaction", "compression",
  "crc_check_chance", "default_time_to_live", "extensions", "gc_grace_seconds", "id", "incremental_backups", "max_index_interval",
  "memtable", "memtable_flush_period_in_ms", "min_index_interval", "read_repair", "speculative_retry",
])

/** The smallest false positive chance that a Bloom filter of at most 20 bits a key gives. */
const MIN_BLOOM_FILTER_FP_CHANCE = 6.71e-5
export const MAX_TIME_TO_LIVE_SECONDS = 20 * 365 * 24 * 60 * 60
const LEVELED_FP_CHANCE = 0.1

export interface GivenOptions {
  readonly options: TableOptions
  /** WITH ID = ...; null when it is not given. */
  readonly uuid: string | null
}

/** The options of a new table or view. */
export function newOptions(properties: readonly Property[]): GivenOptions {
  const given = new Properties(properties, KNOWN)
  const options = applied(DEFAULT_TABLE_OPTIONS, given)
  const leveled = options.compaction["class"] === COMPACTION_PACKAGE + "LeveledCompactionStrategy"
  const adapted = leveled && !given.has("bloom_filter_fp_chance") ? { ...options, bloomFilterFpChance: LEVELED_FP_CHANCE } : options
  check(adapted)
  return { options: adapted, uuid: tableUuid(given) }
}

export function alteredOptions(previous: TableOptions, properties: readonly Property[]): TableOptions {
  const given = new Properties(properties, KNOWN)
  if (given.has("id")) throw new ConfigurationError("Cannot alter table id.")
  const options = applied(previous, given)
  check(options)
  return options
}

function tableUuid(given: Properties): string | null {
  const text = given.text("id")
  if (text === undefined) return null
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) throw new ConfigurationError("Invalid table id")
  return text.toLowerCase()
}

function applied(previous: TableOptions, given: Properties): TableOptions {
  const map = (name: string, read: (options: ReadonlyMap<string, string>) => Readonly<Record<string, string>>): Readonly<Record<string, string>> | undefined => {
    const value = given.map(name)
    return value === undefined ? undefined : read(value)
  }
  return {
    comment: given.text("comment") ?? previous.comment,
    gcGraceSeconds: given.integer("gc_grace_seconds") ?? previous.gcGraceSeconds,
    defaultTimeToLive: given.integer("default_time_to_live") ?? previous.defaultTimeToLive,
    bloomFilterFpChance: given.double("bloom_filter_fp_chance") ?? previous.bloomFilterFpChance,
    caching: map("caching", cachingOption) ?? previous.caching,
    compaction: map("compaction", compactionOption) ?? previous.compaction,
    compression: map("compression", compressionOption) ?? previous.compression,
    memtable: memtableOption(given) ?? previous.memtable,
    crcCheckChance: given.double("crc_check_chance") ?? previous.crcCheckChance,
    minIndexInterval: given.integer("min_index_interval") ?? previous.minIndexInterval,
    maxIndexInterval: given.integer("max_index_interval") ?? previous.maxIndexInterval,
    memtableFlushPeriodInMs: given.integer("memtable_flush_period_in_ms") ?? previous.memtableFlushPeriodInMs,
    speculativeRetry: speculationOption(given.text("speculative_retry")) ?? previous.speculativeRetry,
    additionalWritePolicy: speculationOption(given.text("additional_write_policy")) ?? previous.additionalWritePolicy,
    readRepair: readRepairOption(given) ?? previous.readRepair,
    cdc: cdcOption(given) ?? previous.cdc,
    allowAutoSnapshot: given.boolean("allow_auto_snapshot") ?? previous.allowAutoSnapshot,
    incrementalBackups: given.boolean("incremental_backups") ?? previous.incrementalBackups,
    extensions: map("extensions", extensionsOption) ?? previous.extensions,
  }
}

function memtableOption(given: Properties): string | undefined {
  const name = given.text("memtable")
  if (name !== undefined && name !== "default") throw new ConfigurationError(`Memtable configuration "${name}" not found.`)
  return name
}

function readRepairOption(given: Properties): string | undefined {
  const strategy = given.text("read_repair")?.toUpperCase()
  if (strategy !== undefined && strategy !== "NONE" && strategy !== "BLOCKING") {
    throw new ConfigurationError(`Invalid value ${strategy} for 'read_repair': only 'NONE' and 'BLOCKING' are allowed`)
  }
  return strategy
}

function cdcOption(given: Properties): boolean | undefined {
  const cdc = given.boolean("cdc")
  if (cdc === true) throw new InvalidRequestError("Change data capture is not supported")
  return cdc
}

/** Values are blobs and kept as 0x text. */
function extensionsOption(options: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  for (const [name, value] of options) {
    if (!/^0x([0-9a-f]{2})*$/i.test(value)) throw new ConfigurationError(`Invalid value ${value} for extension '${name}': it should be a blob`)
  }
  return Object.fromEntries([...options].sort(([a], [b]) => (a < b ? -1 : 1)))
}

function check(options: TableOptions): void {
  const { bloomFilterFpChance, crcCheckChance, defaultTimeToLive, gcGraceSeconds, minIndexInterval, maxIndexInterval } = options
  if (bloomFilterFpChance <= MIN_BLOOM_FILTER_FP_CHANCE || bloomFilterFpChance > 1) {
    fail(`bloom_filter_fp_chance must be larger than ${formatDouble(MIN_BLOOM_FILTER_FP_CHANCE)} and less than or equal to 1.0 (got ${formatDouble(bloomFilterFpChance)})`)
  }
  if (crcCheckChance < 0 || crcCheckChance > 1) {
    fail(`crc_check_chance must be larger than or equal to 0 and smaller than or equal to 1.0 (got ${formatDouble(crcCheckChance)})`)
  }
  atLeast("default_time_to_live", defaultTimeToLive, 0)
  if (defaultTimeToLive > MAX_TIME_TO_LIVE_SECONDS) {
    fail(`default_time_to_live must be less than or equal to ${MAX_TIME_TO_LIVE_SECONDS} (got ${defaultTimeToLive})`)
  }
  atLeast("gc_grace_seconds", gcGraceSeconds, 0)
  atLeast("min_index_interval", minIndexInterval, 1)
  if (maxIndexInterval < minIndexInterval) {
    fail(`max_index_interval must be greater than or equal to min_index_interval (${minIndexInterval}) (got ${maxIndexInterval})`)
  }
  atLeast("memtable_flush_period_in_ms", options.memtableFlushPeriodInMs, 0)
}

function atLeast(name: string, value: number, least: number): void {
  if (value < least) fail(`${name} must be greater than or equal to ${least} (got ${value})`)
}

function fail(message: string): never {
  throw new ConfigurationError(message)
}
