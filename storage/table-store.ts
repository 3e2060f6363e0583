// One table of one node: the memtable that takes writes, those being flushed, and the SSTables; newest first.
import type { LogPosition } from "../data/local-store.ts"
import type { TableId, TableSchema } from "../data/schema.ts"
import { MemtableCursor, MemtableSource } from "./memtable-source.ts"
import { Memtable } from "./memtable.ts"
import type { PartitionMerge } from "./partition-merge.ts"
import type { PartitionCursor } from "./partition-source.ts"

export const LOG_START: LogPosition = { segment: 0, offset: 0 }

export class TableStore {
  readonly id: TableId
  schema: TableSchema
  active: Memtable
  /** Frozen memtables on their way to the disk, newest first. */
  flushing: Memtable[] = []
  /** Records before this position are in SSTables, or truncated. */
  replayFrom: LogPosition = LOG_START
  /** Rises when data is thrown away: a flush or compaction that began before is discarded. */
  generation = 0
  #source: MemtableSource

  constructor(schema: TableSchema) {
    this.id = schema.id
    this.schema = schema
    this.active = new Memtable(schema)
    this.#source = new MemtableSource(this.active)
  }

  setSchema(schema: TableSchema): void {
    this.schema = schema
    this.active.table = schema
  }

  /** Puts a new memtable in place of the active one, which is frozen and returned. */
  switchMemtable(): Memtable {
    const old = this.active
    old.freeze()
    this.active = new Memtable(this.schema)
    this.#source = new MemtableSource(this.active)
    return old
  }

  /** Adds everything that has a part of the partition, newest first. */
  addSources(merge: PartitionMerge, tokenHigh: number, tokenLow: number, key: Buffer): void {
    const partition = this.active.find(tokenHigh, tokenLow, key, 0, key.length)
    // A source per read only when two reads of the table are open at once.
    if (partition !== 0) merge.add((this.#source.isOpen ? new MemtableSource(this.active) : this.#source).reset(partition))
    for (const memtable of this.flushing) {
      const frozen = memtable.find(tokenHigh, tokenLow, key, 0, key.length)
      if (frozen !== 0) merge.add(new MemtableSource(memtable).reset(frozen))
    }
  }

  /** A cursor over each memtable and SSTable, newest first. */
  cursors(): PartitionCursor[] {
    return [this.active, ...this.flushing].map((memtable) => new MemtableCursor(memtable))
  }
}
