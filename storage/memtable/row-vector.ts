// The rows of one memtable partition in clustering order: addresses only, the clusterings are compared where they lie.
// One row is a plain address, up to 255 are one vector that grows by doubling, more are chunks of up to 255 under one
// directory, so that an insert into a partition of a million rows moves at most a kilobyte.
//
// A place among the rows is a number: chunk * 256 + index in it (a vector is chunk 0). Places are in clustering order
// but not dense, and valid until the next insert.
import type { Buffer } from "../../runtime/pure.ts"
import type { TableSchema } from "../../data/schema.ts"
import { CHUNK, CHUNK_ROWS, DIRECTORY, PARTITION, ROW, VECTOR } from "./memtable-layout.ts"
import { type SlabArena, byteOf, intOf, slabOf } from "./slab.ts"

const CHUNK_SHIFT = 8
const INDEX_MASK = (1 << CHUNK_SHIFT) - 1
const FIRST_CAPACITY = 3
const NO_RUN = new Int32Array(0)

export class RowVector {
  readonly #arena: SlabArena
  readonly #compare: TableSchema["compareClustering"]
  /** Set by `runFrom` and `runBefore`. */
  run: Int32Array = NO_RUN
  runAt = 0
  runCount = 0
  /** Whether the last `search` met an equal clustering. */
  found = false

  constructor(arena: SlabArena, compare: TableSchema["compareClustering"]) {
    this.#arena = arena
    this.#compare = compare
  }

  /** The place of the row with this clustering, or where it would go; sets `found`. */
  search(partition: number, clustering: Uint8Array, from: number, to: number): number {
    const ints = this.#ints(partition)
    const at = intOf(partition)
    const count = ints[at + PARTITION.count] as number
    this.found = false
    if (count === 0) return 0
    // Rows that arrive in order, as most time series do, go to the end without a search.
    const last = this.last(partition)
    const order = this.#compareRow(this.row(partition, last), clustering, from, to)
    if (order < 0) return last + 1
    if (order === 0) {
      this.found = true
      return last
    }
    const place = this.lowerBound(partition, clustering, from, to, false)
    this.found = this.#compareRow(this.row(partition, place), clustering, from, to) === 0
    return place
  }

  /** The place of the first row at or after the clustering (or prefix); behind all that equal it when `after`. May be the end. */
  lowerBound(partition: number, clustering: Uint8Array, from: number, to: number, after: boolean): number {
    const ints = this.#ints(partition)
    const at = intOf(partition)
    const count = ints[at + PARTITION.count] as number
    if (count === 0) return 0
    const rows = ints[at + PARTITION.rows] as number
    if (count === 1) return this.#isBefore(rows, clustering, from, to, after) ? 1 : 0
    if (((ints[at + PARTITION.key] as number) & PARTITION.chunkedBit) === 0) {
      return this.#boundIn(rows, VECTOR.rows, count, clustering, from, to, after)
    }
    const directory = this.#ints(rows)
    const directoryAt = intOf(rows)
    const chunks = directory[directoryAt + DIRECTORY.count] as number
    // The last chunk whose first row is before the bound.
    let low = 0
    let high = chunks
    while (low < high) {
      const middle = (low + high) >>> 1
      const chunk = directory[directoryAt + DIRECTORY.chunks + middle] as number
      const first = this.#ints(chunk)[intOf(chunk) + CHUNK.rows] as number
      if (this.#isBefore(first, clustering, from, to, after)) low = middle + 1
      else high = middle
    }
    const index = Math.max(low - 1, 0)
    const chunk = directory[directoryAt + DIRECTORY.chunks + index] as number
    const inChunk = this.#ints(chunk)[intOf(chunk) + CHUNK.count] as number
    const found = this.#boundIn(chunk, CHUNK.rows, inChunk, clustering, from, to, after)
    return found === inChunk && index < chunks - 1 ? (index + 1) << CHUNK_SHIFT : (index << CHUNK_SHIFT) + found
  }

  /** The address of the row at a place. */
  row(partition: number, place: number): number {
    const ints = this.#ints(partition)
    const at = intOf(partition)
    const rows = ints[at + PARTITION.rows] as number
    if (ints[at + PARTITION.count] === 1) return rows
    if (((ints[at + PARTITION.key] as number) & PARTITION.chunkedBit) === 0) return this.#ints(rows)[intOf(rows) + VECTOR.rows + place] as number
    const chunk = this.#chunk(rows, place >>> CHUNK_SHIFT)
    return this.#ints(chunk)[intOf(chunk) + CHUNK.rows + (place & INDEX_MASK)] as number
  }

  /**
   * Sets `run` to addresses of rows from the place `first` on, as many as lie in one piece and are before the place
   * `behind`: `runCount` of them from index `runAt` on. Returns the place that comes behind them. REQUIRES: first < behind.
   */
  runFrom(partition: number, first: number, behind: number): number {
    const inPiece = this.#findRun(partition, first)
    if (first >>> CHUNK_SHIFT === behind >>> CHUNK_SHIFT) {
      this.runCount = Math.min(inPiece, behind - first)
      return behind
    }
    this.runCount = inPiece
    return ((first >>> CHUNK_SHIFT) + 1) << CHUNK_SHIFT
  }

  /** The same backwards: the rows before `behind`, of which the last is at `runAt`. Returns the place of the first of them. REQUIRES: first < behind. */
  runBefore(partition: number, first: number, behind: number): number {
    const last = this.previous(partition, behind)
    this.#findRun(partition, last)
    this.runCount = (first >>> CHUNK_SHIFT === last >>> CHUNK_SHIFT ? last - first : last & INDEX_MASK) + 1
    return last + 1 - this.runCount
  }

  /** Returns how many rows lie in one piece from `place` on. */
  #findRun(partition: number, place: number): number {
    const ints = this.#ints(partition)
    const at = intOf(partition)
    const count = ints[at + PARTITION.count] as number
    const rows = ints[at + PARTITION.rows] as number
    if (count === 1) {
      this.run = ints
      this.runAt = at + PARTITION.rows
      return 1
    }
    if (((ints[at + PARTITION.key] as number) & PARTITION.chunkedBit) === 0) {
      this.run = this.#ints(rows)
      this.runAt = intOf(rows) + VECTOR.rows + place
      return count - place
    }
    const chunk = this.#chunk(rows, place >>> CHUNK_SHIFT)
    const index = place & INDEX_MASK
    this.run = this.#ints(chunk)
    this.runAt = intOf(chunk) + CHUNK.rows + index
    return (this.run[intOf(chunk) + CHUNK.count] as number) - index
  }

  /** Puts another fragment chain in place of the row there. */
  replace(partition: number, place: number, address: number): void {
    const ints = this.#ints(partition)
    const at = intOf(partition)
    const rows = ints[at + PARTITION.rows] as number
    if (ints[at + PARTITION.count] === 1) {
      ints[at + PARTITION.rows] = address
    } else if (((ints[at + PARTITION.key] as number) & PARTITION.chunkedBit) === 0) {
      this.#ints(rows)[intOf(rows) + VECTOR.rows + place] = address
    } else {
      const chunk = this.#chunk(rows, place >>> CHUNK_SHIFT)
      this.#ints(chunk)[intOf(chunk) + CHUNK.rows + (place & INDEX_MASK)] = address
    }
  }

  /** The place before `place` (which may be the end); -1 before the first. */
  previous(partition: number, place: number): number {
    if ((place & INDEX_MASK) !== 0) return place - 1
    if (place === 0) return -1
    const rows = this.#ints(partition)[intOf(partition) + PARTITION.rows] as number
    const chunkIndex = (place >>> CHUNK_SHIFT) - 1
    const chunk = this.#chunk(rows, chunkIndex)
    return (chunkIndex << CHUNK_SHIFT) + (this.#ints(chunk)[intOf(chunk) + CHUNK.count] as number) - 1
  }

  /** REQUIRES: there is a row. */
  last(partition: number): number {
    const ints = this.#ints(partition)
    const at = intOf(partition)
    if (((ints[at + PARTITION.key] as number) & PARTITION.chunkedBit) === 0) return (ints[at + PARTITION.count] as number) - 1
    const rows = ints[at + PARTITION.rows] as number
    const chunkIndex = (this.#ints(rows)[intOf(rows) + DIRECTORY.count] as number) - 1
    const chunk = this.#chunk(rows, chunkIndex)
    return (chunkIndex << CHUNK_SHIFT) + (this.#ints(chunk)[intOf(chunk) + CHUNK.count] as number) - 1
  }

  /** The place behind the last row. */
  end(partition: number): number {
    return this.#ints(partition)[intOf(partition) + PARTITION.count] === 0 ? 0 : this.last(partition) + 1
  }

  /** Puts a new row at the place that `search` gave. */
  insert(partition: number, place: number, address: number): void {
    const ints = this.#ints(partition)
    const at = intOf(partition)
    const count = ints[at + PARTITION.count] as number
    if (count === 0) ints[at + PARTITION.rows] = address
    else if (count === 1) ints[at + PARTITION.rows] = this.#firstVector(ints[at + PARTITION.rows] as number, place, address)
    else if (((ints[at + PARTITION.key] as number) & PARTITION.chunkedBit) !== 0) this.#insertIntoChunks(ints, at, place, address)
    else this.#insertIntoVector(ints, at, count, place, address)
    ints[at + PARTITION.count] = count + 1
  }

  #firstVector(only: number, place: number, address: number): number {
    const vector = this.#arena.allocate((VECTOR.rows + FIRST_CAPACITY) * 4)
    const ints = this.#ints(vector)
    const at = intOf(vector)
    ints[at + VECTOR.capacity] = FIRST_CAPACITY
    ints[at + VECTOR.rows + (place === 0 ? 1 : 0)] = only
    ints[at + VECTOR.rows + place] = address
    return vector
  }

  #insertIntoVector(partition: Int32Array, at: number, count: number, place: number, address: number): void {
    const old = partition[at + PARTITION.rows] as number
    const oldInts = this.#ints(old)
    const oldAt = intOf(old)
    const capacity = oldInts[oldAt + VECTOR.capacity] as number
    if (count < capacity) {
      const from = oldAt + VECTOR.rows + place
      oldInts.copyWithin(from + 1, from, oldAt + VECTOR.rows + count)
      oldInts[from] = address
      return
    }
    if (capacity === CHUNK_ROWS) {
      this.#makeChunks(partition, at, old)
      this.#insertIntoChunks(partition, at, place, address)
      return
    }
    const larger = capacity * 2 + 1
    const vector = this.#arena.allocate((VECTOR.rows + larger) * 4)
    const ints = this.#ints(vector)
    const to = intOf(vector)
    ints[to + VECTOR.capacity] = larger
    ints.set(oldInts.subarray(oldAt + VECTOR.rows, oldAt + VECTOR.rows + place), to + VECTOR.rows)
    ints[to + VECTOR.rows + place] = address
    ints.set(oldInts.subarray(oldAt + VECTOR.rows + place, oldAt + VECTOR.rows + count), to + VECTOR.rows + place + 1)
    partition[at + PARTITION.rows] = vector
  }

  /** A full vector has the size of a chunk and becomes the first one. */
  #makeChunks(partition: Int32Array, at: number, vector: number): void {
    const directory = this.#newDirectory(6)
    const ints = this.#ints(directory)
    ints[intOf(directory) + DIRECTORY.count] = 1
    ints[intOf(directory) + DIRECTORY.chunks] = vector
    this.#ints(vector)[intOf(vector) + CHUNK.count] = CHUNK_ROWS
    partition[at + PARTITION.rows] = directory
    partition[at + PARTITION.key] = (partition[at + PARTITION.key] as number) | PARTITION.chunkedBit
  }

  #insertIntoChunks(partition: Int32Array, at: number, place: number, address: number): void {
    const directory = partition[at + PARTITION.rows] as number
    const chunkIndex = place >>> CHUNK_SHIFT
    const index = place & INDEX_MASK
    const chunk = this.#chunk(directory, chunkIndex)
    const ints = this.#ints(chunk)
    const chunkAt = intOf(chunk)
    const count = ints[chunkAt + CHUNK.count] as number
    if (count < CHUNK_ROWS) {
      insertAt(ints, chunkAt, index, address)
      return
    }
    const newChunk = this.#arena.allocate((CHUNK.rows + CHUNK_ROWS) * 4)
    const newInts = this.#ints(newChunk)
    const newAt = intOf(newChunk)
    // Appending starts an empty chunk, so that rows arriving in order fill every chunk; otherwise the chunk is halved.
    const kept = index === count ? count : count >>> 1
    newInts.set(ints.subarray(chunkAt + CHUNK.rows + kept, chunkAt + CHUNK.rows + count), newAt + CHUNK.rows)
    newInts[newAt + CHUNK.count] = count - kept
    ints[chunkAt + CHUNK.count] = kept
    if (index < kept || (index === kept && kept < count)) insertAt(ints, chunkAt, index, address)
    else insertAt(newInts, newAt, index - kept, address)
    partition[at + PARTITION.rows] = this.#addChunk(directory, chunkIndex + 1, newChunk)
  }

  #addChunk(directory: number, index: number, chunk: number): number {
    const ints = this.#ints(directory)
    const at = intOf(directory)
    const count = ints[at + DIRECTORY.count] as number
    const capacity = ints[at + DIRECTORY.capacity] as number
    let to = directory
    if (count === capacity) {
      to = this.#newDirectory(capacity * 2)
      this.#ints(to).set(ints.subarray(at + DIRECTORY.chunks, at + DIRECTORY.chunks + count), intOf(to) + DIRECTORY.chunks)
    }
    const toInts = this.#ints(to)
    const from = intOf(to) + DIRECTORY.chunks + index
    toInts.copyWithin(from + 1, from, intOf(to) + DIRECTORY.chunks + count)
    toInts[from] = chunk
    toInts[intOf(to) + DIRECTORY.count] = count + 1
    return to
  }

  #newDirectory(capacity: number): number {
    const directory = this.#arena.allocate((DIRECTORY.chunks + capacity) * 4)
    this.#ints(directory)[intOf(directory) + DIRECTORY.capacity] = capacity
    return directory
  }

  #chunk(directory: number, index: number): number {
    return this.#ints(directory)[intOf(directory) + DIRECTORY.chunks + index] as number
  }

  /** Index of the first row at or after the bound among `count` addresses that start at int `first` of the record. */
  #boundIn(record: number, first: number, count: number, clustering: Uint8Array, from: number, to: number, after: boolean): number {
    const ints = this.#ints(record)
    const at = intOf(record) + first
    let low = 0
    let high = count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#isBefore(ints[at + middle] as number, clustering, from, to, after)) low = middle + 1
      else high = middle
    }
    return low
  }

  #isBefore(row: number, clustering: Uint8Array, from: number, to: number, after: boolean): boolean {
    const order = this.#compareRow(row, clustering, from, to)
    return after ? order <= 0 : order < 0
  }

  #compareRow(row: number, clustering: Uint8Array, from: number, to: number): number {
    const bytes = this.#arena.buffers[slabOf(row)] as Buffer
    const at = byteOf(row) + ROW.byte
    // The row format's clustering: u16 size at 6, bytes at 8; read here by hand, in the innermost loop of every search.
    return this.#compare(bytes, at + 8, at + 8 + (((bytes[at + 6] as number) << 8) | (bytes[at + 7] as number)), clustering, from, to)
  }

  #ints(address: number): Int32Array {
    return this.#arena.ints[slabOf(address)] as Int32Array
  }
}

function insertAt(ints: Int32Array, chunkAt: number, index: number, address: number): void {
  const count = ints[chunkAt + CHUNK.count] as number
  const from = chunkAt + CHUNK.rows + index
  ints.copyWithin(from + 1, from, chunkAt + CHUNK.rows + count)
  ints[from] = address
  ints[chunkAt + CHUNK.count] = count + 1
}
