// Finds blocks of an SSTable: of a partition, of a clustering, by number. In memory is only the summary, one entry for
// every INDEX_FANOUT blocks; the index blocks between come through the block cache. So the index of a partition of
// ten million rows, or of a file of a terabyte, is never in memory as a whole.
//
// Block number b has entry b % INDEX_FANOUT of index block b / INDEX_FANOUT; the first entry of every index block is also
// in the summary. Searches go through the summary first and then look at one index block.
import type { Buffer } from "../../runtime/pure.ts"
import { CorruptionError } from "../../data/bytes.ts"
import type { TableSchema } from "../../data/schema.ts"
import { INDEX_FANOUT } from "./sstable-format.ts"
import { IndexBlock } from "./sstable-index-block.ts"

export class SSTableIndex {
  /** Blocks. */
  readonly count: number
  readonly summary: IndexBlock
  /** The tokens of the summary as pairs (high, low): a search over them touches a tenth of the memory. */
  readonly #tokens: Int32Array
  readonly #load: (indexBlock: number) => IndexBlock

  /** `load` brings an index block. Throws CorruptionError when the summary does not fit `count` blocks. */
  constructor(summary: Buffer, count: number, offset: number, load: (indexBlock: number) => IndexBlock) {
    this.summary = new IndexBlock(summary, 0, summary.length, offset).check(offset)
    this.count = count
    this.#load = load
    if (this.summary.count !== Math.ceil(count / INDEX_FANOUT)) throw new CorruptionError(`expected a summary of ${count} blocks`, offset)
    this.#tokens = new Int32Array(this.summary.count * 2)
    for (let entry = 0; entry < this.summary.count; entry++) {
      this.#tokens[entry * 2] = this.summary.tokenHigh(entry)
      this.#tokens[entry * 2 + 1] = this.summary.tokenLow(entry) ^ 0x80000000
    }
  }

  /** How many entries an index block has. */
  countIn(indexBlock: number): number {
    return Math.min(this.count - indexBlock * INDEX_FANOUT, INDEX_FANOUT)
  }
  get byteLength(): number {
    return this.summary.size + this.#tokens.byteLength
  }
  blockOffset(block: number): number {
    return this.#of(block).blockOffset(block % INDEX_FANOUT)
  }
  storedSize(block: number): number {
    return this.#of(block).storedSize(block % INDEX_FANOUT)
  }

  /** The index block that `startBlock` looks at. */
  indexBlockOf(tokenHigh: number, tokenLow: number, key: Buffer | null): number {
    const entry = this.#summaryBound(tokenHigh, tokenLow, key)
    return this.#startsAt(this.summary, entry, tokenHigh, tokenLow, key) ? entry : Math.max(entry - 1, 0)
  }

  /**
   * The block where the partition (token, key), or the first one behind where it would be, starts: the last block that
   * begins before it, or else block 0.
   */
  startBlock(tokenHigh: number, tokenLow: number, key: Buffer | null): number {
    const next = this.#summaryBound(tokenHigh, tokenLow, key)
    if (this.#startsAt(this.summary, next, tokenHigh, tokenLow, key)) return next * INDEX_FANOUT
    if (next === 0) return 0
    const first = (next - 1) * INDEX_FANOUT
    const block = this.#of(first)
    // The first entry is the summary's: it lies before.
    const entry = block.lowerBound(1, tokenHigh, tokenLow, key)
    return this.#startsAt(block, entry, tokenHigh, tokenLow, key) ? first + entry : first + entry - 1
  }

  /** Whether the partition which starts in block `start` has a part in the next one. Nearly always it ends where it starts. */
  goesOn(start: number, tokenHigh: number, tokenLow: number, key: Buffer): boolean {
    return start + 1 < this.count && this.#entryIsWithin(start + 1, tokenHigh, tokenLow, key)
  }

  /** The last block that has a part of the partition which starts in block `start`. */
  lastBlock(start: number, tokenHigh: number, tokenLow: number, key: Buffer): number {
    if (!this.goesOn(start, tokenHigh, tokenLow, key)) return start
    const indexBlock = this.indexBlockOfLast(start, tokenHigh, tokenLow, key)
    const first = indexBlock * INDEX_FANOUT
    return first + this.#of(first).endOf(Math.max(start + 1 - first, 0), tokenHigh, tokenLow, key) - 1
  }

  /** The index block that `lastBlock` looks at. REQUIRES: `goesOn`. */
  indexBlockOfLast(start: number, tokenHigh: number, tokenLow: number, key: Buffer): number {
    return this.summary.endOf(Math.floor((start + 1) / INDEX_FANOUT) + 1, tokenHigh, tokenLow, key) - 1
  }

  /** Whether the block begins within a partition that an earlier one began. */
  continues(block: number): boolean {
    return this.#holder(block).continues(block % INDEX_FANOUT === 0 ? block / INDEX_FANOUT : block % INDEX_FANOUT)
  }

  /** The last block that has a part of the partition which the block begins within. */
  lastBlockOf(block: number): number {
    const holder = this.#of(block)
    const entry = block % INDEX_FANOUT
    return this.lastBlock(block, holder.tokenHigh(entry), holder.tokenLow(entry), holder.key(entry))
  }

  /**
   * Of the blocks [first, last] of one partition, the last that begins with a row before the bound (side -1: before the
   * prefix's rows, +1: behind them); `first` when none does. REQUIRES: all but `first` begin within the partition.
   */
  blockOfBound(first: number, last: number, prefix: Uint8Array, side: number, table: TableSchema): number {
    if (first === last) return first
    const indexBlock = this.indexBlockOfBound(first, last, prefix, side, table)
    const base = indexBlock * INDEX_FANOUT
    const from = Math.max(first + 1 - base, 0)
    const to = Math.min(last + 1 - base, INDEX_FANOUT)
    return base + this.#of(base).behindBound(from, to, prefix, side, table) - 1
  }

  /** The index block that `blockOfBound` looks at. */
  indexBlockOfBound(first: number, last: number, prefix: Uint8Array, side: number, table: TableSchema): number {
    const firstIndexBlock = Math.floor((first + 1) / INDEX_FANOUT)
    const lastIndexBlock = Math.floor(last / INDEX_FANOUT)
    return this.summary.behindBound(firstIndexBlock + 1, lastIndexBlock + 1, prefix, side, table) - 1
  }

  /** Summary entries before (token, key). */
  #summaryBound(tokenHigh: number, tokenLow: number, key: Buffer | null): number {
    const tokens = this.#tokens
    const wantedLow = tokenLow ^ 0x80000000
    let low = 0
    let high = tokens.length >>> 1
    while (low < high) {
      const middle = (low + high) >>> 1
      const middleHigh = tokens[middle * 2] as number
      const order = middleHigh !== tokenHigh ? (middleHigh < tokenHigh ? -1 : 1) : this.#compareLow(middle, wantedLow, tokenHigh, tokenLow, key)
      if (order < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  #compareLow(entry: number, wantedLow: number, tokenHigh: number, tokenLow: number, key: Buffer | null): number {
    const entryLow = this.#tokens[entry * 2 + 1] as number
    if (entryLow !== wantedLow) return entryLow < wantedLow ? -1 : 1
    return this.summary.compare(entry, tokenHigh, tokenLow, key)
  }

  /** A block that begins exactly with the partition's header is its start. */
  #startsAt(block: IndexBlock, entry: number, tokenHigh: number, tokenLow: number, key: Buffer | null): boolean {
    return entry < block.count && key !== null && !block.continues(entry) && block.compare(entry, tokenHigh, tokenLow, key) === 0
  }

  #entryIsWithin(block: number, tokenHigh: number, tokenLow: number, key: Buffer): boolean {
    return this.#holder(block).isWithin(block % INDEX_FANOUT === 0 ? block / INDEX_FANOUT : block % INDEX_FANOUT, tokenHigh, tokenLow, key)
  }

  /** Where the block's entry can be read: the summary, if it is there. */
  #holder(block: number): IndexBlock {
    return block % INDEX_FANOUT === 0 ? this.summary : this.#of(block)
  }

  #of(block: number): IndexBlock {
    return this.#load(Math.floor(block / INDEX_FANOUT))
  }
}
