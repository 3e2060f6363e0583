// The hidden table that holds the entries of a secondary index. It lives in the same storage engine as the table that is
// indexed, on the same node, and is no table of any keyspace: a replica indexes what it holds itself.
//
// 1. An entry is a row without cells. Its clustering is where something is found, and its marker has the timestamp and the
//    life time of the cell that it was made from:
//
//      class   tinyint   0: `term` is the value looked for; 1: the value is too long for an entry and `term` is empty
//      term    T         the value, element, key or (key, value) pair, in the order of its type
//      token   bigint    of the partition that has it
//      key     blob      of that partition; empty when it is too long: then every partition with this token may have it
//      row     blob      the row's encoded clustering; empty: any row of the partition
//
// 2. The table has 64 partitions, each for a 64th of the ring, so that the entries of a token range lie together and none
//    becomes endless. Their keys are chosen so that their own tokens lie in the part of the ring whose entries they hold.
// 3. Entries are added by every write of a row and never taken back by one: an entry says where to look. Who finds it reads
//    the row and compares, which is why nothing is ever wrong, whatever became of the row in between.
//
// Versions: the containers' (commit log, memtable, SSTable). 1: this one.
// What is bad about it: a key is repeated for each of its entries, and an entry of a value that is gone stays until a sweep
// (coordinator/indexes/index-sweeper.ts) finds it.
import { Buffer } from "../runtime/pure.ts"
import { writeInt32 } from "./bytes.ts"
import type { CqlType } from "./cql-type.ts"
import { isMultiCell } from "./cql-type.ts"
import { decodeClustering, encodeClustering } from "./row-format.ts"
import type { ColumnDescriptor, IndexDescriptor, IndexPart, IndexSchema, TableDescriptor } from "./schema.ts"
import { compareInt64 } from "./timestamp.ts"
import { MAX_TOKEN, MIN_TOKEN, tokenOf } from "./token.ts"
import type { Token, TokenRange } from "./topology.ts"

const SHARDS = 64
const SHARD_SHIFT = 26
/** Longer values are not told apart by the index. */
const MAX_TERM_BYTES = 8192
/** Of a clustering, which is all that an entry is. */
const MAX_ENTRY_BYTES = 0xffff
/** The sizes of the five components, the class and the token. */
const FIXED_BYTES = 29
const NO_BYTES = Buffer.alloc(0)
const CLASS = { term: Buffer.from([0]), long: Buffer.from([1]) } as const

const native = (name: "blob" | "tinyint" | "bigint"): CqlType => ({ kind: "native", name })

/** Where an entry says that something is. */
export interface EntryPosition {
  readonly token: Token
  /** Empty: unknown, every partition with the token. */
  readonly key: Buffer
  /** Empty: any row of the partition. */
  readonly clustering: Buffer
}

const STORAGE_ATTACHED = new Set(["sai", "storageattachedindex", "org.apache.cassandra.index.sai.storageattachedindex"])

export function isStorageAttachedClass(className: string): boolean {
  return STORAGE_ATTACHED.has(className.toLowerCase())
}

export function isStorageAttached({ kind, options }: IndexDescriptor): boolean {
  return kind === "CUSTOM" && isStorageAttachedClass(options["class_name"] ?? "")
}

export function indexAnalyzer({ options }: IndexDescriptor): IndexSchema["analyzer"] {
  const isTrue = (name: string, missing: boolean): boolean => (options[name] === undefined ? missing : options[name].toLowerCase() === "true")
  const analyzer = { caseSensitive: isTrue("case_sensitive", true), normalize: isTrue("normalize", false), ascii: isTrue("ascii", false) }
  return analyzer.caseSensitive && !analyzer.normalize && !analyzer.ascii ? null : analyzer
}

/** The type of what an index of this part of the column is asked for. */
export function indexTermType({ type }: Pick<ColumnDescriptor, "type">, part: IndexPart): CqlType {
  if (!isMultiCell(type) || part === "full") return type
  switch (type.kind) {
    case "list":
    case "set":
      return type.element
    case "map":
      return part === "keys" ? type.key : part === "entries" ? { kind: "tuple", elements: [type.key, type.value] } : type.value
    default:
      return type
  }
}

export function indexTableDescriptor(base: TableDescriptor, index: IndexDescriptor): TableDescriptor {
  const column = base.columns.find(({ id }) => id === index.column) as ColumnDescriptor
  const key = { reversed: false, hidden: null }
  const clustering = ([["class", native("tinyint")], ["term", indexTermType(column, index.part)], ["token", native("bigint")], ["key", native("blob")], ["row", native("blob")]] as const)
  return {
    id: index.id,
    uuid: base.uuid,
    keyspace: base.keyspace,
    name: `${base.name}.${index.name}`,
    columns: [
      { id: 0, name: "shard", type: native("blob"), kind: "partition_key", position: 0, ...key },
      ...clustering.map(([name, type], position): ColumnDescriptor => ({ id: position + 1, name, type, kind: "clustering", position, ...key })),
    ],
    nextColumnId: clustering.length + 1,
    droppedColumns: [],
    // Replicas' entries differ whenever their rows do, and nobody owes them another's. What a tombstone of an entry that is
    // gone early lets come back is a place to look at in vain.
    options: { ...base.options, readRepair: "NONE", defaultTimeToLive: 0, gcGraceSeconds: 0 },
    view: null,
    indexOf: base.id,
    epoch: base.epoch,
    truncationEpoch: base.truncationEpoch,
  }
}

/** Which partition has the entries of a token. */
export function shardOf(token: Token): number {
  return (token.high ^ 0x80000000) >>> SHARD_SHIFT
}

/** For each shard the first key of two bytes whose own token lies in it. */
const KEYS = shardKeys()

function shardKeys(): readonly { readonly key: Buffer; readonly token: Token }[] {
  const found: { readonly key: Buffer; readonly token: Token }[] = []
  for (let number = 0, left = SHARDS; left > 0; number++) {
    const key = Buffer.from([number >> 8, number & 0xff])
    const token = tokenOf(key)
    if (found[shardOf(token)] !== undefined) continue
    found[shardOf(token)] = { key, token }
    left--
  }
  return found
}

export function shardKey(shard: number): Buffer {
  return (KEYS[shard] as { readonly key: Buffer }).key
}
export function shardToken(shard: number): Token {
  return (KEYS[shard] as { readonly token: Token }).token
}
/** The token just before all of a shard; of the first: the seam of the ring. */
export function shardStart(shard: number): Token {
  if (shard === 0) return MIN_TOKEN
  return { high: ((shard << SHARD_SHIFT) ^ 0x80000000) - 1, low: 0xffffffff }
}
/** The last token of a shard. */
export function shardEnd(shard: number): Token {
  return shard === SHARDS - 1 ? MAX_TOKEN : shardStart(shard + 1)
}

/** The part of the ring whose partitions hold the entries of a range. REQUIRES: the range does not wrap around. */
export function shardRange(range: TokenRange): TokenRange {
  return { start: shardStart(shardOf(range.start)), end: shardEnd(shardOf(range.end)) }
}

export function allShards(): readonly number[] {
  return Array.from({ length: SHARDS }, (_, shard) => shard)
}

/** A prefix of entries' clusterings: all entries of a term. */
export function termPrefix(term: Uint8Array): Buffer {
  return encodeClustering(term.length > MAX_TERM_BYTES ? [CLASS.long, NO_BYTES] : [CLASS.term, term])
}
/** All entries whose term is known, or of which it is not. */
export const KNOWN_TERMS = encodeClustering([CLASS.term])
export const LONG_TERMS = encodeClustering([CLASS.long])
export function isLongTerm(term: Uint8Array): boolean {
  return term.length > MAX_TERM_BYTES
}

export function encodeToken({ high, low }: Token): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeInt32BE(high, 0)
  bytes.writeUInt32BE(low >>> 0, 4)
  return bytes
}

/** The clustering of an entry. `row`: empty when any row of the partition is meant. Every write of an indexed table comes by: one buffer. */
export function encodeEntry(given: Uint8Array, token: Token, key: Uint8Array, row: Uint8Array): Buffer {
  const isLong = given.length > MAX_TERM_BYTES
  const term = isLong ? NO_BYTES : given
  const fixed = FIXED_BYTES + term.length
  const keptKey = fixed + key.length <= MAX_ENTRY_BYTES ? key : NO_BYTES
  const keptRow = keptKey.length === 0 || fixed + key.length + row.length > MAX_ENTRY_BYTES ? NO_BYTES : row
  const out = Buffer.allocUnsafe(fixed + keptKey.length + keptRow.length)
  writeInt32(out, 0, 1)
  out[4] = isLong ? 1 : 0
  let at = writeValue(out, 5, term)
  writeInt32(out, at, 8)
  writeInt32(out, at + 4, token.high)
  writeInt32(out, at + 8, token.low)
  at = writeValue(out, at + 12, keptKey)
  writeValue(out, at, keptRow)
  return out
}

function writeValue(out: Buffer, at: number, value: Uint8Array): number {
  writeInt32(out, at, value.length)
  out.set(value, at + 4)
  return at + 4 + value.length
}

/** REQUIRES: an entry's clustering. Views of it. */
export function decodeEntry(clustering: Uint8Array): EntryPosition {
  const [, , token, key, row] = decodeClustering(clustering) as [Buffer, Buffer, Buffer, Buffer, Buffer]
  return { token: { high: token.readInt32BE(0), low: token.readUInt32BE(4) }, key, clustering: row }
}

/** In the order of the ring, then of keys; rows of a partition by `compareClustering`, any row first. */
export function comparePositions(a: EntryPosition, b: EntryPosition, compareClustering: (a: Buffer, b: Buffer) => number): number {
  const order = compareInt64(a.token.high, a.token.low, b.token.high, b.token.low) || Buffer.compare(a.key, b.key)
  if (order !== 0) return order
  if (a.clustering.length === 0 || b.clustering.length === 0) return Math.min(a.clustering.length, 1) - Math.min(b.clustering.length, 1)
  return compareClustering(a.clustering, b.clustering)
}
