// An open SSTable: its index, filter and statistics in memory, its blocks through the cache.
//
// `block` is the one place where a block comes from: the cache, or a blocking read. Callers that can wait, and should
// (read-pace.ts), ask `missing` first and let `load` read without blocking.
import type { Disk, DiskError, ReadFile } from "../runtime/disk.ts"
import { Buffer } from "../runtime/pure.ts"
import { CorruptionError } from "../data/bytes.ts"
import type { ClusteringSlice } from "../data/read-command.ts"
import type { TableSchema } from "../data/schema.ts"
import { highOfBigInt, lowOfBigInt } from "../data/timestamp.ts"
import { type BlockCache, CachedFile } from "./block-cache.ts"
import { BloomFilter } from "./bloom-filter.ts"
import { CorruptFileError, DataDirectoryError } from "./errors.ts"
import type { ReadPace } from "./read-pace.ts"
import { SSTableBlock } from "./sstable-block.ts"
import { FILE_HEADER_BYTES, FOOTER_BYTES, type SSTableStatistics, type Section, checkFileHeader, decodeFooter, decodeSection, loadBlock } from "./sstable-format.ts"
import { SSTableIndex } from "./sstable-index.ts"

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
  readonly #file: ReadFile
  readonly #cache: BlockCache
  readonly #cached: CachedFile
  readonly #pace: ReadPace | null
  /** Reads in flight; a retired file is closed when there are none. */
  #reading = 0
  #isRetired = false

  private constructor(number: number, path: string, file: ReadFile, cache: BlockCache, pace: ReadPace | null, parts: { index: SSTableIndex; filter: BloomFilter; statistics: SSTableStatistics }) {
    this.number = number
    this.path = path
    this.bytes = file.size
    this.#file = file
    this.#cache = cache
    this.#pace = pace
    this.#cached = new CachedFile(parts.index.count)
    this.index = parts.index
    this.filter = parts.filter
    this.statistics = parts.statistics
    const maxTimestamp = BigInt(parts.statistics.maxTimestamp)
    this.maxTimestampHigh = highOfBigInt(maxTimestamp)
    this.maxTimestampLow = lowOfBigInt(maxTimestamp)
  }

  /** `pace` hears how long blocking reads take; null: nobody does. Throws CorruptFileError, DataDirectoryError for a newer version, DiskError. */
  static open(disk: Disk, number: number, path: string, cache: BlockCache, pace: ReadPace | null): SSTable {
    const file = disk.readFile(path)
    try {
      const header = readAt(file, 0, FILE_HEADER_BYTES)
      const verdict = checkFileHeader(header)
      if (verdict === "newer") throw new DataDirectoryError("newer_format", `${path} is an SSTable of version ${header[4] as number}, which this version cannot read`)
      if (verdict === "damaged") throw new CorruptionError("expected the header of an SSTable", 0)
      const footer = decodeFooter(readAt(file, Math.max(file.size - FOOTER_BYTES, 0), FOOTER_BYTES), file.size)
      const section = ({ offset, length }: Section, what: string): Buffer => decodeSection(readAt(file, offset, length), offset, what)
      const index = new SSTableIndex(section(footer.index, "index"), footer.blocks, footer.index.offset + 4)
      const filter = BloomFilter.decode(section(footer.filter, "filter"))
      const statistics = JSON.parse(section(footer.statistics, "statistics").toString()) as SSTableStatistics
      return new SSTable(number, path, file, cache, pace, { index, filter, statistics })
    } catch (error) {
      file.close()
      throw error instanceof CorruptionError ? CorruptFileError.from(path, error) : error
    }
  }

  /** The block from the cache, or read now. Throws CorruptFileError, DiskError. */
  block(index: number): SSTableBlock {
    return this.#cache.get(this.#cached, index) ?? this.#readNow(index)
  }

  /**
   * Adds the blocks that a read of these rows of the partition begins with and that are not in the cache: where the
   * partition starts, and where each slice does. What else is needed (a slice over many blocks) is read when it comes.
   */
  missing(table: TableSchema, tokenHigh: number, tokenLow: number, key: Buffer, slices: readonly ClusteringSlice[], reversed: boolean, into: MissingBlock[]): void {
    if (!this.filter.mayContain(tokenHigh, tokenLow)) return
    const start = this.index.startBlock(tokenHigh, tokenLow, key)
    this.#addMissing(start, into)
    const last = this.index.lastBlock(start, tokenHigh, tokenLow, key)
    if (last === start) return
    for (const slice of slices) {
      const prefix = reversed ? slice.end : slice.start
      const inclusive = reversed ? slice.endInclusive : slice.startInclusive
      if (prefix.length === 0) this.#addMissing(reversed ? last : start, into)
      else this.#addMissing(this.index.blockOfBound(start, last, prefix, inclusive === reversed ? 1 : -1, table), into)
    }
  }

  /** Reads a block into the cache without blocking. */
  load(index: number, done: (error: CorruptFileError | DiskError | null) => void): void {
    const stored = Buffer.allocUnsafeSlow(this.index.storedSize(index))
    this.#reading++
    this.#file.read(stored, this.index.blockOffset(index), (error, count) => {
      this.#reading--
      if (this.#isRetired && this.#reading === 0) this.#file.close()
      if (error !== null) return done(error)
      try {
        this.#keep(index, stored.subarray(0, count))
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
    this.#cache.forget(this.#cached)
    if (this.#reading === 0) this.#file.close()
  }

  #addMissing(index: number, into: MissingBlock[]): void {
    if (this.#cache.get(this.#cached, index) === null && !into.some((other) => other.table === this && other.index === index)) into.push({ table: this, index })
  }

  #readNow(index: number): SSTableBlock {
    const read = (): Buffer => readAt(this.#file, this.index.blockOffset(index), this.index.storedSize(index))
    return this.#keep(index, this.#pace === null ? read() : this.#pace.blocking(read))
  }

  #keep(index: number, stored: Buffer): SSTableBlock {
    const offset = this.index.blockOffset(index)
    try {
      if (stored.length !== this.index.storedSize(index)) throw new CorruptionError("expected a whole block", offset)
      const block = new SSTableBlock(loadBlock(stored, offset), offset)
      if (!this.#isRetired) this.#cache.put(this.#cached, index, block)
      return block
    } catch (error) {
      throw error instanceof CorruptionError ? CorruptFileError.from(this.path, error) : error
    }
  }
}

export interface MissingBlock {
  readonly table: SSTable
  readonly index: number
}

function readAt(file: ReadFile, at: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(size)
  return bytes.subarray(0, file.readNow(bytes, at))
}
