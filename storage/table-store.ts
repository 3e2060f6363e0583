// One table of one node: the memtable that takes writes, those being flushed, and the SSTables; newest first.
import type { Buffer } from "../runtime/pure.ts"
import type { LogPosition } from "../data/local-store.ts"
import type { ClusteringSlice } from "../data/read-command.ts"
import type { TableId, TableSchema } from "../data/schema.ts"
import { LateWrites } from "./late-writes.ts"
import type { ManifestSSTable } from "./manifest.ts"
import type { MemorySpace } from "./memtable/memory-space.ts"
import { MemtableCursor, MemtableSource } from "./memtable/memtable-source.ts"
import { Memtable } from "./memtable/memtable.ts"
import type { PartitionMerge } from "./read/partition-merge.ts"
import type { PartitionCursor } from "./read/partition-source.ts"
import { RangeTombstoneCache } from "./read/range-tombstone-cache.ts"
import { SSTableCursor, SSTableSource } from "./sstable/sstable-source.ts"
import type { MissingBlock, SSTable } from "./sstable/sstable.ts"
import { isWholeRow } from "./read/whole-row.ts"

const LOG_START: LogPosition = { segment: 0, offset: 0 }

export class TableStore {
  readonly id: TableId
  schema: TableSchema
  active: Memtable
  /** Frozen memtables on their way to the disk, newest first. */
  flushing: Memtable[] = []
  /** Newest first. */
  sstables: SSTable[] = []
  /** Live files are left aside because they cannot be read: they may come back, and so what they hold must not be purged elsewhere. */
  hasFilesAside = false
  /** Records before this position are in SSTables, or truncated. */
  replayFrom: LogPosition = LOG_START
  /** Rises when data is thrown away: a flush or compaction that began before is discarded. */
  generation = 0
  /** What the manifest says of each of `sstables`, by number. */
  readonly places = new Map<number, ManifestSSTable>()
  /** Writes below what compaction has purged. */
  readonly late = new LateWrites()
  readonly #space: MemorySpace
  readonly tombstones = new RangeTombstoneCache()
  /** Sources that no read has open. */
  readonly #memtableSources: MemtableSource[] = []
  readonly #sstableSources: SSTableSource[] = []

  constructor(schema: TableSchema, space: MemorySpace) {
    this.id = schema.id
    this.schema = schema
    this.#space = space
    this.active = new Memtable(schema, space)
  }

  setSchema(schema: TableSchema): void {
    this.schema = schema
    this.active.table = schema
  }

  /** Freezes the active memtable, puts a new one in its place, and returns the old one, which is in `flushing` now. */
  switchMemtable(): Memtable {
    const old = this.active
    old.freeze()
    this.flushing.unshift(old)
    this.#space.frozenBytes += old.totalBytes
    this.#newMemtable()
    return old
  }

  /** Lets go of a memtable that was flushed. REQUIRES: the job that read it has ended. */
  forget(memtable: Memtable): void {
    this.#uncount(memtable)
    memtable.release()
  }

  #uncount(memtable: Memtable): void {
    this.flushing = this.flushing.filter((other) => other !== memtable)
    this.tombstones.clear()
    this.#space.frozenBytes -= memtable.totalBytes
    this.#space.bytes -= memtable.totalBytes
  }

  /** Throws all data away and returns the SSTables that were there, still open. */
  clear(): SSTable[] {
    // A job may be reading one of these: the collector takes them.
    for (const memtable of this.flushing) this.#uncount(memtable)
    this.#space.bytes -= this.active.totalBytes
    this.active.release()
    this.#newMemtable()
    const sstables = this.sstables
    this.sstables = []
    this.late.clear()
    this.generation++
    return sstables
  }

  /** Whether a commit log segment holds records that are in no SSTable yet. */
  needsSegment(segment: number): boolean {
    return this.active.firstSegment <= segment || this.flushing.some(({ firstSegment }) => firstSegment <= segment)
  }

  /** Adds everything that has a part of the partition, newest first; SSTables that surely have nothing for the slices (null: all rows) are left out. */
  addSources(merge: PartitionMerge, tokenHigh: number, tokenLow: number, key: Buffer, slices: readonly ClusteringSlice[] | null = null): void {
    const { active, flushing, sstables } = this
    const partition = active.find(tokenHigh, tokenLow, key, 0, key.length)
    if (partition !== 0) merge.add(this.openMemtable(active, partition))
    for (let index = 0; index < flushing.length; index++) {
      const memtable = flushing[index] as Memtable
      const frozen = memtable.find(tokenHigh, tokenLow, key, 0, key.length)
      if (frozen !== 0) merge.add(this.openMemtable(memtable, frozen))
    }
    for (let index = 0; index < sstables.length; index++) {
      if (slices !== null && merge.only !== null && isWholeRow(merge.only, slices, this.schema, sstables, index)) return
      const sstable = sstables[index] as SSTable
      if (slices !== null && !sstable.mayHaveRows(slices, this.schema)) continue
      const source = this.openSSTable(sstable, tokenHigh, tokenLow, key)
      if (source !== null) merge.add(source)
    }
  }

  /** A source for the partition at this address, from the pool. */
  openMemtable(memtable: Memtable, partition: number): MemtableSource {
    return (this.#memtableSources.pop() ?? new MemtableSource(this.#memtableSources)).reset(memtable, partition)
  }

  /** The same for an SSTable; null when it does not have the partition. */
  openSSTable(sstable: SSTable, tokenHigh: number, tokenLow: number, key: Buffer): SSTableSource | null {
    if (!sstable.filter.mayContain(tokenHigh, tokenLow)) return null
    const source = (this.#sstableSources.pop() ?? new SSTableSource(this.#sstableSources)).reset(sstable, this.schema)
    if (source.find(tokenHigh, tokenLow, key)) return source
    source.close()
    return null
  }

  /** Adds the blocks that a read of the partition begins with and that are not in memory. */
  addMissing(tokenHigh: number, tokenLow: number, key: Buffer, slices: readonly ClusteringSlice[], reversed: boolean, into: MissingBlock[]): void {
    for (const sstable of this.sstables) sstable.missing(this.schema, tokenHigh, tokenLow, key, slices, reversed, into)
  }

  /** A cursor over each memtable and SSTable, newest first. */
  cursors(): PartitionCursor[] {
    const memtables = [this.active, ...this.flushing].filter((memtable) => !memtable.isEmpty)
    return [...memtables.map((memtable) => new MemtableCursor(memtable)), ...this.sstables.map((sstable) => new SSTableCursor(sstable, this.schema))]
  }

  #newMemtable(): void {
    this.active = new Memtable(this.schema, this.#space)
  }
}
