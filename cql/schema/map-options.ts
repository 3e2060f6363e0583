// The table options whose values are maps: caching and compression here, compaction beside. Checked as Cassandra checks them
// and brought into the form in which it keeps and prints them: full class names, defaults filled in, keys sorted.
import { ConfigurationError } from "../errors.ts"
import { parseJavaInteger } from "./properties.ts"

const COMPRESSION_PACKAGE = "org.apache.cassandra.io.compress."

export type Options = ReadonlyMap<string, string>
export type StoredOptions = Readonly<Record<string, string>>

export function sorted(options: Options): StoredOptions {
  return Object.fromEntries([...options].sort(([a], [b]) => (a < b ? -1 : 1)))
}

export function classNameIn(packageName: string, name: string): string {
  return name.includes(".") ? name : packageName + name
}

export function cachingOption(options: Options): StoredOptions {
  const unknown = [...options.keys()].filter((key) => key !== "keys" && key !== "rows_per_partition")
  if (unknown.length > 0) {
    throw new ConfigurationError(`Invalid caching sub-options [${unknown.join(", ")}]: only 'keys' and 'rows_per_partition' are allowed`)
  }
  const givenKeys = options.get("keys") ?? "ALL"
  const keys = givenKeys.toUpperCase()
  if (keys !== "ALL" && keys !== "NONE") {
    throw new ConfigurationError(`Invalid value '${givenKeys}' for caching sub-option 'keys': only 'ALL' and 'NONE' are allowed`)
  }
  const givenRows = options.get("rows_per_partition") ?? "NONE"
  const rows = givenRows.toUpperCase()
  if (rows !== "ALL" && rows !== "NONE" && !/^\d+$/.test(rows)) {
    throw new ConfigurationError(`Invalid value '${givenRows}' for caching sub-option 'rows_per_partition': only 'ALL', 'NONE', and integer values are allowed`)
  }
  return { keys, rows_per_partition: rows }
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
