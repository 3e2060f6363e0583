// Reads an open SSTable: the rows of a partition, and its partitions in token order. Rows are handed out as they lie in
// their block.
//
// A place among the rows is a number: block * 65536 + entry in it.
import { Buffer } from "../../runtime/pure.ts"
import { ByteReader } from "../../data/bytes.ts"
import { murmur3Token, tokenHigh as hashHigh, tokenLow as hashLow } from "../../data/murmur3.ts"
import { compareToBound } from "../../data/range-tombstones.ts"
import type { ClusteringSlice } from "../../data/read-command.ts"
import type { Deletion, RangeTombstone } from "../../data/row.ts"
import { FLAG, clusteringEnd, clusteringStart, decodeRangeTombstone } from "../../data/row-format.ts"
import type { TableSchema } from "../../data/schema.ts"
import type { PartitionCursor, PartitionSource, TombstoneStamp } from "../read/partition-source.ts"
import type { Fragments } from "../read/row-merge.ts"
import type { SSTableBlock } from "./sstable-block.ts"
import { PARTITION_DELETED_FLAG, PARTITION_FLAG, PARTITION_HEADER_BYTES } from "./sstable-format.ts"
import { ReadAhead } from "./sstable-read-ahead.ts"
import type { SSTable } from "./sstable.ts"

const NO_BYTES = Buffer.alloc(0)
const PLACE = 0x10000
const BLOCKS_OF_WALK = 2

export class SSTableSource implements PartitionSource {
  bytes: Buffer = NO_BYTES
  at = 0
  readonly isSingle = true
  deletion: Deletion | null = null
  hasRangeTombstones = false
  /** Null between uses: an idle source must not keep blocks alive that nobody else needs. */
  #sstable: SSTable | null = null
  #table: TableSchema | null = null
  readonly #pool: SSTableSource[] | null
  /** The place of the first range tombstone, when there are some. */
  #firstTombstone = 0
  #staticBlock: SSTableBlock | null = null
  #staticAt = 0
  #startBlock = 0
  #lastBlock = 0
  /** Number of the partition's header within its block. */
  #partition = 0
  /** The place of the first row, or where it would be. */
  #first = 0
  /** The place behind the last row; -1 until it is asked for. */
  #behindPlace = -1
  #block: SSTableBlock | null = null
  #blockIndex = -1
  #ahead: ReadAhead | null = null
  #inOrder = 0
  #slices: readonly ClusteringSlice[] = []
  #reversed = false
  #slice = 0
  /** The places left of the slice: [#place, #end). */
  #place = 0
  #end = 0
  /** The next rows of the block at hand: `#left` of them from entry #entry on, one #step after the other. */
  #entry = 0
  #step = 1
  #left = 0

  /** `pool`: where it goes when it is closed. */
  constructor(pool: SSTableSource[] | null) {
    this.#pool = pool
  }

  /** What is opened next lies in this file; `ahead` is what a walk over it has read ahead. */
  reset(sstable: SSTable, table: TableSchema, ahead: ReadAhead | null = null): this {
    this.#ahead = ahead
    this.#sstable = sstable
    this.#table = table
    return this
  }

  /** Opens the partition; false when it is not here. */
  find(tokenHigh: number, tokenLow: number, key: Buffer): boolean {
    const start = (this.#sstable as SSTable).index.startBlock(tokenHigh, tokenLow, key)
    const block = (this.#sstable as SSTable).block(start)
    const partition = block.find(tokenHigh, tokenLow, key)
    if (partition < 0) return false
    this.openAt(start, partition, tokenHigh, tokenLow, key)
    return true
  }

  /** Opens the partition whose header has this number within the block. */
  openAt(start: number, partition: number, tokenHigh: number, tokenLow: number, key: Buffer): this {
    this.#startBlock = start
    this.#lastBlock = (this.#sstable as SSTable).index.lastBlock(start, tokenHigh, tokenLow, key)
    this.#partition = partition
    this.#behindPlace = -1
    this.#blockIndex = -1
    this.#staticBlock = null
    const block = this.#load(start)
    const header = block.partitionEntry(partition)
    this.deletion = block.flags(header) === PARTITION_DELETED_FLAG ? deletionAt(block.bytes, block.at(header) + PARTITION_HEADER_BYTES) : null
    this.#readHead(this.#next(start * PLACE + header))
    return this
  }

  /** The partition has rows and nothing else: no deletion, no range tombstone, no static row. */
  get isPlain(): boolean {
    return this.deletion === null && !this.hasRangeTombstones && this.#staticBlock === null
  }
  addRangeTombstones(into: RangeTombstone[]): void {
    if (!this.hasRangeTombstones) return
    for (let place = this.#firstTombstone; place < this.#first; place = this.#next(place)) {
      const block = this.#load(Math.floor(place / PLACE))
      const entry = place % PLACE
      // The first row begins a block, and this is the end of the one before.
      if (entry >= block.entryCount) return
      into.push(decodeRangeTombstone(new ByteReader(block.bytes, block.at(entry))))
    }
  }
  get tombstoneStamp(): TombstoneStamp {
    return { owner: this.#sstable as SSTable, place: this.#startBlock * PLACE + this.#partition, era: 0, count: 0 }
  }
  addNewestRangeTombstones(): void {
    // There are never more.
  }
  addStatic(into: Fragments): void {
    if (this.#staticBlock !== null) into.add(this.#staticBlock.bytes, this.#staticAt)
  }
  addRow(into: Fragments): void {
    into.add(this.bytes, this.at)
  }
  close(): void {
    this.#block = null
    this.#blockIndex = -1
    this.#staticBlock = null
    this.#sstable = null
    this.#ahead = null
    this.bytes = NO_BYTES
    this.#pool?.push(this)
  }

  openRows(slices: readonly ClusteringSlice[], reversed: boolean): void {
    this.#slices = slices
    this.#reversed = reversed
    this.#slice = reversed ? slices.length : -1
    this.#place = 0
    this.#end = 0
    this.#step = reversed ? -1 : 1
    this.#left = 0
  }

  nextRow(): boolean {
    if (this.#left === 0 && !this.#nextRun()) return false
    const block = this.#block as SSTableBlock
    this.bytes = block.bytes
    this.at = block.at(this.#entry)
    this.#entry += this.#step
    this.#left--
    return true
  }

  /** Finds the static row, the range tombstones and the first row. Many range tombstones are not looked at for that. */
  #readHead(from: number): void {
    let place = from
    let flags = this.#flagsAt(place)
    if ((flags & (PARTITION_FLAG | FLAG.static)) === FLAG.static) {
      this.#staticBlock = this.#block
      this.#staticAt = (this.#block as SSTableBlock).at(place % PLACE)
      place = this.#next(place)
      flags = this.#flagsAt(place)
    }
    this.hasRangeTombstones = (flags & (PARTITION_FLAG | FLAG.range)) === FLAG.range
    if (this.hasRangeTombstones) {
      this.#firstTombstone = place
      // The last block that does not begin with a row.
      const blockIndex = (this.#sstable as SSTable).index.blockOfBound(this.#startBlock, this.#lastBlock, NO_BYTES, -1, this.#table as TableSchema)
      place = Math.max(place, blockIndex * PLACE)
      while ((this.#flagsAt(place) & (PARTITION_FLAG | FLAG.range)) === FLAG.range) place = this.#next(place)
    }
    this.#first = place
  }

  /** The flags of the entry at the place; those of a partition header when the block has none there. */
  #flagsAt(place: number): number {
    const block = this.#load(Math.floor(place / PLACE))
    const entry = place % PLACE
    return entry < block.entryCount ? block.flags(entry) : PARTITION_FLAG
  }

  /** Goes to the next block of the slice, or to the next slice that has rows. */
  #nextRun(): boolean {
    while (this.#place >= this.#end) if (!this.#openSlice(this.#slice + this.#step)) return false
    if (this.#reversed) {
      const last = this.#previous(this.#end)
      const blockIndex = Math.floor(last / PLACE)
      const first = Math.max(this.#place, blockIndex * PLACE)
      this.#load(blockIndex)
      this.#entry = last % PLACE
      this.#left = last - first + 1
      this.#end = first
    } else {
      const blockIndex = Math.floor(this.#place / PLACE)
      const behind = Math.min(this.#end, blockIndex * PLACE + this.#load(blockIndex).entryCount)
      this.#entry = this.#place % PLACE
      this.#left = behind - this.#place
      this.#place = behind === this.#end ? behind : (blockIndex + 1) * PLACE
    }
    return true
  }

  #openSlice(index: number): boolean {
    const slice = this.#slices[index]
    if (slice === undefined) {
      // Stays at the end however often it is asked.
      this.#slice = this.#reversed ? 0 : this.#slices.length
      return false
    }
    this.#slice = index
    this.#place = slice.start.length === 0 ? this.#first : this.#bound(slice.start, slice.startInclusive ? -1 : 1)
    this.#end = slice.end.length === 0 ? this.#behind() : this.#bound(slice.end, slice.endInclusive ? 1 : -1)
    return true
  }

  /** The place of the first row behind the bound. */
  #bound(prefix: Uint8Array, side: number): number {
    const blockIndex = (this.#sstable as SSTable).index.blockOfBound(this.#startBlock, this.#lastBlock, prefix, side, this.#table as TableSchema)
    const firstBlock = Math.floor(this.#first / PLACE)
    if (blockIndex < firstBlock) return this.#first
    const block = this.#load(blockIndex)
    const end = this.#rowsEnd(blockIndex, block)
    let low = blockIndex === firstBlock ? this.#first % PLACE : 0
    let high = end
    while (low < high) {
      const middle = (low + high) >>> 1
      const at = block.at(middle)
      const order = compareToBound(block.bytes, clusteringStart(at), clusteringEnd(block.bytes, at), prefix, side, (this.#table as TableSchema).compareClustering)
      if (order < 0) low = middle + 1
      else high = middle
    }
    if (low === end && blockIndex < this.#lastBlock) return (blockIndex + 1) * PLACE
    return blockIndex * PLACE + low
  }

  /** The entry behind the partition's last row in the block. */
  #rowsEnd(blockIndex: number, block: SSTableBlock): number {
    return blockIndex < this.#lastBlock ? block.entryCount : this.#behind() - blockIndex * PLACE
  }

  /** Asked for only when needed: it may lie blocks away. */
  #behind(): number {
    if (this.#behindPlace >= 0) return this.#behindPlace
    const block = this.#load(this.#lastBlock)
    const next = this.#lastBlock === this.#startBlock ? this.#partition + 1 : 0
    const entry = next < block.partitionCount ? block.partitionEntry(next) : block.entryCount
    this.#behindPlace = this.#lastBlock * PLACE + entry
    return this.#behindPlace
  }

  #next(place: number): number {
    const blockIndex = Math.floor(place / PLACE)
    if ((place % PLACE) + 1 < this.#load(blockIndex).entryCount || blockIndex >= this.#lastBlock) return place + 1
    return (blockIndex + 1) * PLACE
  }

  #previous(place: number): number {
    if (place <= this.#first) return -1
    if (place % PLACE !== 0) return place - 1
    const blockIndex = place / PLACE - 1
    return blockIndex * PLACE + this.#load(blockIndex).entryCount - 1
  }

  #load(index: number): SSTableBlock {
    if (index !== this.#blockIndex) {
      // From the third block in order on it is a walk.
      this.#inOrder = index === this.#blockIndex + 1 ? this.#inOrder + 1 : 0
      if (this.#inOrder === BLOCKS_OF_WALK) this.#ahead ??= new ReadAhead()
      this.#block = (this.#sstable as SSTable).block(index, this.#ahead)
      this.#blockIndex = index
    }
    return this.#block as SSTableBlock
  }
}

function deletionAt(bytes: Buffer, at: number): Deletion {
  return { timestampHigh: bytes.readInt32BE(at), timestampLow: bytes.readUInt32BE(at + 4), localDeletionTime: bytes.readUInt32BE(at + 8) }
}

export class SSTableCursor implements PartitionCursor {
  tokenHigh = 0
  tokenLow = 0
  key: Buffer = NO_BYTES
  readonly #sstable: SSTable
  readonly #table: TableSchema
  readonly #source: SSTableSource
  readonly #ahead = new ReadAhead()
  #loaded: SSTableBlock | null = null
  #loadedIndex = -1
  /** The current partition's header is this one of the block. */
  #blockIndex = 0
  #partition = 0

  constructor(sstable: SSTable, table: TableSchema) {
    this.#sstable = sstable
    this.#table = table
    this.#source = new SSTableSource(null)
  }

  seek(tokenHigh: number, tokenLow: number, key: Buffer | null, after: boolean): boolean {
    const blockIndex = this.#sstable.index.startBlock(tokenHigh, tokenLow, key)
    const block = this.#load(blockIndex)
    const partition = block.lowerBound(tokenHigh, tokenLow, key, after)
    return partition < block.partitionCount ? this.#take(blockIndex, partition) : this.#forward(blockIndex, tokenHigh, tokenLow, after && key === null)
  }

  next(): boolean {
    const block = this.#load(this.#blockIndex)
    return this.#partition + 1 < block.partitionCount ? this.#take(this.#blockIndex, this.#partition + 1) : this.#nextBlock(this.#blockIndex)
  }

  open(): PartitionSource {
    return this.#source.reset(this.#sstable, this.#table, this.#ahead).openAt(this.#blockIndex, this.#partition, this.tokenHigh, this.tokenLow, this.key)
  }
  close(): void {
    this.#source.close()
  }

  /** On from the end of the block; without a key several partitions of the token may still be passed over. */
  #forward(blockIndex: number, tokenHigh: number, tokenLow: number, after: boolean): boolean {
    let found = this.#nextBlock(blockIndex)
    while (found && after && this.tokenHigh === tokenHigh && this.tokenLow === tokenLow) found = this.next()
    return found
  }

  /** To the first partition that begins behind the block. */
  #nextBlock(blockIndex: number): boolean {
    const { index } = this.#sstable
    const next = blockIndex + 1
    if (next >= index.count) return false
    if (!index.continues(next)) return this.#take(next, 0)
    // Past all blocks of a wide partition without reading them.
    const last = index.lastBlockOf(next)
    if (this.#load(last).partitionCount > 0) return this.#take(last, 0)
    return last + 1 < index.count && this.#take(last + 1, 0)
  }

  #take(blockIndex: number, partition: number): boolean {
    const block = this.#load(blockIndex)
    const entry = block.partitionEntry(partition)
    this.#blockIndex = blockIndex
    this.#partition = partition
    this.key = block.key(entry)
    murmur3Token(this.key, 0, this.key.length)
    this.tokenHigh = hashHigh
    this.tokenLow = hashLow
    return true
  }

  #load(index: number): SSTableBlock {
    if (index !== this.#loadedIndex) {
      this.#loaded = this.#sstable.block(index, this.#ahead)
      this.#loadedIndex = index
    }
    return this.#loaded as SSTableBlock
  }
}
