// An SSTable's index in memory: the bytes as they are in the file, and where each entry starts. Entry i tells with what
// block i begins; binary searches over them find the blocks of a partition and of a clustering without reading any block.
import type { Buffer } from "../runtime/pure.ts"
import { CorruptionError } from "../data/bytes.ts"
import { compareToBound } from "../data/range-tombstones.ts"
import type { TableSchema } from "../data/schema.ts"
import { INDEX_ENTRY_BYTES, INDEX_FLAG } from "./sstable-format.ts"

export class SSTableIndex {
  readonly #bytes: Buffer
  readonly #starts: Int32Array
  readonly count: number

  /** Throws CorruptionError when the entries do not fill the bytes exactly. */
  constructor(bytes: Buffer, count: number, offset: number) {
    this.#bytes = bytes
    this.count = count
    this.#starts = new Int32Array(count)
    let at = 0
    for (let entry = 0; entry < count; entry++) {
      const size = at + INDEX_ENTRY_BYTES <= bytes.length ? bytes.readUInt32BE(at) : 0
      if (size < INDEX_ENTRY_BYTES || size !== INDEX_ENTRY_BYTES + bytes.readUInt16BE(at + 6) + bytes.readUInt16BE(at + 28)) {
        throw new CorruptionError("expected an index entry", offset + at)
      }
      this.#starts[entry] = at
      at += size
    }
    if (at !== bytes.length) throw new CorruptionError(`expected ${count} index entries`, offset + at)
  }

  get byteLength(): number {
    return this.#bytes.length + this.#starts.byteLength
  }
  blockOffset(block: number): number {
    const at = this.#starts[block] as number
    return this.#bytes.readUInt32BE(at + 16) * 2 ** 32 + this.#bytes.readUInt32BE(at + 20)
  }
  storedSize(block: number): number {
    return this.#bytes.readUInt32BE((this.#starts[block] as number) + 24)
  }

  /**
   * The block where the partition (token, key), or the first one behind where it would be, starts: the last block that
   * begins before it, or else block 0.
   */
  startBlock(tokenHigh: number, tokenLow: number, key: Buffer | null): number {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#compare(middle, tokenHigh, tokenLow, key) < 0) low = middle + 1
      else high = middle
    }
    // A block that begins exactly with the partition's header is its start.
    if (low < this.count && key !== null && !this.continues(low) && this.#compare(low, tokenHigh, tokenLow, key) === 0) return low
    return Math.max(low - 1, 0)
  }

  /** The last block that has a part of the partition which starts in block `start`. */
  lastBlock(start: number, tokenHigh: number, tokenLow: number, key: Buffer): number {
    // Nearly always the partition ends where it starts.
    if (start + 1 >= this.count || !this.#isWithin(start + 1, tokenHigh, tokenLow, key)) return start
    let low = start + 1
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#isWithin(middle, tokenHigh, tokenLow, key)) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  /** Whether the block begins within a partition that an earlier one began. */
  continues(block: number): boolean {
    return ((this.#bytes[(this.#starts[block] as number) + 4] as number) & INDEX_FLAG.continues) !== 0
  }

  /** The last block that has a part of the partition which the block begins within. */
  lastBlockOf(block: number): number {
    const at = this.#starts[block] as number
    const from = at + INDEX_ENTRY_BYTES
    const key = this.#bytes.subarray(from, from + this.#bytes.readUInt16BE(at + 6))
    return this.lastBlock(block, this.#bytes.readInt32BE(at + 8), this.#bytes.readUInt32BE(at + 12), key)
  }

  /**
   * Of the blocks [first, last] of one partition, the last that begins with a row before the bound (side -1: before the
   * prefix's rows, +1: behind them); `first` when none does. REQUIRES: all but `first` begin within the partition.
   */
  blockOfBound(first: number, last: number, prefix: Uint8Array, side: number, table: TableSchema): number {
    let low = first + 1
    let high = last + 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#rowIsBefore(middle, prefix, side, table)) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  #rowIsBefore(block: number, prefix: Uint8Array, side: number, table: TableSchema): boolean {
    const at = this.#starts[block] as number
    // A block that begins with a range tombstone lies before all rows.
    if (((this.#bytes[at + 4] as number) & INDEX_FLAG.atRow) === 0) return true
    const from = at + INDEX_ENTRY_BYTES + this.#bytes.readUInt16BE(at + 6)
    return compareToBound(this.#bytes, from, from + this.#bytes.readUInt16BE(at + 28), prefix, side, table.compareClustering) < 0
  }

  #isWithin(block: number, tokenHigh: number, tokenLow: number, key: Buffer): boolean {
    return this.continues(block) && this.#compare(block, tokenHigh, tokenLow, key) === 0
  }

  #compare(block: number, tokenHigh: number, tokenLow: number, key: Buffer | null): number {
    const at = this.#starts[block] as number
    const bytes = this.#bytes
    const high = bytes.readInt32BE(at + 8)
    if (high !== tokenHigh) return high < tokenHigh ? -1 : 1
    const low = bytes.readUInt32BE(at + 12)
    if (low !== tokenLow) return low < tokenLow ? -1 : 1
    if (key === null) return 0
    const from = at + INDEX_ENTRY_BYTES
    return bytes.compare(key, 0, key.length, from, from + bytes.readUInt16BE(at + 6))
  }
}
