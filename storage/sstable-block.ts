// A block of an SSTable in memory (sstable-format.ts), and where its entries are. It lies in a slab of the block cache
// (block-cache.ts): its bytes are valid until the turn of the event loop ends.
import type { Buffer } from "../runtime/pure.ts"
import { CorruptionError } from "../data/bytes.ts"
import { FLAG } from "../data/row-format.ts"
import type { CachedBlock } from "./block-cache.ts"
import { DELETION_BYTES, PARTITION_DELETED_FLAG, PARTITION_FLAG, PARTITION_HEADER_BYTES } from "./sstable-format.ts"

export class SSTableBlock implements CachedBlock {
  readonly bytes: Buffer
  readonly start: number
  readonly size: number
  readonly entryCount: number
  readonly partitionCount: number
  readonly #offsets: number
  readonly #partitions: number

  /** Throws CorruptionError when the tables at the end do not fit; `offset` is where the block is stored. */
  constructor(bytes: Buffer, start: number, size: number, offset: number) {
    this.bytes = bytes
    this.start = start
    this.size = size
    const end = start + size
    this.entryCount = size < 4 ? 0 : bytes.readUInt16BE(end - 4)
    this.partitionCount = size < 4 ? 0 : bytes.readUInt16BE(end - 2)
    this.#partitions = end - 4 - 2 * this.partitionCount
    this.#offsets = this.#partitions - 2 * this.entryCount
    if (this.entryCount === 0 || this.#offsets < start) throw new CorruptionError("expected a block with entries", offset)
  }

  movedTo(bytes: Buffer, start: number): SSTableBlock {
    return new SSTableBlock(bytes, start, this.size, 0)
  }

  /** Where the entry starts in `bytes`. */
  at(entry: number): number {
    return this.start + this.bytes.readUInt16BE(this.#offsets + 2 * entry)
  }
  flags(entry: number): number {
    return this.bytes[this.at(entry) + 4] as number
  }
  isPartition(entry: number): boolean {
    return (this.flags(entry) & PARTITION_FLAG) !== 0
  }
  /** A row that is not static. */
  isRow(entry: number): boolean {
    return (this.flags(entry) & (PARTITION_FLAG | FLAG.static | FLAG.range)) === 0
  }

  /** The entry of the partition header with this number within the block. */
  partitionEntry(partition: number): number {
    return this.bytes.readUInt16BE(this.#partitions + 2 * partition)
  }

  /** The number of the first partition header at or after (token, key), strictly after when `after`; partitionCount when there is none. */
  lowerBound(tokenHigh: number, tokenLow: number, key: Buffer | null, after: boolean): number {
    let low = 0
    let high = this.partitionCount
    while (low < high) {
      const middle = (low + high) >>> 1
      const order = this.comparePartition(this.partitionEntry(middle), tokenHigh, tokenLow, key)
      if (order < 0 || (after && order === 0)) low = middle + 1
      else high = middle
    }
    return low
  }

  comparePartition(entry: number, tokenHigh: number, tokenLow: number, key: Buffer | null): number {
    const at = this.at(entry)
    const high = this.bytes.readInt32BE(at + 8)
    if (high !== tokenHigh) return high < tokenHigh ? -1 : 1
    const low = this.bytes.readUInt32BE(at + 12)
    if (low !== tokenLow) return low < tokenLow ? -1 : 1
    if (key === null) return 0
    const from = keyAt(this.bytes, at)
    return this.bytes.compare(key, 0, key.length, from, from + this.bytes.readUInt16BE(at + 6))
  }

  /** A view of the partition header's key. */
  key(entry: number): Buffer {
    const at = this.at(entry)
    const from = keyAt(this.bytes, at)
    return this.bytes.subarray(from, from + this.bytes.readUInt16BE(at + 6))
  }
}

function keyAt(bytes: Buffer, at: number): number {
  return at + PARTITION_HEADER_BYTES + (bytes[at + 4] === PARTITION_DELETED_FLAG ? DELETION_BYTES : 0)
}
