// Decides, while SSTables are merged, what of a partition may be left out for good.
//
// 1. It died before `gcBefore`: gc_grace_seconds ago, so that every replica has heard of it (F4 of docs/views.md).
// 2. It is older than anything that the partition may have outside the compaction, in other SSTables (Bloom filter, lowest
//    timestamp) and in memtables: what it shadows must not come back. This bound is worked out once for a partition, and
//    only when something in it is dead.
// 3. The partition is not fenced: no view is still owed something about a row of it (F2).
// 4. Whoever starts the compaction has seen to it that a view's purge comes late enough (F3).
//
// What was purged is noted: its tokens, so that the start can be checked again at the end, and the highest timestamp.
import type { Buffer } from "../../runtime/pure.ts"
import { ByteReader, ByteWriter, readUint16, readUint32 } from "../../data/bytes.ts"
import { CELL_KIND, type Deletion, type RangeTombstone } from "../../data/row.ts"
import { FLAG, clusteringEnd, decodeRow, encodeRow, itemFlags, simpleColumnsAt, simpleTimestampAt } from "../../data/row-format.ts"
import type { TableSchema } from "../../data/schema.ts"
import { compareInt64, highOfBigInt, lowOfBigInt } from "../../data/timestamp.ts"
import { countSlots, sortedTokens } from "../memtable/partition-index.ts"
import type { SSTable } from "../sstable/sstable.ts"
import { type PurgeRules, purgeEntry, purgeRow } from "./purge-row.ts"
import { TokenList, TokenSet } from "./token-set.ts"

/** Of a compaction's spec: cloneable. */
export interface PurgeSpec {
  /** Seconds. */
  readonly gcBefore: number
  /** See PurgeRules. */
  readonly masks: boolean
  /** Partitions from which nothing may be purged, as a TokenSet. */
  readonly fenced: Int32Array
  /** SSTables outside the compaction that may hold something as old as what is in it. */
  readonly others: readonly string[]
  /** The same for memtables: their lowest timestamps, and the tokens they have, as slot arrays. */
  readonly memtables: readonly { readonly high: number; readonly low: number; readonly slots: readonly Int32Array[] }[]
}

export interface PurgeResult {
  /** Of the partitions from which something was purged: a TokenSet. */
  readonly tokens: Int32Array
  /** For each of them the highest timestamp of it: pairs (high, low). */
  readonly highest: Int32Array
  /** The highest timestamp of what was purged. */
  readonly maxHigh: number
  readonly maxLow: number
}

/** The highest timestamp of what was purged from the partition at this index. */
export function highestPurged({ highest }: PurgeResult, index: number): { readonly high: number; readonly low: number } {
  return { high: highest[2 * index] as number, low: (highest[2 * index + 1] as number) >>> 0 }
}

/** After so many partitions the rest keeps what is dead until the next time: the tokens are kept in memory. */
const MAX_PARTITIONS = 1 << 22

interface Outside {
  readonly high: number
  readonly low: number
  mayHave(tokenHigh: number, tokenLow: number): boolean
}

export class Purger implements PurgeRules {
  readonly masks: boolean
  /** What `row` has changed. */
  readonly out = new ByteWriter(256)
  readonly #table: TableSchema
  readonly #spec: PurgeSpec
  readonly #fenced: TokenSet
  readonly #outside: Outside[]
  readonly #purged = new TokenList()
  /** Parallel to it: pairs (high, low). */
  readonly #highest: number[] = []
  #maxHigh = -0x80000000
  #maxLow = 0
  #tokenHigh = 0
  #tokenLow = 0
  /** The current partition's bound is known. */
  #isBounded = false
  #boundHigh = 0
  #boundLow = 0
  #hasPurged = false

  /** `others`: the open SSTables of the spec. */
  constructor(table: TableSchema, spec: PurgeSpec, others: readonly SSTable[]) {
    this.#table = table
    this.#spec = spec
    this.masks = spec.masks
    this.#fenced = new TokenSet(spec.fenced)
    this.#outside = [...others.map(outsideOfSSTable), ...spec.memtables.map(outsideOfMemtable)]
  }

  partition(tokenHigh: number, tokenLow: number): void {
    this.#tokenHigh = tokenHigh
    this.#tokenLow = tokenLow
    this.#isBounded = false
    this.#hasPurged = false
  }

  /** The partition deletion, or null when it may go. */
  deletion(deletion: Deletion | null): Deletion | null {
    return deletion === null || this.mayGo(deletion.timestampHigh, deletion.timestampLow, deletion.localDeletionTime) ? null : deletion
  }

  /** Whether a range tombstone stays. */
  keeps({ deletion }: RangeTombstone): boolean {
    return this.deletion(deletion) !== null
  }

  /** What becomes of a row: it stays as it is, less is left of it (in `out`), or nothing. */
  row(bytes: Buffer, at: number): "kept" | "changed" | "gone" {
    const { gcBefore } = this.#spec
    const isView = this.#table.kind === "view"
    if (isView ? !this.#mayEntryBeDead(bytes, at) : !hasDead(bytes, at, gcBefore)) return "kept"
    const row = decodeRow(new ByteReader(bytes, at))
    const left = isView ? purgeEntry(this.#table, row, this) : purgeRow(row, this)
    if (left === row) return "kept"
    if (left === null) {
      // A mask goes with what is not dead in it.
      if (isView) visitTimes(bytes, at, (high, low) => this.#note(high, low))
      return "gone"
    }
    this.out.reset()
    encodeRow(left, this.out)
    return "changed"
  }

  mayGo(timestampHigh: number, timestampLow: number, second: number): boolean {
    if (second >= this.#spec.gcBefore || !this.isUnneeded(timestampHigh, timestampLow)) return false
    this.#note(timestampHigh, timestampLow)
    return true
  }

  isUnneeded(timestampHigh: number, timestampLow: number): boolean {
    if (!this.#isBounded) this.#bound()
    return compareInt64(timestampHigh, timestampLow, this.#boundHigh, this.#boundLow) < 0
  }

  result(): PurgeResult | null {
    return this.#purged.size === 0 ? null : { tokens: this.#purged.pairs(), highest: Int32Array.from(this.#highest), maxHigh: this.#maxHigh, maxLow: this.#maxLow }
  }

  /** Everything below the bound is older than whatever else there may be of the partition. */
  #bound(): void {
    this.#isBounded = true
    this.#boundHigh = 0x7fffffff
    this.#boundLow = 0xffffffff
    const isFull = this.#purged.size >= MAX_PARTITIONS
    if (isFull || this.#fenced.has(this.#tokenHigh, this.#tokenLow)) {
      this.#boundHigh = -0x80000000
      this.#boundLow = 0
      return
    }
    for (const outside of this.#outside) {
      if (compareInt64(outside.high, outside.low, this.#boundHigh, this.#boundLow) >= 0 || !outside.mayHave(this.#tokenHigh, this.#tokenLow)) continue
      this.#boundHigh = outside.high
      this.#boundLow = outside.low
    }
  }

  /** Simple entries without witness are masks; all others that are simple are seen by readers. */
  #mayEntryBeDead(bytes: Buffer, at: number): boolean {
    if ((itemFlags(bytes, at) & FLAG.simple) === 0) return true
    if (!this.masks) return false
    const columns = simpleColumnsAt(bytes, at)
    const witness = this.#table.descriptor.view?.witness
    for (let left = readUint16(bytes, columns); left > 0; left--) if (readUint16(bytes, columns + 2 * left) === witness) return false
    return true
  }

  #note(timestampHigh: number, timestampLow: number): void {
    if (compareInt64(timestampHigh, timestampLow, this.#maxHigh, this.#maxLow) > 0) {
      this.#maxHigh = timestampHigh
      this.#maxLow = timestampLow
    }
    const last = this.#highest.length - 2
    if (!this.#hasPurged) {
      this.#hasPurged = true
      this.#purged.add(this.#tokenHigh, this.#tokenLow)
      this.#highest.push(timestampHigh, timestampLow)
    } else if (compareInt64(timestampHigh, timestampLow, this.#highest[last] as number, this.#highest[last + 1] as number) > 0) {
      this.#highest[last] = timestampHigh
      this.#highest[last + 1] = timestampLow
    }
  }
}

function outsideOfSSTable(sstable: SSTable): Outside {
  const { minTimestamp, firstToken, lastToken } = sstable.statistics
  const [lowest, first, last] = [BigInt(minTimestamp), BigInt(firstToken), BigInt(lastToken)]
  const [firstHigh, firstLow, lastHigh, lastLow] = [highOfBigInt(first), lowOfBigInt(first), highOfBigInt(last), lowOfBigInt(last)]
  return {
    high: highOfBigInt(lowest),
    low: lowOfBigInt(lowest),
    mayHave: (high, low) =>
      compareInt64(high, low, firstHigh, firstLow) >= 0 && compareInt64(high, low, lastHigh, lastLow) <= 0 && sstable.filter.mayContain(high, low),
  }
}

function outsideOfMemtable({ high, low, slots }: PurgeSpec["memtables"][number]): Outside {
  const shards = slots.map((shard) => new TokenSet(sortedTokens(shard, countSlots(shard))))
  return { high, low, mayHave: (tokenHigh, tokenLow) => shards.some((shard) => shard.has(tokenHigh, tokenLow)) }
}

/** Whether something in the row died before the second. Reads the bytes in place: most rows have nothing. */
export function hasDead(bytes: Buffer, at: number, before: number): boolean {
  if ((itemFlags(bytes, at) & FLAG.simple) !== 0) return false
  let found = false
  visitTimes(bytes, at, (_high, _low, second) => {
    if (second < before) found = true
  })
  return found
}

/** Calls `visit` with each timestamp, and the second of its deletion or expiry; Infinity: neither. */
function visitTimes(bytes: Buffer, at: number, visit: (high: number, low: number, second: number) => void): void {
  const one = (from: number, second: number): void => visit(bytes.readInt32BE(from), readUint32(bytes, from + 4), second)
  const flags = itemFlags(bytes, at)
  if ((flags & FLAG.simple) !== 0) {
    one(simpleTimestampAt(bytes, at), Number.POSITIVE_INFINITY)
    return
  }
  let to = clusteringEnd(bytes, at)
  if ((flags & FLAG.marker) !== 0) {
    one(to, readUint32(bytes, to + 12) || Number.POSITIVE_INFINITY)
    to += 16
  }
  if ((flags & FLAG.deletion) !== 0) {
    one(to, readUint32(bytes, to + 8))
    to += 12
  }
  const complexDeletions = readUint16(bytes, to)
  to += 2
  for (let left = complexDeletions; left > 0; left--) {
    one(to + 2, readUint32(bytes, to + 10))
    to += 14
  }
  const cells = readUint32(bytes, to)
  to += 4
  for (let left = cells; left > 0; left--) {
    const kindByte = bytes[to + 2] as number
    const kind = kindByte & 0x7f
    one(to + 3, kind === CELL_KIND.expiring ? readUint32(bytes, to + 15) : kind === CELL_KIND.tombstone ? readUint32(bytes, to + 11) : Number.POSITIVE_INFINITY)
    to += kind === CELL_KIND.expiring ? 19 : kind === CELL_KIND.tombstone ? 15 : 11
    if ((kindByte & 0x80) !== 0) to += 2 + readUint16(bytes, to)
  }
}
