// A row of index entries in memory (sstable-format.ts): the summary of an SSTable, or one of its index blocks. Each entry tells
// with what a block begins; binary searches over them need no other block.
import type { Buffer } from "../../runtime/pure.ts"
import { CorruptionError } from "../../data/bytes.ts"
import { compareToBound } from "../../data/range-tombstones.ts"
import type { TableSchema } from "../../data/schema.ts"
import type { CachedBlock } from "./block-cache.ts"
import { INDEX_ENTRY_BYTES, INDEX_FLAG } from "./sstable-format.ts"

const COUNT_BYTES = 4
const OFFSET_BYTES = 4

export class IndexBlock implements CachedBlock {
  readonly bytes: Buffer
  readonly start: number
  readonly size: number
  readonly count: number
  readonly #offsets: number

  /** Throws CorruptionError when the entries do not fill the bytes exactly; `offset` is where they are stored. */
  constructor(bytes: Buffer, start: number, size: number, offset: number) {
    this.bytes = bytes
    this.start = start
    this.size = size
    const end = start + size
    this.count = size < COUNT_BYTES ? 0 : bytes.readUInt32BE(end - COUNT_BYTES)
    this.#offsets = end - COUNT_BYTES - OFFSET_BYTES * this.count
    if (this.count === 0 || this.#offsets < start) throw new CorruptionError("expected index entries", offset)
  }

  movedTo(bytes: Buffer, start: number): IndexBlock {
    return new IndexBlock(bytes, start, this.size, 0)
  }

  /** Throws CorruptionError unless the entries lie one behind the other and fill the block. */
  check(offset: number): this {
    let expected = this.start
    for (let entry = 0; entry < this.count; entry++) {
      const at = this.#at(entry)
      const isWhole = at === expected && at + INDEX_ENTRY_BYTES <= this.#offsets
      const size = isWhole ? this.bytes.readUInt32BE(at) : 0
      if (!isWhole || size !== INDEX_ENTRY_BYTES + this.bytes.readUInt16BE(at + 6) + this.bytes.readUInt16BE(at + 28)) {
        throw new CorruptionError("expected an index entry", offset)
      }
      expected = at + size
    }
    if (expected !== this.#offsets) throw new CorruptionError(`expected ${this.count} index entries`, offset)
    return this
  }

  /** Where the block that the entry speaks of is stored. */
  blockOffset(entry: number): number {
    const at = this.#at(entry)
    return this.bytes.readUInt32BE(at + 16) * 2 ** 32 + this.bytes.readUInt32BE(at + 20)
  }
  storedSize(entry: number): number {
    return this.bytes.readUInt32BE(this.#at(entry) + 24)
  }
  /** Whether the block begins within a partition that an earlier one began. */
  continues(entry: number): boolean {
    return ((this.bytes[this.#at(entry) + 4] as number) & INDEX_FLAG.continues) !== 0
  }
  tokenHigh(entry: number): number {
    return this.bytes.readInt32BE(this.#at(entry) + 8)
  }
  tokenLow(entry: number): number {
    return this.bytes.readUInt32BE(this.#at(entry) + 12)
  }
  /** A view. */
  key(entry: number): Buffer {
    const from = this.#at(entry) + INDEX_ENTRY_BYTES
    return this.bytes.subarray(from, from + this.bytes.readUInt16BE(from - INDEX_ENTRY_BYTES + 6))
  }

  /** How many of the entries from `from` on lie before (token, key), plus `from`. A null key lies before all keys of the token. */
  lowerBound(from: number, tokenHigh: number, tokenLow: number, key: Buffer | null): number {
    let low = from
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.compare(middle, tokenHigh, tokenLow, key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The first entry from `from` on whose block does not begin within the partition. */
  endOf(from: number, tokenHigh: number, tokenLow: number, key: Buffer): number {
    let low = from
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.isWithin(middle, tokenHigh, tokenLow, key)) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The first of the entries [from, to), all within one partition, that begins with a row behind the bound; `to` when none does. */
  behindBound(from: number, to: number, prefix: Uint8Array, side: number, table: TableSchema): number {
    let low = from
    let high = to
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#rowIsBefore(middle, prefix, side, table)) low = middle + 1
      else high = middle
    }
    return low
  }

  isWithin(entry: number, tokenHigh: number, tokenLow: number, key: Buffer): boolean {
    return this.continues(entry) && this.compare(entry, tokenHigh, tokenLow, key) === 0
  }

  compare(entry: number, tokenHigh: number, tokenLow: number, key: Buffer | null): number {
    const at = this.#at(entry)
    const bytes = this.bytes
    const high = bytes.readInt32BE(at + 8)
    if (high !== tokenHigh) return high < tokenHigh ? -1 : 1
    const low = bytes.readUInt32BE(at + 12)
    if (low !== tokenLow) return low < tokenLow ? -1 : 1
    if (key === null) return 0
    const from = at + INDEX_ENTRY_BYTES
    return bytes.compare(key, 0, key.length, from, from + bytes.readUInt16BE(at + 6))
  }

  #rowIsBefore(entry: number, prefix: Uint8Array, side: number, table: TableSchema): boolean {
    const at = this.#at(entry)
    // A block that begins with a range tombstone lies before all rows.
    if (((this.bytes[at + 4] as number) & INDEX_FLAG.atRow) === 0) return true
    const from = at + INDEX_ENTRY_BYTES + this.bytes.readUInt16BE(at + 6)
    return compareToBound(this.bytes, from, from + this.bytes.readUInt16BE(at + 28), prefix, side, table.compareClustering) < 0
  }

  #at(entry: number): number {
    return this.start + this.bytes.readUInt32BE(this.#offsets + OFFSET_BYTES * entry)
  }
}
