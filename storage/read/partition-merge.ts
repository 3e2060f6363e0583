// Merges the parts of one partition that lie in memtables and SSTables into canonical rows, one after the other. A row
// that lies in one place as one fragment, with nothing covering it, is handed on as it lies there, without a copy.
import { Buffer } from "../../runtime/pure.ts"
import { ByteWriter } from "../../data/bytes.ts"
import { coveringDeletion, strongerDeletion } from "../../data/range-tombstones.ts"
import type { ClusteringSlice } from "../../data/read-command.ts"
import type { Deletion, RangeTombstone } from "../../data/row.ts"
import { FLAG, clusteringEnd, clusteringStart, itemFlags, itemSize, simpleTimestampAt } from "../../data/row-format.ts"
import type { TableSchema } from "../../data/schema.ts"
import type { PartitionSource } from "./partition-source.ts"
import { type RangeTombstoneCache, disjointTombstonesOf } from "./range-tombstone-cache.ts"
import { Fragments, compareTimestampAt, mergeToBytes } from "./row-merge.ts"

const NO_BYTES = Buffer.alloc(0)
const NO_TOMBSTONES: readonly RangeTombstone[] = []
export const EVERY_ROW: readonly ClusteringSlice[] = [{ start: NO_BYTES, startInclusive: true, end: NO_BYTES, endInclusive: true }]

/** What a step found: no more rows, a row, or a row of which nothing is left. */
export const STEP = { end: 0, row: 1, nothing: 2 } as const
export type Step = (typeof STEP)[keyof typeof STEP]
/** What a row that is merged costs, in rows that are handed on as they lie. */
const MERGED_ROW = 2

export class PartitionMerge {
  /** The current row (or static row): an item of `bytes` at [at, end). Valid until the next call. */
  bytes: Buffer = NO_BYTES
  at = 0
  end = 0
  /** The strongest partition deletion. */
  deletion: Deletion | null = null
  /** Disjoint, in clustering order, stronger than `deletion`. */
  tombstones: readonly RangeTombstone[] = NO_TOMBSTONES
  #table: TableSchema | null = null
  /** All sources are [0, #allCount) and those that still have rows [0, #count), both newest first. The arrays never shrink: emptying one costs more than a read. */
  readonly #all: (PartitionSource | null)[] = []
  #allCount = 0
  readonly #sources: (PartitionSource | null)[] = []
  #count = 0
  /** What has been looked at since `work` was set to 0: rows, those that had to be merged counted MERGED_ROW times. */
  work = 0
  /** The row that the last step looked at, whatever is left of it: an item of `placeBytes` at `placeAt`. */
  placeBytes: Buffer = NO_BYTES
  placeAt = 0
  #started = false
  #slices: readonly ClusteringSlice[] = EVERY_ROW
  #reversed = false
  readonly #fragments = new Fragments()
  readonly #scratch = new ByteWriter(64)

  /** Starts on a partition; then add its sources, newest first, then `begin`. */
  open(table: TableSchema): void {
    this.#table = table
    this.#allCount = 0
    this.#count = 0
    this.deletion = null
    this.tombstones = NO_TOMBSTONES
  }
  add(source: PartitionSource): void {
    this.#all[this.#allCount++] = source
  }
  /** The source, when there is just one. */
  get only(): PartitionSource | null {
    return this.#allCount === 1 ? (this.#all[0] as PartitionSource) : null
  }
  get isEmpty(): boolean {
    return this.#allCount === 0
  }

  /** Reads deletions and range tombstones; the latter by way of the cache, if there is one. */
  begin(slices: readonly ClusteringSlice[], reversed: boolean, cache: RangeTombstoneCache | null = null): void {
    const table = this.#table as TableSchema
    this.#slices = slices
    this.#reversed = reversed
    this.#started = false
    let hasRangeTombstones = false
    for (let index = 0; index < this.#allCount; index++) {
      const source = this.#all[index] as PartitionSource
      this.deletion = strongerDeletion(this.deletion, source.deletion)
      hasRangeTombstones ||= source.hasRangeTombstones
    }
    if (!hasRangeTombstones) return
    const sources = (this.#all.slice(0, this.#allCount) as PartitionSource[]).filter((source) => source.hasRangeTombstones)
    this.tombstones = cache === null ? disjointTombstonesOf(sources, this.deletion, table) : cache.of(sources, this.deletion, table)
  }

  /** Makes the static row the current one; false when there is none. Call before `next`. */
  static(): boolean {
    const fragments = this.#fragments
    fragments.clear()
    for (let index = 0; index < this.#allCount; index++) (this.#all[index] as PartitionSource).addStatic(fragments)
    return fragments.count > 0 && this.#emit(this.deletion)
  }

  /** Makes the next row the current one; false at the end. Rows of which nothing is left are passed over, however many. */
  next(): boolean {
    for (;;) {
      const step = this.step()
      if (step !== STEP.nothing) return step === STEP.row
    }
  }

  /** Looks at the next row, and makes it the current one if something is left of it. */
  step(): Step {
    if (!this.#started) this.#start()
    if (this.#count === 0) return STEP.end
    const found = this.#count === 1 ? this.#onlySource(this.#sources[0] as PartitionSource) : this.#mergeNext()
    return found ? STEP.row : STEP.nothing
  }

  /** The deletion of partition or range that covers a clustering. */
  covering(bytes: Uint8Array, from: number, to: number): Deletion | null {
    if (this.tombstones.length === 0) return this.deletion
    const table = this.#table as TableSchema
    return strongerDeletion(this.deletion, coveringDeletion(this.tombstones, bytes, from, to, table.compareClustering))
  }

  close(): void {
    for (let index = 0; index < this.#allCount; index++) {
      ;(this.#all[index] as PartitionSource).close()
      // A merge that waits for its next use must not keep a flushed memtable alive.
      this.#all[index] = null
      this.#sources[index] = null
    }
    this.#allCount = 0
    this.#count = 0
  }

  #start(): void {
    this.#started = true
    for (let index = 0; index < this.#allCount; index++) {
      const source = this.#all[index] as PartitionSource
      source.openRows(this.#slices, this.#reversed)
      if (source.nextRow()) this.#sources[this.#count++] = source
    }
  }

  #onlySource(source: PartitionSource): boolean {
    const bytes = source.bytes
    const at = source.at
    const isAlone = source.isSingle && this.deletion === null && this.tombstones.length === 0
    this.placeBytes = bytes
    this.placeAt = at
    this.work += isAlone ? 1 : MERGED_ROW
    if (isAlone) {
      this.bytes = bytes
      this.at = at
      this.end = at + itemSize(bytes, at)
      this.#advance(0)
      return true
    }
    this.#fragments.clear()
    source.addRow(this.#fragments)
    const found = this.#emit(this.covering(bytes, clusteringStart(at), clusteringEnd(bytes, at)))
    this.#advance(0)
    return found
  }

  #mergeNext(): boolean {
    const sources = this.#sources
    const compare = (this.#table as TableSchema).compareClustering
    let first = sources[0] as PartitionSource
    const sign = this.#reversed ? -1 : 1
    for (let index = 1; index < this.#count; index++) {
      const source = sources[index] as PartitionSource
      if (sign * compareRows(source, first, compare) < 0) first = source
    }
    const fragments = this.#fragments
    fragments.clear()
    const { bytes, at } = first
    this.placeBytes = bytes
    this.placeAt = at
    this.work += MERGED_ROW
    const covering = this.covering(bytes, clusteringStart(at), clusteringEnd(bytes, at))
    let taken = 0
    for (let index = 0; index < this.#count; index++) {
      const source = sources[index] as PartitionSource
      if (source !== first && compareRows(source, first, compare) !== 0) continue
      source.addRow(fragments)
      this.#taken[taken++] = index
    }
    const found = this.#emit(covering)
    while (taken > 0) this.#advance(this.#taken[--taken] as number)
    return found
  }
  readonly #taken: number[] = []

  /** Moves a source on. What it gave stays valid: slabs do not move, and a block that the cache lets go is kept by whoever holds its bytes. */
  #advance(index: number): void {
    if ((this.#sources[index] as PartitionSource).nextRow()) return
    this.#sources.copyWithin(index, index + 1, this.#count)
    this.#count--
  }

  /** Makes the fragments, less what `covering` deletes, the current row; false when nothing is left. */
  #emit(covering: Deletion | null): boolean {
    const fragments = this.#fragments
    if (fragments.count === 1) {
      const bytes = fragments.buffers[0] as Buffer
      const at = fragments.at[0] as number
      const isSimple = (itemFlags(bytes, at) & FLAG.simple) !== 0
      if (covering === null || (isSimple && isNewer(bytes, at, covering))) {
        this.bytes = bytes
        this.at = at
        this.end = at + itemSize(bytes, at)
        return true
      }
      if (isSimple) return false
    }
    const out = this.#scratch
    out.reset()
    if (!mergeToBytes(this.#table as TableSchema, fragments, covering, out)) return false
    this.bytes = out.buffer
    this.at = 0
    this.end = out.length
    return true
  }
}

function isNewer(bytes: Buffer, at: number, deletion: Deletion): boolean {
  return compareTimestampAt(bytes, simpleTimestampAt(bytes, at), deletion.timestampHigh, deletion.timestampLow) > 0
}

function compareRows(a: PartitionSource, b: PartitionSource, compare: TableSchema["compareClustering"]): number {
  return compare(
    a.bytes, clusteringStart(a.at), clusteringEnd(a.bytes, a.at),
    b.bytes, clusteringStart(b.at), clusteringEnd(b.bytes, b.at),
  )
}
