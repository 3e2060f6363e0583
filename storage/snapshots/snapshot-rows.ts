// The rows of a snapshot as mutations that say what its SSTables say: deletions, range tombstones and expired cells too.
import type { Disk } from "../../runtime/disk.ts"
import type { Buffer } from "../../runtime/pure.ts"
import { itemSize } from "../../data/row-format.ts"
import type { RangeTombstone } from "../../data/row.ts"
import { MutationWriter } from "../../data/mutation.ts"
import type { TableSchema } from "../../data/schema.ts"
import { MIN_TOKEN } from "../../data/token.ts"
import { BlockCache } from "../sstable/block-cache.ts"
import { EVERY_ROW } from "../read/partition-merge.ts"
import type { PartitionCursor, PartitionSource } from "../read/partition-source.ts"
import { Fragments } from "../read/row-merge.ts"
import { SSTableCursor } from "../sstable/sstable-source.ts"
import { SSTable } from "../sstable/sstable.ts"
import type { SnapshotInfo } from "./snapshots.ts"

const CACHE_BYTES = 1 << 20
/** A mutation is ended when it has so many: far below the largest that the log takes. */
const MAX_ITEMS = 100
const MAX_BYTES = 64 * 1024

export interface SnapshotMutation {
  /** Valid until the next one is asked for. */
  readonly mutation: Buffer
  readonly items: number
}

/** `table`: the one that the mutations are for. Throws CorruptFileError, DiskError. */
export function* mutationsOf(disk: Disk, folder: string, info: SnapshotInfo, table: TableSchema): Generator<SnapshotMutation> {
  for (const { number } of info.sstables) {
    const sstable = SSTable.open(disk, number, `${folder}/${String(number).padStart(8, "0")}.sst`, new BlockCache(CACHE_BYTES), null)
    try {
      const cursor = new SSTableCursor(sstable, table)
      for (let found = cursor.seek(MIN_TOKEN.high, MIN_TOKEN.low, null, false); found; found = cursor.next()) yield* ofPartition(cursor, table)
    } finally {
      sstable.retire()
    }
  }
}

function* ofPartition(cursor: PartitionCursor, table: TableSchema): Generator<SnapshotMutation> {
  const chunks = new Chunks(cursor, table)
  const source = cursor.open()
  if (source.deletion !== null) {
    chunks.partitionDeletion(source)
    yield chunks.take()
  }
  const tombstones: RangeTombstone[] = []
  source.addRangeTombstones(tombstones)
  for (const tombstone of tombstones) {
    chunks.rangeTombstone(tombstone)
    yield chunks.take()
  }
  const fragments = new Fragments()
  source.addStatic(fragments)
  for (const [index, bytes] of fragments.buffers.entries()) chunks.item(bytes, fragments.at[index] as number)
  source.openRows(EVERY_ROW, false)
  while (source.nextRow()) {
    chunks.item(source.bytes, source.at)
    if (chunks.isFull) yield chunks.take()
  }
  if (!chunks.isEmpty) yield chunks.take()
  source.close()
}

/** One mutation of the cursor's partition after the other. */
class Chunks {
  readonly #writer = new MutationWriter()
  readonly #cursor: PartitionCursor
  readonly #table: TableSchema
  #items = 0

  constructor(cursor: PartitionCursor, table: TableSchema) {
    this.#cursor = cursor
    this.#table = table
  }

  get isEmpty(): boolean {
    return this.#items === 0
  }
  get isFull(): boolean {
    return this.#items >= MAX_ITEMS || this.#writer.out.length >= MAX_BYTES
  }

  partitionDeletion({ deletion }: PartitionSource): void {
    this.#begin()
    if (deletion !== null) this.#writer.partitionDeletion(deletion)
  }
  rangeTombstone(tombstone: RangeTombstone): void {
    this.#begin()
    this.#writer.rangeTombstone(tombstone)
  }
  item(bytes: Buffer, at: number): void {
    this.#begin()
    this.#writer.item(bytes, at, at + itemSize(bytes, at))
  }

  take(): SnapshotMutation {
    const items = this.#items
    this.#items = 0
    this.#writer.endUpdate()
    return { mutation: this.#writer.end(), items }
  }

  #begin(): void {
    if (this.#items++ > 0) return
    const { key, tokenHigh, tokenLow } = this.#cursor
    this.#writer.reset()
    this.#writer.beginWithToken(key, 0, key.length, tokenHigh, tokenLow)
    this.#writer.beginUpdate(this.#table.id)
  }
}
