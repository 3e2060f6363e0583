// The usual case of derive-rows.ts without an object per row or cell: rows of cells only, written to a partition without
// deletions, and views that take them so (FlatDerive). What is not usual is left to the general way, row by row.
//
// INVARIANT: nothing is written between reading a row and deriving from it; FlatRows point at the row where it lies.
import type { Buffer } from "../../runtime/pure.ts"
import { readInt32, readUint32 } from "../../data/bytes.ts"
import { FlatRow } from "../../data/flat-row.ts"
import { readFlatRow } from "../../data/flat-row-format.ts"
import type { DerivedWriter, FlatDerive } from "../../data/local-store.ts"
import { FLAG, clusteringEnd, clusteringStart, itemFlags } from "../../data/row-format.ts"
import type { TableId, TableSchema } from "../../data/schema.ts"
import { ROW } from "../memtable/memtable-layout.ts"
import { hasExtras } from "../memtable/memtable.ts"
import { MUTATION_KEY_AT, MUTATION_TOKEN_AT, hasPartitionDeletion, itemsAt, keyEnd } from "../mutation-layout.ts"
import type { PartitionMerge } from "../read/partition-merge.ts"
import { byteOf, intOf, slabOf } from "../memtable/slab.ts"
import type { SSTable } from "../sstable/sstable.ts"
import type { TableStore } from "../table-store.ts"

/** Of the row as it is: nothing anywhere; read into #existing; in several places, or of another kind. */
const FOUND = { nothing: 0, usual: 1, elsewhere: 2 } as const
type Found = (typeof FOUND)[keyof typeof FOUND]

export class FlatDerivation {
  readonly #existing = new FlatRow()
  readonly #incoming = new FlatRow()
  readonly #merged = new FlatRow()

  /** Whether the update can be derived here, rows that `row` says no to excepted. */
  takes(bytes: Buffer, update: number, table: TableStore, tables: ReadonlyMap<TableId, TableStore>, derive: FlatDerive): boolean {
    if (hasPartitionDeletion(bytes, update) || !derive.takes(table.schema)) return false
    const { views } = table.schema
    for (let index = 0; index < views.length; index++) if (!tables.has((views[index] as TableSchema).id)) return false
    const items = itemsAt(bytes, update)
    let item = items + 4
    for (let left = readUint32(bytes, items); left > 0; left--) {
      if ((itemFlags(bytes, item) & FLAG.range) !== 0) return false
      item += readUint32(bytes, item)
    }
    return true
  }

  /** Derives from the row `bytes[item, …)` of the mutation at 0; false, and nothing done, when it must be done the general way. `merge` is closed before and after. */
  row(bytes: Buffer, item: number, table: TableStore, derive: FlatDerive, merge: PartitionMerge, out: DerivedWriter): boolean {
    const incoming = this.#incoming
    if (!readFlatRow(incoming, bytes, item)) return false
    const found = this.#findInMemtable(bytes, item, table)
    if (found === FOUND.usual) return this.#derive(this.#existing, bytes, table, derive, out)
    if (found === FOUND.nothing) return this.#derive(null, bytes, table, derive, out)
    const clustering = bytes.subarray(incoming.clusteringStart, incoming.clusteringEnd)
    merge.open(table.schema)
    table.addSources(merge, readInt32(bytes, MUTATION_TOKEN_AT), readUint32(bytes, MUTATION_TOKEN_AT + 4), bytes.subarray(MUTATION_KEY_AT, keyEnd(bytes, 0)))
    merge.begin([{ start: clustering, startInclusive: true, end: clustering, endInclusive: true }], false)
    try {
      if (merge.deletion !== null || merge.tombstones.length > 0) return false
      if (!merge.next()) return this.#derive(null, bytes, table, derive, out)
      return readFlatRow(this.#existing, merge.bytes, merge.at) && this.#derive(this.#existing, bytes, table, derive, out)
    } finally {
      merge.close()
    }
  }

  /** Looks for the row where it nearly always is: in the memtable as one fragment, or nowhere. */
  #findInMemtable(bytes: Buffer, item: number, table: TableStore): Found {
    const { active, flushing, sstables } = table
    const tokenHigh = readInt32(bytes, MUTATION_TOKEN_AT)
    const tokenLow = readUint32(bytes, MUTATION_TOKEN_AT + 4)
    if (flushing.length > 0) return FOUND.elsewhere
    for (let index = 0; index < sstables.length; index++) if ((sstables[index] as SSTable).filter.mayContain(tokenHigh, tokenLow)) return FOUND.elsewhere
    const partition = active.find(tokenHigh, tokenLow, bytes, MUTATION_KEY_AT, keyEnd(bytes, 0))
    if (partition === 0) return FOUND.nothing
    const { arena, rows } = active
    if (hasExtras(arena, partition)) return FOUND.elsewhere
    const place = rows.search(partition, bytes, clusteringStart(item), clusteringEnd(bytes, item))
    if (!rows.found) return FOUND.nothing
    const row = rows.row(partition, place)
    const slab = slabOf(row)
    if ((arena.ints[slab] as Int32Array)[intOf(row) + ROW.next] !== 0) return FOUND.elsewhere
    return readFlatRow(this.#existing, arena.buffers[slab] as Buffer, byteOf(row) + ROW.byte) ? FOUND.usual : FOUND.elsewhere
  }

  #derive(existing: FlatRow | null, bytes: Buffer, table: TableStore, derive: FlatDerive, out: DerivedWriter): true {
    const incoming = this.#incoming
    let merged = incoming
    if (existing !== null || incoming.hasDeletion) {
      merged = this.#merged
      if (existing === null) merged.normalise(incoming)
      else merged.merge(existing, incoming)
    }
    // A row of the mutation with nothing in it touches nothing.
    if (!merged.isEmpty) derive.row(table.schema, bytes, MUTATION_KEY_AT, keyEnd(bytes, 0), existing, incoming, merged, out)
    return true
  }
}
