// The memtable of one table: what was written since the last flush, as row-format bytes in slabs (slab.ts), found by
// token (partition-index.ts) and within a partition by clustering (row-vector.ts). There is no JavaScript object per
// partition, row or cell; how records lie in the slabs is in memtable-layout.ts.
//
// A write of a row puts a fragment in front of what the row has; MAX_FRAGMENTS fragments are merged into one. A write
// that replaces all columns of the only fragment takes its place, in its very bytes when it fits: what is read and written then
// lies together (a third less time than with a new place for each overwrite, and no memory). Other bytes that are no longer
// used stay in the slabs until the flush, and count.
//
// INVARIANT: rows in the slabs are canonical. INVARIANT: after `freeze` nothing in the slabs changes. Before it, rows may be
// overwritten where they lie: nobody keeps views of them from one event to the next.
// It does not know the commit log, nor how several memtables and files make one answer (partition-merge.ts).
import { type Buffer, assert } from "../../runtime/pure.ts"
import { ByteReader, ByteWriter } from "../../data/bytes.ts"
import { compareDeletions, disjointRangeTombstones } from "../../data/range-tombstones.ts"
import type { Deletion, RangeTombstone } from "../../data/row.ts"
import { FLAG, clusteringEnd, clusteringStart, decodeRangeTombstone, encodeRangeTombstone, itemFlags, itemSize } from "../../data/row-format.ts"
import type { TableSchema } from "../../data/schema.ts"
import { LowestTimestamp } from "./lowest-timestamp.ts"
import type { MemorySpace } from "./memory-space.ts"
import { EXTRAS, MAX_FRAGMENTS, PARTITION, ROW } from "./memtable-layout.ts"
import { PartitionIndex } from "./partition-index.ts"
import { Fragments, mayShadowItself, mergeToBytes, replacesEntry, replacesWholly } from "../read/row-merge.ts"
import { RowVector } from "./row-vector.ts"
import { SlabArena, byteOf, intOf, slabOf } from "./slab.ts"

/** So many range tombstones of one partition are rewritten as disjoint ones. */
const TOMBSTONES_BEFORE_REWRITE = 64

export class Memtable {
  table: TableSchema
  readonly arena: SlabArena
  readonly index: PartitionIndex
  readonly rows: RowVector
  /** Partitions and rows, each different key once. */
  partitionCount = 0
  rowCount = 0
  /** Commit log segment of its first write; Infinity when it is empty. */
  firstSegment = Number.POSITIVE_INFINITY
  frozen = false
  readonly lowest = new LowestTimestamp()
  /** Rises when the range tombstones of some partition are written anew. */
  tombstoneRewrites = 0
  readonly #fragments = new Fragments()
  /** Small until a merge needs it: most tables never merge. */
  readonly #scratch = new ByteWriter(64)
  readonly #canonical = new ByteWriter(64)

  /** `space` counts its bytes along; null: nobody does. */
  constructor(table: TableSchema, space: MemorySpace | null) {
    this.table = table
    this.arena = new SlabArena(space)
    this.index = new PartitionIndex(space)
    this.rows = new RowVector(this.arena, table.compareClustering)
  }

  get totalBytes(): number {
    return this.arena.totalBytes + this.index.totalBytes
  }
  get isEmpty(): boolean {
    return this.partitionCount === 0
  }
  freeze(): void {
    this.frozen = true
  }
  /** Gives its memory back. REQUIRES: nobody reads or writes it any more, no worker either. */
  release(): void {
    this.arena.release()
    this.index.release()
  }

  /** The partition's address, 0 when it is not there. */
  find(tokenHigh: number, tokenLow: number, key: Buffer, from: number, to: number): number {
    let partition = this.index.find(tokenHigh, tokenLow)
    while (partition !== 0 && this.compareKey(partition, key, from, to) !== 0) {
      partition = (this.arena.ints[slabOf(partition)] as Int32Array)[intOf(partition) + PARTITION.next] as number
    }
    return partition
  }

  /** The partition's address; made when it is not there. The key is copied. */
  findOrCreate(tokenHigh: number, tokenLow: number, key: Buffer, from: number, to: number): number {
    assert(!this.frozen, "a frozen memtable is not written to")
    const first = this.index.find(tokenHigh, tokenLow)
    let previous = 0
    let next = first
    // Partitions of one token are linked in key order.
    while (next !== 0) {
      const order = this.compareKey(next, key, from, to)
      if (order === 0) return next
      if (order > 0) break
      previous = next
      next = (this.arena.ints[slabOf(next)] as Int32Array)[intOf(next) + PARTITION.next] as number
    }
    const partition = this.#newPartition(key, from, to, next)
    if (previous === 0) this.index.set(tokenHigh, tokenLow, partition)
    else (this.arena.ints[slabOf(previous)] as Int32Array)[intOf(previous) + PARTITION.next] = partition
    return partition
  }

  /** Order of the partition's key and the given one, as unsigned bytes. */
  compareKey(partition: number, key: Buffer, from: number, to: number): number {
    const slab = slabOf(partition)
    const size = ((this.arena.ints[slab] as Int32Array)[intOf(partition) + PARTITION.key] as number) & PARTITION.keyMask
    const bytes = this.arena.buffers[slab] as Buffer
    const at = byteOf(partition) + PARTITION.keyByte
    const wanted = to - from
    const common = size < wanted ? size : wanted
    // A loop: keys are short, and a native compare costs more than forty bytes of it.
    for (let index = 0; index < common; index++) {
      const order = (bytes[at + index] as number) - (key[from + index] as number)
      if (order !== 0) return order
    }
    return size - wanted
  }

  /** Adds a row or a static row: the item `source[at, …)`. */
  putRow(partition: number, source: Buffer, at: number): void {
    this.lowest.row(source, at)
    if (!mayShadowItself(source, at)) {
      this.#put(partition, source, at)
      return
    }
    const canonical = this.#canonical
    canonical.reset()
    this.#fragments.clear()
    this.#fragments.add(source, at)
    if (mergeToBytes(this.table, this.#fragments, null, canonical)) this.#put(partition, canonical.buffer, 0)
  }

  /** Adds a range tombstone: the item `source[at, …)`. */
  putRangeTombstone(partition: number, source: Buffer, at: number): void {
    this.lowest.rangeTombstone(source, at)
    const extras = this.#extras(partition)
    const ints = this.arena.ints[slabOf(extras)] as Int32Array
    const extrasAt = intOf(extras)
    const count = ints[extrasAt + EXTRAS.tombstoneCount] as number
    ints[extrasAt + EXTRAS.tombstones] = this.#newItem(source, at, ints[extrasAt + EXTRAS.tombstones] as number)
    ints[extrasAt + EXTRAS.tombstoneCount] = count + 1
    // A power of two: the rewriting costs a constant per tombstone even when they all stay disjoint.
    if (count + 1 >= TOMBSTONES_BEFORE_REWRITE && (count & (count + 1)) === 0) this.#rewriteTombstones(partition, ints, extrasAt)
  }

  putPartitionDeletion(partition: number, deletion: Deletion): void {
    this.lowest.add(deletion.timestampHigh, deletion.timestampLow)
    const existing = partitionDeletion(this.arena, partition)
    if (existing !== null && compareDeletions(existing, deletion) >= 0) return
    const extras = this.#extras(partition)
    const ints = this.arena.ints[slabOf(extras)] as Int32Array
    const at = intOf(extras)
    ints[at + EXTRAS.deleted] = 1
    ints[at + EXTRAS.timestampHigh] = deletion.timestampHigh
    ints[at + EXTRAS.timestampLow] = deletion.timestampLow | 0
    ints[at + EXTRAS.localDeletionTime] = deletion.localDeletionTime | 0
  }

  #newPartition(key: Buffer, from: number, to: number, next: number): number {
    const size = to - from
    const partition = this.arena.allocate(PARTITION.keyByte + size)
    const slab = slabOf(partition)
    const ints = this.arena.ints[slab] as Int32Array
    const at = intOf(partition)
    ints[at + PARTITION.next] = next
    ints[at + PARTITION.key] = size
    ints[at + PARTITION.rows] = 0
    ints[at + PARTITION.count] = 0
    ints[at + PARTITION.extras] = 0
    const bytes = this.arena.buffers[slab] as Buffer
    const keyAt = byteOf(partition) + PARTITION.keyByte
    // Below some 32 bytes a loop is cheaper than a native copy.
    if (size <= 32) for (let index = 0; index < size; index++) bytes[keyAt + index] = key[from + index] as number
    else key.copy(bytes, keyAt, from, to)
    this.partitionCount++
    return partition
  }

  #put(partition: number, source: Buffer, at: number): void {
    if ((itemFlags(source, at) & FLAG.static) !== 0) {
      const extras = this.#extras(partition)
      const older = (this.arena.ints[slabOf(extras)] as Int32Array)[intOf(extras) + EXTRAS.static] as number
      const head = older === 0 ? this.#newRow(source, at, 0, 1) : this.#chain(older, source, at)
      ;(this.arena.ints[slabOf(extras)] as Int32Array)[intOf(extras) + EXTRAS.static] = head
      return
    }
    const place = this.rows.search(partition, source, clusteringStart(at), clusteringEnd(source, at))
    if (this.rows.found) {
      this.rows.replace(partition, place, this.#chain(this.rows.row(partition, place), source, at))
    } else {
      this.rows.insert(partition, place, this.#newRow(source, at, 0, 1))
      this.rowCount++
    }
  }

  /** The row's new head: the fragment in front of `older`, or all of them merged when there are many. */
  #chain(older: number, source: Buffer, at: number): number {
    const slab = slabOf(older)
    const ints = this.arena.ints[slab] as Int32Array
    const count = ints[intOf(older) + ROW.fragments] as number
    if (count === 1) {
      const bytes = this.arena.buffers[slab] as Buffer
      const olderAt = byteOf(older) + ROW.byte
      if (this.table.kind === "view" ? replacesEntry(this.table, source, at, bytes, olderAt) : replacesWholly(source, at, bytes, olderAt)) {
        const size = itemSize(source, at)
        if (size > roomOf(itemSize(bytes, olderAt))) return this.#newRow(source, at, 0, 1)
        source.copy(bytes, olderAt, at, at + size)
        return older
      }
    }
    if (count + 1 < MAX_FRAGMENTS) return this.#newRow(source, at, older, count + 1)
    const fragments = this.#fragments
    fragments.clear()
    fragments.add(source, at)
    addFragments(this.arena, older, fragments)
    this.#scratch.reset()
    if (!mergeToBytes(this.table, fragments, null, this.#scratch)) return older
    return this.#newRow(this.#scratch.buffer, 0, 0, 1)
  }

  #newRow(source: Buffer, at: number, older: number, fragments: number): number {
    const row = this.#newItem(source, at, older)
    ;(this.arena.ints[slabOf(row)] as Int32Array)[intOf(row) + ROW.fragments] = fragments
    return row
  }

  #newItem(source: Buffer, at: number, next: number): number {
    const size = itemSize(source, at)
    const address = this.arena.allocate(ROW.byte + size)
    const slab = slabOf(address)
    ;(this.arena.ints[slab] as Int32Array)[intOf(address) + ROW.next] = next
    source.copy(this.arena.buffers[slab] as Buffer, byteOf(address) + ROW.byte, at, at + size)
    return address
  }

  #extras(partition: number): number {
    const ints = this.arena.ints[slabOf(partition)] as Int32Array
    const at = intOf(partition) + PARTITION.extras
    if (ints[at] === 0) ints[at] = this.#newExtras()
    return ints[at] as number
  }

  #newExtras(): number {
    const extras = this.arena.allocate(EXTRAS.bytes)
    const at = intOf(extras)
    ;(this.arena.ints[slabOf(extras)] as Int32Array).fill(0, at, at + EXTRAS.bytes / 4)
    return extras
  }

  #rewriteTombstones(partition: number, ints: Int32Array, extrasAt: number): void {
    this.tombstoneRewrites++
    const all: RangeTombstone[] = []
    addRangeTombstones(this.arena, partition, all)
    const disjoint = disjointRangeTombstones(all, null, this.table.compareClustering)
    const out = this.#scratch
    let head = 0
    for (const tombstone of disjoint.reverse()) {
      out.reset()
      encodeRangeTombstone(tombstone, out)
      head = this.#newItem(out.buffer, 0, head)
    }
    ints[extrasAt + EXTRAS.tombstones] = head
    ints[extrasAt + EXTRAS.tombstoneCount] = disjoint.length
  }
}

/** Bytes that a row of `size` may grow to where it lies: records are padded to multiples of 8. */
function roomOf(size: number): number {
  return (size + 7) & ~7
}

/** The address of the partition's extras, 0 when it has none. */
function extrasOf(arena: SlabArena, partition: number): number {
  return (arena.ints[slabOf(partition)] as Int32Array)[intOf(partition) + PARTITION.extras] as number
}

/** Whether the partition has more than rows: a deletion, range tombstones or a static row. */
export function hasExtras(arena: SlabArena, partition: number): boolean {
  return extrasOf(arena, partition) !== 0
}

export function partitionDeletion(arena: SlabArena, partition: number): Deletion | null {
  const extras = extrasOf(arena, partition)
  if (extras === 0) return null
  const ints = arena.ints[slabOf(extras)] as Int32Array
  const at = intOf(extras)
  if (ints[at + EXTRAS.deleted] === 0) return null
  return {
    timestampHigh: ints[at + EXTRAS.timestampHigh] as number,
    timestampLow: (ints[at + EXTRAS.timestampLow] as number) >>> 0,
    localDeletionTime: (ints[at + EXTRAS.localDeletionTime] as number) >>> 0,
  }
}

export function hasRangeTombstones(arena: SlabArena, partition: number): boolean {
  const extras = extrasOf(arena, partition)
  return extras !== 0 && (arena.ints[slabOf(extras)] as Int32Array)[intOf(extras) + EXTRAS.tombstones] !== 0
}

/** How many range tombstones the partition has. */
export function tombstoneCount(arena: SlabArena, partition: number): number {
  const extras = extrasOf(arena, partition)
  return extras === 0 ? 0 : ((arena.ints[slabOf(extras)] as Int32Array)[intOf(extras) + EXTRAS.tombstoneCount] as number)
}

/** Adds the partition's range tombstones, in no order; only those that came last when `most` is less than all. */
export function addRangeTombstones(arena: SlabArena, partition: number, into: RangeTombstone[], most = Number.POSITIVE_INFINITY): void {
  const extras = extrasOf(arena, partition)
  if (extras === 0) return
  let item = (arena.ints[slabOf(extras)] as Int32Array)[intOf(extras) + EXTRAS.tombstones] as number
  for (let left = most; item !== 0 && left > 0; left--) {
    into.push(decodeRangeTombstone(new ByteReader(arena.buffers[slabOf(item)] as Buffer, byteOf(item) + ROW.byte)))
    item = (arena.ints[slabOf(item)] as Int32Array)[intOf(item) + ROW.next] as number
  }
}

/** Address of the newest fragment of the static row, 0 when there is none. */
export function staticRow(arena: SlabArena, partition: number): number {
  const extras = extrasOf(arena, partition)
  return extras === 0 ? 0 : ((arena.ints[slabOf(extras)] as Int32Array)[intOf(extras) + EXTRAS.static] as number)
}

/** Adds the row's fragments from `row` on, newest first. */
export function addFragments(arena: SlabArena, row: number, into: Fragments): void {
  for (let fragment = row; fragment !== 0; ) {
    const slab = slabOf(fragment)
    into.add(arena.buffers[slab] as Buffer, byteOf(fragment) + ROW.byte)
    fragment = (arena.ints[slab] as Int32Array)[intOf(fragment) + ROW.next] as number
  }
}

/** A view of the partition's key. */
export function partitionKey(arena: SlabArena, partition: number): Buffer {
  const slab = slabOf(partition)
  const size = ((arena.ints[slab] as Int32Array)[intOf(partition) + PARTITION.key] as number) & PARTITION.keyMask
  const at = byteOf(partition) + PARTITION.keyByte
  return (arena.buffers[slab] as Buffer).subarray(at, at + size)
}

/** Address of the next partition with the same token, 0 when there is none. */
export function nextWithToken(arena: SlabArena, partition: number): number {
  return (arena.ints[slabOf(partition)] as Int32Array)[intOf(partition) + PARTITION.next] as number
}
