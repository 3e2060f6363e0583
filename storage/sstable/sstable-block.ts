// A block of an SSTable in memory (sstable-format.ts), and where its entries are. It lies in a slab of the block cache
// (block-cache.ts): its bytes are valid until the turn of the event loop ends.
//
// Stored are only the entries and how many there are. When a block is read, tables are made behind them: u16 offset of each
// entry, u16 which entry each partition header is. On the disk they would be a twentieth of what rows of 200 bytes
// take compressed, and making them costs 0.2 us a block. Tokens are not stored either: they are the keys' hashes, and a
// search computes the few that it looks at.
import type { Buffer } from "../../runtime/pure.ts"
import { CorruptionError, readUint16, readUint32 } from "../../data/bytes.ts"
import { murmur3Token, tokenHigh as hashHigh, tokenLow as hashLow } from "../../data/murmur3.ts"
import { FLAG } from "../../data/row-format.ts"
import type { CachedBlock } from "./block-cache.ts"
import { DELETION_BYTES, PARTITION_DELETED_FLAG, PARTITION_FLAG, PARTITION_HEADER_BYTES } from "./sstable-format.ts"

const COUNTS_BYTES = 4
/** Up to so many partitions in a block a key is looked for by comparing bytes: cheaper than the hashes of a binary search. */
const FEW_PARTITIONS = 48

/** How many bytes the tables of a block take. */
export function tableBytes(entries: number, partitions: number): number {
  return 2 * (entries + partitions)
}

/**
 * Makes the tables behind the entries of a block that was just read, where there are `extra` bytes of room; the counts move to the
 * end. Throws CorruptionError when the entries do not fill the block; `offset` is where it is stored.
 */
export function makeTables(bytes: Buffer, start: number, size: number, extra: number, offset: number): void {
  const entriesEnd = start + size - COUNTS_BYTES
  const entries = size < COUNTS_BYTES ? 0 : readUint16(bytes, entriesEnd)
  const partitions = size < COUNTS_BYTES ? 0 : readUint16(bytes, entriesEnd + 2)
  if (entries === 0 || extra !== tableBytes(entries, partitions)) throw new CorruptionError("expected a block with entries", offset)
  let to = entriesEnd
  let partitionTo = entriesEnd + 2 * entries
  const partitionsEnd = partitionTo + 2 * partitions
  let at = start
  for (let entry = 0; entry < entries; entry++) {
    // Where the counts were, a table is now: nothing may be read from there any more.
    if (at + COUNTS_BYTES >= entriesEnd) throw new CorruptionError(`expected ${entries} entries`, offset)
    if (((bytes[at + 4] as number) & PARTITION_FLAG) !== 0) {
      if (partitionTo === partitionsEnd) throw new CorruptionError(`expected ${partitions} partitions`, offset)
      writeUint16(bytes, partitionTo, entry)
      partitionTo += 2
    }
    writeUint16(bytes, to, at - start)
    to += 2
    const entrySize = readUint32(bytes, at)
    at += entrySize
    if (entrySize <= COUNTS_BYTES || at > entriesEnd) throw new CorruptionError("expected an entry", offset)
  }
  if (at !== entriesEnd || partitionTo !== partitionsEnd) throw new CorruptionError(`expected ${entries} entries and ${partitions} partitions`, offset)
  writeUint16(bytes, partitionsEnd, entries)
  writeUint16(bytes, partitionsEnd + 2, partitions)
}

function writeUint16(bytes: Buffer, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value & 0xff
}

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
    this.entryCount = size < 4 ? 0 : readUint16(bytes, end - 4)
    this.partitionCount = size < 4 ? 0 : readUint16(bytes, end - 2)
    this.#partitions = end - 4 - 2 * this.partitionCount
    this.#offsets = this.#partitions - 2 * this.entryCount
    if (this.entryCount === 0 || this.#offsets < start) throw new CorruptionError("expected a block with entries", offset)
  }

  movedTo(bytes: Buffer, start: number): SSTableBlock {
    return new SSTableBlock(bytes, start, this.size, 0)
  }

  /** Where the entry starts in `bytes`. */
  at(entry: number): number {
    return this.start + readUint16(this.bytes, this.#offsets + 2 * entry)
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
    return readUint16(this.bytes, this.#partitions + 2 * partition)
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
    const from = keyAt(this.bytes, at)
    const to = from + readUint16(this.bytes, at + 6)
    murmur3Token(this.bytes, from, to - from)
    if (hashHigh !== tokenHigh) return hashHigh < tokenHigh ? -1 : 1
    if (hashLow !== tokenLow) return hashLow < tokenLow ? -1 : 1
    return key === null ? 0 : this.bytes.compare(key, 0, key.length, from, to)
  }

  /** The number of the partition header with this key within the block; -1 when it is not here. */
  find(tokenHigh: number, tokenLow: number, key: Buffer): number {
    if (this.partitionCount > FEW_PARTITIONS) {
      const partition = this.lowerBound(tokenHigh, tokenLow, key, false)
      return partition < this.partitionCount && this.#hasKey(partition, key) ? partition : -1
    }
    for (let partition = 0; partition < this.partitionCount; partition++) if (this.#hasKey(partition, key)) return partition
    return -1
  }

  #hasKey(partition: number, key: Buffer): boolean {
    const { bytes } = this
    const at = this.at(this.partitionEntry(partition))
    const size = key.length
    if (readUint16(bytes, at + 6) !== size) return false
    const from = keyAt(bytes, at)
    // From the end: there keys differ most often.
    for (let index = size - 1; index >= 0; index--) if (bytes[from + index] !== key[index]) return false
    return true
  }

  /** A view of the partition header's key. */
  key(entry: number): Buffer {
    const at = this.at(entry)
    const from = keyAt(this.bytes, at)
    return this.bytes.subarray(from, from + readUint16(this.bytes, at + 6))
  }
}

function keyAt(bytes: Buffer, at: number): number {
  return at + PARTITION_HEADER_BYTES + (bytes[at + 4] === PARTITION_DELETED_FLAG ? DELETION_BYTES : 0)
}
