// Writes one SSTable (sstable-format.ts). Runs in jobs. Call order: for each partition in token order beginPartition, then
// its static row, range tombstones and rows in order through `item`; then finish, or abandon.
import { Buffer, assert } from "../../runtime/pure.ts"
import type { AppendFile, Disk } from "../../runtime/disk.ts"
import { ByteWriter } from "../../data/bytes.ts"
import type { Deletion } from "../../data/row.ts"
import { FLAG, clusteringEnd, clusteringStart, itemFlags, itemSize } from "../../data/row-format.ts"
import type { TableSchema } from "../../data/schema.ts"
import { int64Text } from "../../data/timestamp.ts"
import { BloomFilter } from "./bloom-filter.ts"
import { syncDirectory, syncFile } from "../log/sync-files.ts"
import {
  FOOTER_BYTES, INDEX_ENTRY_BYTES, INDEX_FANOUT, INDEX_FLAG, PARTITION_DELETED_FLAG, PARTITION_FLAG, PARTITION_HEADER_BYTES,
  type SSTableStatistics, type Section, encodeFileHeader, encodeFooter, encodeSection,
} from "./sstable-format.ts"
import { type Compression, DICTIONARY_BYTES, storeBlock } from "./sstable-codec.ts"
import { tableBytes } from "./sstable-block.ts"
import { StatisticsCollector } from "./sstable-statistics.ts"

const WRITE_BYTES = 256 * 1024
/** Syncing as it goes keeps the last sync, and everybody else's, short. */
const SYNC_BYTES = 8 << 20

export interface SSTableWriterOptions {
  readonly compression: Compression
  readonly bloomFilterFpChance: number
  /** Null: the table has no clustering columns. */
  readonly compareClustering: TableSchema["compareClustering"] | null
}

export interface SSTableSummary {
  readonly bytes: number
  readonly statistics: SSTableStatistics
}

export class SSTableWriter {
  readonly #disk: Disk
  readonly #path: string
  readonly #options: SSTableWriterOptions
  readonly #file: AppendFile
  readonly #statistics: StatisticsCollector
  /** Stored blocks not yet written. */
  readonly #out = new ByteWriter(WRITE_BYTES + (64 << 10))
  readonly #block = new ByteWriter(16 << 10)
  #entryCount = 0
  #partitionCount = 0
  /** Entries of the index block that is being filled, and where they begin; those of the summary likewise. */
  readonly #index = new ByteWriter(16 << 10)
  readonly #indexEntries: number[] = []
  readonly #summary = new ByteWriter(4096)
  readonly #summaryEntries: number[] = []
  #dictionary: Buffer | null = null
  #blocks = 0
  #offset = 0
  #unsynced = 0
  #plainBytes = 0
  /** Tokens of all partitions, for the filter: pairs (high, low). */
  #tokens = new Int32Array(1024)
  #tokenCount = 0
  #tokenHigh = 0
  #tokenLow = 0
  /** Of the current partition. */
  readonly #key = new ByteWriter(64)

  constructor(disk: Disk, path: string, options: SSTableWriterOptions) {
    this.#disk = disk
    this.#path = path
    this.#options = options
    this.#statistics = new StatisticsCollector(options.compareClustering)
    this.#file = disk.appendFile(this.#temporaryPath, { truncateTo: 0 })
    this.#append(encodeFileHeader())
  }

  get #temporaryPath(): string {
    return `${this.#path}.tmp`
  }

  /** Bytes of the file so far: a compaction that makes several files goes on to the next one by it. */
  get bytesWritten(): number {
    return this.#offset
  }

  beginPartition(tokenHigh: number, tokenLow: number, key: Uint8Array, deletion: Deletion | null): void {
    this.#tokenHigh = tokenHigh
    this.#tokenLow = tokenLow
    this.#key.reset()
    this.#key.bytes(key)
    this.#noteLastRow()
    this.#isFirstRow = true
    this.#statistics.partitions++
    this.#addToken(tokenHigh, tokenLow)
    this.#beginEntry(0, null, 0)
    this.#partitionCount++
    const block = this.#block
    const start = block.length
    block.uint32(PARTITION_HEADER_BYTES + (deletion === null ? 0 : 12) + key.length)
    block.uint8(deletion === null ? PARTITION_FLAG : PARTITION_DELETED_FLAG)
    block.uint8(0)
    block.uint16(key.length)
    if (deletion !== null) {
      block.timestamp(deletion.timestampHigh, deletion.timestampLow)
      block.uint32(deletion.localDeletionTime)
      this.#statistics.deletion(deletion)
      this.#statistics.notOnlyRows()
    }
    block.bytes(key)
    assert(block.length - start === block.buffer.readUInt32BE(start), "a partition header has the size it says")
  }

  /** The static row, a range tombstone or a row of the current partition: `bytes[at, …)`, copied. */
  item(bytes: Buffer, at: number): void {
    const flags = itemFlags(bytes, at)
    const isRow = (flags & (FLAG.static | FLAG.range)) === 0
    this.#beginEntry(INDEX_FLAG.continues | (isRow ? INDEX_FLAG.atRow : 0), isRow ? bytes : null, at)
    if (!isRow) {
      this.#statistics.notOnlyRows()
    } else {
      if (this.#isFirstRow) this.#statistics.firstRow(bytes, at)
      this.#isFirstRow = false
      this.#lastRowAt = this.#block.length
    }
    this.#block.copy(bytes, at, at + itemSize(bytes, at))
    if ((flags & FLAG.range) !== 0) this.#statistics.deletion(rangeDeletion(bytes, at))
    else this.#statistics.row(bytes, at)
  }

  /** Lets the disk catch up; call now and then. */
  async drain(): Promise<void> {
    if (this.#unsynced < SYNC_BYTES) return
    this.#unsynced = 0
    await syncFile(this.#file)
  }

  /** Writes the rest, makes the file durable under its name. REQUIRES: at least one partition. */
  async finish(): Promise<SSTableSummary> {
    assert(this.#tokenCount > 0, "an SSTable has a partition")
    if (this.#entryCount > 0) this.#endBlock()
    if (this.#indexEntries.length > 0) this.#endIndexBlock()
    writeOffsets(this.#summary, this.#summaryEntries)
    const summary = this.#section(this.#summary.view())
    const filter = this.#section(this.#filter().encode())
    const statistics = this.#statistics.finish(this.#tokenText(0), this.#tokenText(this.#tokenCount - 1), this.#plainBytes)
    const statisticsSection = this.#section(Buffer.from(JSON.stringify(statistics)))
    const dictionary = this.#section(this.#dictionary as Buffer)
    const bytes = this.#offset + FOOTER_BYTES
    this.#append(encodeFooter({ summary, filter, statistics: statisticsSection, dictionary, blocks: this.#blocks }, bytes))
    this.#writeOut()
    await syncFile(this.#file)
    this.#close()
    this.#disk.rename(this.#temporaryPath, this.#path)
    await syncDirectory(this.#disk, this.#path.slice(0, this.#path.lastIndexOf("/")))
    return { bytes, statistics }
  }

  /** Removes what was written. */
  abandon(): void {
    this.#close()
    if (this.#disk.exists(this.#temporaryPath)) this.#disk.remove(this.#temporaryPath)
  }

  #close(): void {
    if (!this.#isClosed) this.#file.close()
    this.#isClosed = true
  }
  #isClosed = false

  /** Makes room for an entry; a block that begins with it gets an index entry with these flags and the row's clustering. */
  #beginEntry(flags: number, row: Buffer | null, at: number): void {
    if (this.#block.length >= this.#options.compression.blockBytes) this.#endBlock()
    if (this.#entryCount === 0) this.#beginIndexEntry(flags, row, at)
    this.#entryCount++
  }

  #beginIndexEntry(flags: number, row: Buffer | null, at: number): void {
    const index = this.#index
    this.#indexEntries.push(index.length)
    const from = row === null ? 0 : clusteringStart(at)
    const to = row === null ? 0 : clusteringEnd(row, at)
    index.uint32(INDEX_ENTRY_BYTES + this.#key.length + (to - from))
    index.uint8(flags)
    index.uint8(0)
    index.uint16(this.#key.length)
    index.int32(this.#tokenHigh)
    index.uint32(this.#tokenLow)
    index.uint32(Math.floor(this.#offset / 2 ** 32))
    index.uint32(this.#offset >>> 0)
    // The stored size is known when the block ends.
    this.#storedSizeAt = index.length
    index.uint32(0)
    index.uint16(to - from)
    index.uint16(0)
    index.bytes(this.#key.view())
    if (row !== null) index.copy(row, from, to)
  }
  #storedSizeAt = 0

  /** Where the last row of the partition begins in the block; -1: none is there. */
  #lastRowAt = -1
  #isFirstRow = true
  #noteLastRow(): void {
    if (this.#lastRowAt >= 0) this.#statistics.lastRow(this.#block.buffer, this.#lastRowAt)
    this.#lastRowAt = -1
  }

  #endBlock(): void {
    this.#noteLastRow()
    const block = this.#block
    block.uint16(this.#entryCount)
    block.uint16(this.#partitionCount)
    this.#plainBytes += block.length
    this.#index.patchUint32(this.#storedSizeAt, this.#store(block.view(), tableBytes(this.#entryCount, this.#partitionCount)))
    // What rows of the table look like: with it small blocks compress nearly as well as large ones.
    this.#dictionary ??= Buffer.from(block.buffer.subarray(Math.max(block.length - DICTIONARY_BYTES, 0), block.length))
    this.#blocks++
    block.reset()
    this.#entryCount = 0
    this.#partitionCount = 0
    if (this.#indexEntries.length === INDEX_FANOUT) this.#endIndexBlock()
  }

  /** Stores the index block behind its blocks; the summary gets its first entry, with the place of the index block in it. */
  #endIndexBlock(): void {
    const index = this.#index
    const summary = this.#summary
    const at = summary.length
    this.#summaryEntries.push(at)
    summary.copy(index.buffer, 0, index.buffer.readUInt32BE(0))
    summary.patchUint32(at + 16, Math.floor(this.#offset / 2 ** 32))
    summary.patchUint32(at + 20, this.#offset >>> 0)
    writeOffsets(index, this.#indexEntries)
    summary.patchUint32(at + 24, this.#store(index.view(), 0))
    index.reset()
    this.#indexEntries.length = 0
  }

  #store(block: Buffer, extra: number): number {
    const size = storeBlock(block, extra, this.#options.compression, extra === 0 ? null : this.#dictionary, this.#out)
    this.#appended(size)
    return size
  }

  #section(content: Uint8Array): Section {
    const offset = this.#offset
    const bytes = encodeSection(content)
    this.#append(bytes)
    return { offset, length: bytes.length }
  }

  #append(bytes: Buffer): void {
    this.#out.bytes(bytes)
    this.#appended(bytes.length)
  }
  #appended(size: number): void {
    this.#offset += size
    if (this.#out.length >= WRITE_BYTES) this.#writeOut()
  }

  #writeOut(): void {
    this.#file.write(this.#out.view())
    this.#unsynced += this.#out.length
    this.#out.reset()
  }

  #addToken(high: number, low: number): void {
    if (this.#tokenCount * 2 === this.#tokens.length) {
      const larger = new Int32Array(this.#tokens.length * 2)
      larger.set(this.#tokens)
      this.#tokens = larger
    }
    this.#tokens[this.#tokenCount * 2] = high
    this.#tokens[this.#tokenCount * 2 + 1] = low | 0
    this.#tokenCount++
  }

  #filter(): BloomFilter {
    const filter = BloomFilter.create(this.#tokenCount, this.#options.bloomFilterFpChance)
    for (let index = 0; index < this.#tokenCount; index++) filter.add(this.#tokens[index * 2] as number, (this.#tokens[index * 2 + 1] as number) >>> 0)
    return filter
  }

  #tokenText(index: number): string {
    return int64Text(this.#tokens[index * 2] as number, (this.#tokens[index * 2 + 1] as number) >>> 0)
  }
}

/** What stands behind the entries of an index block or summary: u32 offset of each, u32 how many. */
function writeOffsets(out: ByteWriter, entries: readonly number[]): void {
  for (const offset of entries) out.uint32(offset)
  out.uint32(entries.length)
}

function rangeDeletion(bytes: Buffer, at: number): Deletion {
  const end = at + itemSize(bytes, at)
  return { timestampHigh: bytes.readInt32BE(end - 12), timestampLow: bytes.readUInt32BE(end - 8), localDeletionTime: bytes.readUInt32BE(end - 4) }
}
