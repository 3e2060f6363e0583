// An open SSTable: its summary, filter and statistics in memory, its blocks and index blocks through the cache.
//
// `block` is the one place where a block comes from: the cache, or a blocking read. Callers that can wait, and should
// (read-pace.ts), ask `missing` first and let `load` read without blocking. The checksum of every block is looked at
// whenever it is read.
import type { Disk, DiskError, ReadFile } from "../../runtime/disk.ts"
import { Buffer } from "../../runtime/pure.ts"
import { CorruptionError } from "../../data/bytes.ts"
import { compareToBound } from "../../data/range-tombstones.ts"
import type { ClusteringSlice } from "../../data/read-command.ts"
import type { TableSchema } from "../../data/schema.ts"
import { highOfBigInt, lowOfBigInt } from "../../data/timestamp.ts"
import { type BlockCache, CachedFile } from "./block-cache.ts"
import { BloomFilter } from "./bloom-filter.ts"
import { CorruptFileError, DataDirectoryError } from "../errors.ts"
import { readNowAt, withOffset } from "./read-at.ts"
import type { ReadPace } from "./read-pace.ts"
import { SSTableBlock, makeTables } from "./sstable-block.ts"
import { extraOf, loadBlock } from "./sstable-codec.ts"
import { FILE_HEADER_BYTES, FOOTER_BYTES, type SSTableStatistics, type Section, checkFileHeader, decodeFooter, decodeSection } from "./sstable-format.ts"
import { IndexBlock } from "./sstable-index-block.ts"
import { SSTableIndex } from "./sstable-index.ts"
import type { ReadAhead } from "./sstable-read-ahead.ts"

const NO_BYTES = Buffer.alloc(0)
const LEAST_WARM_BYTES = 64 << 10
const MOST_WARM_BYTES = 2 << 20

interface Parts {
  readonly summary: Buffer
  readonly summaryOffset: number
  readonly blocks: number
  readonly filter: BloomFilter
  readonly statistics: SSTableStatistics
  readonly dictionary: Buffer
}

export class SSTable {
  readonly number: number
  readonly path: string
  readonly bytes: number
  readonly statistics: SSTableStatistics
  readonly index: SSTableIndex
  readonly filter: BloomFilter
  /** The highest timestamp of anything in it. */
  readonly maxTimestampHigh: number
  readonly maxTimestampLow: number
  readonly #minClustering: Buffer | null
  readonly #maxClustering: Buffer | null
  readonly #file: ReadFile
  readonly #cache: BlockCache
  readonly #blocks: CachedFile<SSTableBlock>
  readonly #indexBlocks: CachedFile<IndexBlock>
  readonly #dictionary: Buffer
  readonly #pace: ReadPace | null
  /** Stored bytes on their way into the cache. */
  #staging: Buffer = NO_BYTES
  /** Reads in flight; a retired file is closed when there are none. */
  #reading = 0
  #isRetired = false

  private constructor(number: number, path: string, file: ReadFile, cache: BlockCache, pace: ReadPace | null, parts: Parts) {
    this.number = number
    this.path = path
    this.bytes = file.size
    this.#minClustering = clusteringOf(parts.statistics.minClustering)
    this.#maxClustering = clusteringOf(parts.statistics.maxClustering)
    this.#file = file
    this.#cache = cache
    this.#dictionary = parts.dictionary
    this.#pace = pace
    this.index = new SSTableIndex(parts.summary, parts.blocks, parts.summaryOffset, (indexBlock) => this.#indexBlock(indexBlock))
    this.#blocks = new CachedFile(parts.blocks)
    this.#indexBlocks = new CachedFile(this.index.summary.count)
    this.filter = parts.filter
    this.statistics = parts.statistics
    const maxTimestamp = BigInt(parts.statistics.maxTimestamp)
    this.maxTimestampHigh = highOfBigInt(maxTimestamp)
    this.maxTimestampLow = lowOfBigInt(maxTimestamp)
  }

  /** `pace` hears how long blocking reads take; null: nobody does. Throws CorruptFileError, DataDirectoryError for a newer version, DiskError. */
  static open(disk: Pick<Disk, "readFile">, number: number, path: string, cache: BlockCache, pace: ReadPace | null): SSTable {
    const file = disk.readFile(path)
    try {
      const header = readAt(file, 0, FILE_HEADER_BYTES)
      const verdict = checkFileHeader(header)
      if (verdict === "newer" || verdict === "older") {
        throw new DataDirectoryError(`${verdict}_format`, `${path} is an SSTable of version ${header[4] as number}, which this version cannot read`)
      }
      if (verdict === "damaged") throw new CorruptionError("expected the header of an SSTable", 0)
      const footer = decodeFooter(readAt(file, Math.max(file.size - FOOTER_BYTES, 0), FOOTER_BYTES), file.size)
      const section = ({ offset, length }: Section, what: string): Buffer => decodeSection(readAt(file, offset, length), offset, what)
      const filter = BloomFilter.decode(section(footer.filter, "filter"))
      const statistics = JSON.parse(section(footer.statistics, "statistics").toString()) as SSTableStatistics
      const summary = section(footer.summary, "summary")
      const dictionary = section(footer.dictionary, "dictionary")
      return new SSTable(number, path, file, cache, pace, { summary, summaryOffset: footer.summary.offset + 4, blocks: footer.blocks, filter, statistics, dictionary })
    } catch (error) {
      file.close()
      throw error instanceof CorruptionError ? CorruptFileError.from(path, error) : error
    }
  }

  /** Whether a read of these slices of a partition may find anything here. */
  mayHaveRows(slices: readonly ClusteringSlice[], table: TableSchema): boolean {
    const min = this.#minClustering
    const max = this.#maxClustering
    if (min === null || max === null || !this.statistics.onlyRows) return true
    const compare = table.compareClustering
    for (const { start, startInclusive, end, endInclusive } of slices) {
      const endsBehindFirst = end.length === 0 || compareToBound(min, 0, min.length, end, endInclusive ? 1 : -1, compare) < 0
      const startsBeforeLast = start.length === 0 || compareToBound(max, 0, max.length, start, startInclusive ? -1 : 1, compare) > 0
      if (endsBehindFirst && startsBeforeLast) return true
    }
    return false
  }

  /** The block from the cache, or read now; `ahead` is what a walk has read ahead. Throws CorruptFileError, DiskError. */
  block(index: number, ahead: ReadAhead | null = null): SSTableBlock {
    return this.#cache.get(this.#blocks, index) ?? this.#readNow(index, ahead)
  }

  /**
   * Adds the blocks that a read of these rows of the partition begins with and that are not in the cache: where the
   * partition starts, and where each slice does; or the index block that says which these are: then ask again when it is
   * loaded. What else is needed (a slice over many blocks) is read when it comes.
   */
  missing(table: TableSchema, tokenHigh: number, tokenLow: number, key: Buffer, slices: readonly ClusteringSlice[], reversed: boolean, into: MissingBlock[]): void {
    if (!this.filter.mayContain(tokenHigh, tokenLow) || !this.mayHaveRows(slices, table)) return
    const { index } = this
    if (this.#isIndexMissing(index.indexBlockOf(tokenHigh, tokenLow, key), into)) return
    const start = index.startBlock(tokenHigh, tokenLow, key)
    this.#addMissing(start, into)
    if (!index.goesOn(start, tokenHigh, tokenLow, key)) return
    // The partition's header may be the last entry of its block.
    this.#addMissing(start + 1, into)
    const lastIndexBlock = index.indexBlockOfLast(start, tokenHigh, tokenLow, key)
    if (this.#isIndexMissing(lastIndexBlock, into)) return
    const last = index.lastBlock(start, tokenHigh, tokenLow, key)
    for (const slice of slices) {
      const prefix = reversed ? slice.end : slice.start
      const side = (reversed ? slice.endInclusive : slice.startInclusive) === reversed ? 1 : -1
      if (prefix.length === 0) this.#addMissing(reversed ? last : start, into)
      else if (!this.#isIndexMissing(index.indexBlockOfBound(start, last, prefix, side, table), into)) this.#addMissing(index.blockOfBound(start, last, prefix, side, table), into)
    }
  }

  /** Adds the index block that says where partitions from the token on are, unless it is in the cache. */
  missingIndex(tokenHigh: number, tokenLow: number, into: MissingBlock[]): void {
    if (!this.#isRetired) this.#isIndexMissing(this.index.indexBlockOf(tokenHigh, tokenLow, null), into)
  }

  /** Reads about as much of the file as so many rows from the token on take, and throws it away: then the operating system has it. Calls `done` also when it fails. */
  warm(tokenHigh: number, tokenLow: number, rows: number, done: () => void): void {
    if (this.#isRetired) return done()
    const offset = this.index.blockOffset(this.index.startBlock(tokenHigh, tokenLow, null))
    const wanted = (rows * this.bytes) / Math.max(this.statistics.rows, this.statistics.partitions)
    const bytes = Math.min(Math.max(Math.ceil(wanted), LEAST_WARM_BYTES), MOST_WARM_BYTES, this.bytes - offset)
    this.#reading++
    this.#file.read(Buffer.allocUnsafeSlow(bytes), offset, () => {
      this.#reading--
      if (this.#isRetired && this.#reading === 0) this.#file.close()
      done()
    })
  }

  /** Reads what `missing` named into the cache without blocking. */
  load({ index, isIndex }: MissingBlock, done: (error: CorruptFileError | DiskError | null) => void): void {
    const offset = isIndex ? this.index.summary.blockOffset(index) : this.index.blockOffset(index)
    const stored = Buffer.allocUnsafeSlow(isIndex ? this.index.summary.storedSize(index) : this.index.storedSize(index))
    this.#reading++
    this.#file.read(stored, offset, (error, count) => {
      this.#reading--
      if (this.#isRetired) {
        if (this.#reading === 0) this.#file.close()
        return done(null)
      }
      if (error !== null) return done(withOffset(error, offset))
      try {
        if (isIndex) this.#keepIndexBlock(index, stored.subarray(0, count), stored.length, offset)
        else this.#keep(index, stored.subarray(0, count), stored.length, offset)
      } catch (damage) {
        if (damage instanceof CorruptFileError) return done(damage)
        throw damage
      }
      done(null)
    })
  }

  /** No read begins after this. The file is closed when the reads in flight are done. */
  retire(): void {
    this.#isRetired = true
    this.#cache.forget(this.#blocks)
    this.#cache.index.forget(this.#indexBlocks)
    if (this.#reading === 0) this.#file.close()
  }

  #addMissing(index: number, into: MissingBlock[]): void {
    if (this.#cache.get(this.#blocks, index) === null) this.#add(index, false, into)
  }
  #isIndexMissing(index: number, into: MissingBlock[]): boolean {
    if (this.#cache.index.get(this.#indexBlocks, index) !== null) return false
    this.#add(index, true, into)
    return true
  }
  #add(index: number, isIndex: boolean, into: MissingBlock[]): void {
    if (!into.some((other) => other.table === this && other.index === index && other.isIndex === isIndex)) into.push({ table: this, index, isIndex })
  }

  #readNow(index: number, ahead: ReadAhead | null): SSTableBlock {
    const offset = this.index.blockOffset(index)
    const size = this.index.storedSize(index)
    return this.#keep(index, ahead?.get(offset, size) ?? this.#stored(offset, size, ahead), size, offset)
  }

  #indexBlock(index: number): IndexBlock {
    const block = this.#cache.index.get(this.#indexBlocks, index)
    if (block !== null) return block
    const offset = this.index.summary.blockOffset(index)
    const size = this.index.summary.storedSize(index)
    return this.#keepIndexBlock(index, this.#stored(offset, size, null), size, offset)
  }

  /** Reads stored bytes; they are valid until the next call. */
  #stored(offset: number, size: number, ahead: ReadAhead | null): Buffer {
    const startMs = this.#pace === null ? 0 : this.#pace.begin()
    let stored: Buffer
    if (ahead === null) {
      if (this.#staging.length < size) this.#staging = Buffer.allocUnsafeSlow(size)
      stored = this.#staging.length === size ? this.#staging : this.#staging.subarray(0, size)
      const count = readNowAt(this.#file, stored, offset)
      if (count < size) stored = stored.subarray(0, count)
    } else {
      stored = ahead.fill(this.#file, offset, size)
    }
    if (this.#pace !== null) this.#pace.end(startMs)
    return stored
  }

  #keep(index: number, stored: Buffer, size: number, offset: number): SSTableBlock {
    try {
      const plainSize = decode(stored, size, offset, this.#dictionary, this.#cache)
      const { reservedBytes, reservedAt } = this.#cache
      const extra = extraOf(stored)
      makeTables(reservedBytes, reservedAt, plainSize, extra, offset)
      const block = new SSTableBlock(reservedBytes, reservedAt, plainSize + extra, offset)
      this.#cache.put(this.#blocks, index, block)
      return block
    } catch (error) {
      throw error instanceof CorruptionError ? CorruptFileError.from(this.path, error) : error
    }
  }

  #keepIndexBlock(index: number, stored: Buffer, size: number, offset: number): IndexBlock {
    try {
      const cache = this.#cache.index
      const plainSize = decode(stored, size, offset, this.#dictionary, cache)
      const block = new IndexBlock(cache.reservedBytes, cache.reservedAt, plainSize, offset).check(offset)
      if (block.count !== this.index.countIn(index)) throw new CorruptionError(`expected ${this.index.countIn(index)} index entries`, offset)
      cache.put(this.#indexBlocks, index, block)
      return block
    } catch (error) {
      throw error instanceof CorruptionError ? CorruptFileError.from(this.path, error) : error
    }
  }
}

function clusteringOf(hexadecimal: string | null): Buffer | null {
  return hexadecimal === null ? null : Buffer.from(hexadecimal, "hex")
}

function decode(stored: Buffer, size: number, offset: number, dictionary: Buffer, cache: BlockCache): number {
  if (stored.length !== size) throw new CorruptionError("expected a whole block", offset)
  return loadBlock(stored, offset, dictionary, cache)
}

/** A block, or an index block, that is not in the cache. */
export interface MissingBlock {
  readonly table: SSTable
  readonly index: number
  readonly isIndex: boolean
}

function readAt(file: ReadFile, offset: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(size)
  return bytes.subarray(0, readNowAt(file, bytes, offset))
}
