// Where a compaction's partitions go: one SSTable, or several, cut by size or at the tokens of shards; each partition whole
// in one of them, and partitions of one token together, so that the outputs' tokens are disjoint.
//
// For each partition in token order: `isFull`, and if so `next`; `begin`, or `beginPlain` when one input alone has it and it has
// rows only, which need no merge (a fifth of the time, and most partitions are such); `rows` until there are no more. At the
// end `finish`, or `abandon`.
import type { Buffer } from "../../runtime/pure.ts"
import type { Disk } from "../../runtime/disk.ts"
import { ByteWriter } from "../../data/bytes.ts"
import type { Deletion } from "../../data/row.ts"
import { encodeRangeTombstone } from "../../data/row-format.ts"
import { compareInt64, highOfBigInt, lowOfBigInt } from "../../data/timestamp.ts"
import { EVERY_ROW, type PartitionMerge } from "../read/partition-merge.ts"
import type { PartitionSource } from "../read/partition-source.ts"
import { sstablePath } from "../sstable/sstable-files.ts"
import { type SSTableSummary, SSTableWriter, type SSTableWriterOptions } from "../sstable/sstable-writer.ts"
import type { Purger } from "./purger.ts"

export interface OutputSpec {
  readonly directory: string
  /** The outputs' numbers go up from here; when `count` of them are used the last output takes the rest. */
  readonly firstNumber: number
  readonly count: number
  readonly maxOutputBytes: number
  readonly boundaries: readonly bigint[]
}

export interface WrittenSSTable {
  readonly number: number
  readonly summary: SSTableSummary
}

export class CompactionOutput {
  readonly #disk: Disk
  readonly #spec: OutputSpec
  readonly #boundaries: readonly { readonly high: number; readonly low: number }[]
  readonly #options: SSTableWriterOptions
  readonly #purger: Purger | null
  readonly #scratch = new ByteWriter(256)
  readonly #written: WrittenSSTable[] = []
  /** Finished outputs: to be removed when the compaction fails. */
  readonly #paths: string[] = []
  #writer: SSTableWriter | null = null
  #begun = 0
  #boundary = 0
  /** The current partition. */
  #merge: PartitionMerge | null = null
  /** Instead of `#merge`. */
  #plain: PartitionSource | null = null
  #tokenHigh = 0
  #tokenLow = 0
  #key: Buffer | null = null
  #deletion: Deletion | null = null
  #isBegun = false

  constructor(disk: Disk, spec: OutputSpec, options: SSTableWriterOptions, purger: Purger | null) {
    this.#disk = disk
    this.#spec = spec
    this.#boundaries = spec.boundaries.map((token) => ({ high: highOfBigInt(token), low: lowOfBigInt(token) }))
    this.#options = options
    this.#purger = purger
  }

  /** Whether the partition belongs into the next output. Ask once for each. */
  isFull(tokenHigh: number, tokenLow: number): boolean {
    let isPast = false
    for (let bound = this.#boundaries[this.#boundary]; bound !== undefined; bound = this.#boundaries[this.#boundary]) {
      if (compareInt64(tokenHigh, tokenLow, bound.high, bound.low) < 0) break
      this.#boundary++
      isPast = true
    }
    if (this.#writer === null || this.#begun >= this.#spec.count) return false
    if (isPast) return true
    return this.#writer.bytesWritten >= this.#spec.maxOutputBytes && (tokenHigh !== this.#tokenHigh || tokenLow !== this.#tokenLow)
  }

  /** Finishes the current output. */
  async next(): Promise<void> {
    const writer = this.#writer
    if (writer === null) return
    const number = this.#spec.firstNumber + this.#begun - 1
    const summary = await writer.finish()
    this.#writer = null
    this.#paths.push(sstablePath(this.#spec.directory, number))
    this.#written.push({ number, summary })
  }

  /** Starts on what `merge` has opened: its deletion, static row and range tombstones. */
  begin(merge: PartitionMerge, tokenHigh: number, tokenLow: number, key: Buffer): void {
    const purger = this.#purger
    merge.begin(EVERY_ROW, false)
    this.#merge = merge
    this.#partition(tokenHigh, tokenLow, key)
    this.#deletion = purger === null ? merge.deletion : purger.deletion(merge.deletion)
    if (this.#deletion !== null) this.#open()
    if (merge.static()) this.#row(merge)
    for (const tombstone of merge.tombstones) {
      if (purger !== null && !purger.keeps(tombstone)) continue
      this.#scratch.reset()
      encodeRangeTombstone(tombstone, this.#scratch)
      this.#open().item(this.#scratch.buffer, 0)
    }
  }

  /** REQUIRES: the source's rows are single fragments. */
  beginPlain(source: PartitionSource, tokenHigh: number, tokenLow: number, key: Buffer): void {
    source.openRows(EVERY_ROW, false)
    this.#plain = source
    this.#partition(tokenHigh, tokenLow, key)
    this.#deletion = null
  }

  #partition(tokenHigh: number, tokenLow: number, key: Buffer): void {
    this.#tokenHigh = tokenHigh
    this.#tokenLow = tokenLow
    this.#key = key
    this.#isBegun = false
    this.#purger?.partition(tokenHigh, tokenLow)
  }

  /** Writes up to so many rows; false when the partition is done. */
  rows(most: number): boolean {
    const plain = this.#plain
    if (plain !== null) {
      for (let left = most; left > 0; left--) {
        if (!plain.nextRow()) {
          plain.close()
          this.#plain = null
          return false
        }
        this.#row(plain)
      }
      return true
    }
    const merge = this.#merge as PartitionMerge
    for (let left = most; left > 0; left--) {
      if (!merge.next()) {
        merge.close()
        return false
      }
      this.#row(merge)
    }
    return true
  }

  /** Lets the disk catch up; call now and then. */
  drain(): Promise<void> {
    return this.#writer === null ? Promise.resolve() : this.#writer.drain()
  }

  /** Empty when nothing was left. */
  async finish(): Promise<readonly WrittenSSTable[]> {
    await this.next()
    return this.#written
  }

  /** Removes what was written. */
  abandon(): void {
    this.#writer?.abandon()
    this.#writer = null
    for (const path of this.#paths) if (this.#disk.exists(path)) this.#disk.remove(path)
  }

  #row({ bytes, at }: { readonly bytes: Buffer; readonly at: number }): void {
    const fate = this.#purger === null ? "kept" : this.#purger.row(bytes, at)
    if (fate === "kept") this.#open().item(bytes, at)
    else if (fate === "changed") this.#open().item((this.#purger as Purger).out.buffer, 0)
  }

  /** The writer, with the partition begun: one of which nothing is left is not. */
  #open(): SSTableWriter {
    if (this.#writer === null) {
      this.#writer = new SSTableWriter(this.#disk, sstablePath(this.#spec.directory, this.#spec.firstNumber + this.#begun), this.#options)
      this.#begun++
    }
    if (!this.#isBegun) {
      this.#isBegun = true
      this.#writer.beginPartition(this.#tokenHigh, this.#tokenLow, this.#key as Buffer, this.#deletion)
    }
    return this.#writer
  }
}
