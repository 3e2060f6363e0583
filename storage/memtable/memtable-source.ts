// Reads a memtable: the rows of a partition, and its partitions in token order. Nothing is copied; what is returned lies
// in the slabs.
import { Buffer } from "../../runtime/pure.ts"
import type { ClusteringSlice } from "../../data/read-command.ts"
import type { Deletion, RangeTombstone } from "../../data/row.ts"
import { ROW } from "./memtable-layout.ts"
import { type Memtable, addFragments, addRangeTombstones, hasExtras, hasRangeTombstones, nextWithToken, partitionDeletion, partitionKey, staticRow, tombstoneCount } from "./memtable.ts"
import type { TokenCursor } from "./partition-index.ts"
import type { PartitionCursor, PartitionSource, TombstoneStamp } from "../read/partition-source.ts"
import type { Fragments } from "../read/row-merge.ts"
import type { RowVector } from "./row-vector.ts"
import { type SlabArena, byteOf, intOf, slabOf } from "./slab.ts"

const NO_BYTES = Buffer.alloc(0)
const NO_RUN = new Int32Array(0)
/** Rows that are looked at before the first of them is handed out: see #touch. */
const FIRST_BATCH = 8
const LARGEST_BATCH = 128
/** A cache line, in 32-bit integers. */
const LINE_INTS = 16

/** What reading takes of a memtable: a worker has it over the same slabs. */
export type MemtableRows = Pick<Memtable, "arena" | "rows" | "tombstoneRewrites">

export class MemtableSource implements PartitionSource {
  bytes: Buffer = NO_BYTES
  at = 0
  isSingle = true
  /** Null between uses: an idle source must not keep a flushed memtable alive. */
  #memtable: MemtableRows | null = null
  readonly #pool: MemtableSource[] | null
  #partition = 0
  #slices: readonly ClusteringSlice[] = []
  #reversed = false
  /** The slice being walked, and the places left of it: [#first, #behind). */
  #slice = 0
  #first = 0
  #behind = 0
  /** The addresses of the next rows, which lie in one piece: `#left` of them from #at on, one #step after the other. */
  #run: Int32Array = NO_RUN
  #at = 0
  #step = 1
  #left = 0
  /** How many of them have been looked at, and how many will be at once. */
  #ready = 0
  #batch = FIRST_BATCH
  #row = 0

  /** `pool`: where it goes when it is closed. */
  constructor(pool: MemtableSource[] | null) {
    this.#pool = pool
  }

  /** REQUIRES: the address of a partition of the memtable. */
  reset(memtable: MemtableRows, partition: number): this {
    this.#memtable = memtable
    this.#partition = partition
    return this
  }

  /** The partition has rows and nothing else: no deletion, no range tombstone, no static row. */
  get isPlain(): boolean {
    return !hasExtras(this.#arena, this.#partition)
  }
  get deletion(): Deletion | null {
    return partitionDeletion(this.#arena, this.#partition)
  }
  get hasRangeTombstones(): boolean {
    return hasRangeTombstones(this.#arena, this.#partition)
  }
  addRangeTombstones(into: RangeTombstone[]): void {
    addRangeTombstones(this.#arena, this.#partition, into)
  }
  get tombstoneStamp(): TombstoneStamp {
    const memtable = this.#memtable as MemtableRows
    return { owner: memtable, place: this.#partition, era: memtable.tombstoneRewrites, count: tombstoneCount(memtable.arena, this.#partition) }
  }
  addNewestRangeTombstones(into: RangeTombstone[], most: number): void {
    addRangeTombstones(this.#arena, this.#partition, into, most)
  }
  addStatic(into: Fragments): void {
    const row = staticRow(this.#arena, this.#partition)
    if (row !== 0) addFragments(this.#arena, row, into)
  }

  openRows(slices: readonly ClusteringSlice[], reversed: boolean): void {
    this.#slices = slices
    this.#reversed = reversed
    this.#slice = reversed ? slices.length : -1
    this.#first = 0
    this.#behind = 0
    this.#step = reversed ? -1 : 1
    this.#left = 0
    this.#batch = FIRST_BATCH
  }

  nextRow(): boolean {
    if (this.#left === 0 && !this.#nextRun()) return false
    if (this.#ready === 0) this.#touch()
    this.#ready--
    const arena = this.#arena
    const row = this.#run[this.#at] as number
    const slab = slabOf(row)
    this.#at += this.#step
    this.#left--
    this.#row = row
    this.bytes = arena.buffers[slab] as Buffer
    this.at = byteOf(row) + ROW.byte
    this.isSingle = (arena.ints[slab] as Int32Array)[intOf(row) + ROW.next] === 0
    return true
  }

  addRow(into: Fragments): void {
    addFragments(this.#arena, this.#row, into)
  }
  close(): void {
    this.#memtable = null
    this.#run = NO_RUN
    this.bytes = NO_BYTES
    this.#pool?.push(this)
  }

  get #arena(): SlabArena {
    return (this.#memtable as MemtableRows).arena
  }
  get #rows(): RowVector {
    return (this.#memtable as MemtableRows).rows
  }

  /** Goes to the next piece of the slice, or to the next slice that has rows. */
  #nextRun(): boolean {
    while (this.#first >= this.#behind) if (!this.#openSlice(this.#slice + this.#step)) return false
    const rows = this.#rows
    if (this.#reversed) this.#behind = rows.runBefore(this.#partition, this.#first, this.#behind)
    else this.#first = rows.runFrom(this.#partition, this.#first, this.#behind)
    this.#run = rows.run
    this.#at = rows.runAt
    this.#left = rows.runCount
    this.#ready = 0
    return true
  }

  /**
   * Looks at the next rows, all of each: in a loop as short as this one the processor waits for many rows at a time, while
   * their reader would wait for them one by one (80 ns and more: rows written at different times lie far apart). Half of
   * the time of a slice of 100 rows. Few at first, since few may be wanted.
   */
  #touch(): void {
    const count = Math.min(this.#batch, this.#left)
    this.#ready = count
    if (this.#batch < LARGEST_BATCH) this.#batch *= 4
    if (count === 1) return
    const { ints } = this.#arena
    const run = this.#run
    let seen = 0
    for (let at = this.#at, left = count; left > 0; left--, at += this.#step) {
      const row = run[at] as number
      const slab = ints[slabOf(row)] as Int32Array
      const first = intOf(row)
      seen |= slab[first + ROW.fragments] as number
      // A row of 200 bytes lies in four lines.
      if (first + 3 * LINE_INTS < slab.length) seen |= (slab[first + LINE_INTS] as number) | (slab[first + 2 * LINE_INTS] as number) | (slab[first + 3 * LINE_INTS] as number)
    }
    this.touched = seen
  }
  /** Of no use; kept so that the loop above is not optimised away. */
  touched = 0

  #openSlice(index: number): boolean {
    const slice = this.#slices[index]
    if (slice === undefined) {
      // Stays at the end however often it is asked.
      this.#slice = this.#reversed ? 0 : this.#slices.length
      return false
    }
    this.#slice = index
    const rows = this.#rows
    const { start, end } = slice
    this.#first = start.length === 0 ? 0 : rows.lowerBound(this.#partition, start, 0, start.length, !slice.startInclusive)
    this.#behind = end.length === 0 ? rows.end(this.#partition) : rows.lowerBound(this.#partition, end, 0, end.length, slice.endInclusive)
    return true
  }
}

export class MemtableCursor implements PartitionCursor {
  tokenHigh = 0
  tokenLow = 0
  key: Buffer = NO_BYTES
  readonly #memtable: Memtable
  readonly #tokens: TokenCursor
  readonly #source: MemtableSource
  #partition = 0

  constructor(memtable: Memtable) {
    this.#memtable = memtable
    this.#tokens = memtable.index.cursor()
    this.#source = new MemtableSource(null)
  }

  seek(tokenHigh: number, tokenLow: number, key: Buffer | null, after: boolean): boolean {
    let partition = this.#tokens.seek(tokenHigh, tokenLow, after && key === null)
    if (key !== null && this.#tokens.high === tokenHigh && this.#tokens.low === tokenLow >>> 0) {
      while (partition !== 0 && this.#isBefore(partition, key, after)) partition = nextWithToken(this.#memtable.arena, partition)
      if (partition === 0) partition = this.#tokens.next()
    }
    return this.#take(partition)
  }

  next(): boolean {
    return this.#take(nextWithToken(this.#memtable.arena, this.#partition) || this.#tokens.next())
  }

  open(): PartitionSource {
    return this.#source.reset(this.#memtable, this.#partition)
  }
  close(): void {}

  #isBefore(partition: number, key: Buffer, after: boolean): boolean {
    const order = this.#memtable.compareKey(partition, key, 0, key.length)
    return after ? order <= 0 : order < 0
  }

  #take(partition: number): boolean {
    if (partition === 0) return false
    this.#partition = partition
    this.tokenHigh = this.#tokens.high
    this.tokenLow = this.#tokens.low
    this.key = partitionKey(this.#memtable.arena, partition)
    return true
  }
}
