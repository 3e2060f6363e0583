// Whether the memtable has a view's entry already, byte for byte. Every base replica tells every owner of a view key the same
// (views.md, 4.6), so that at replication factor 3 two of three messages say nothing new: they need no record in the log and
// no place in memory. Merging is idempotent (law L1), so that an entry that equals any fragment of the row adds nothing to it.
import type { Buffer } from "../../runtime/pure.ts"
import { readInt32, readUint16, readUint32 } from "../../data/bytes.ts"
import { clusteringEnd, clusteringStart, itemSize } from "../../data/row-format.ts"
import type { TableId } from "../../data/schema.ts"
import { ROW } from "../memtable/memtable-layout.ts"
import { MUTATION_KEY_AT, MUTATION_TOKEN_AT, MUTATION_UPDATES_AT, hasPartitionDeletion, itemsAt, keyEnd } from "../mutation-layout.ts"
import { byteOf, intOf, slabOf } from "../memtable/slab.ts"
import type { TableStore } from "../table-store.ts"

/** True when every record that the entry could need is in the log already. REQUIRES: checkMutation. */
export function isKnownEntry(bytes: Buffer, tables: ReadonlyMap<TableId, TableStore>): boolean {
  const update = keyEnd(bytes, 0)
  if (readUint16(bytes, MUTATION_UPDATES_AT) !== 1 || hasPartitionDeletion(bytes, update)) return false
  const items = itemsAt(bytes, update)
  if (readUint32(bytes, items) !== 1) return false
  const { active } = tables.get(readUint32(bytes, update)) as TableStore
  const partition = active.find(readInt32(bytes, MUTATION_TOKEN_AT), readUint32(bytes, MUTATION_TOKEN_AT + 4), bytes, MUTATION_KEY_AT, update)
  if (partition === 0) return false
  const item = items + 4
  const place = active.rows.search(partition, bytes, clusteringStart(item), clusteringEnd(bytes, item))
  if (!active.rows.found) return false
  const { arena } = active
  const size = itemSize(bytes, item)
  for (let fragment = active.rows.row(partition, place); fragment !== 0; ) {
    const slab = slabOf(fragment)
    const known = arena.buffers[slab] as Buffer
    const at = byteOf(fragment) + ROW.byte
    if (itemSize(known, at) === size && known.compare(bytes, item, item + size, at, at + size) === 0) return true
    fragment = (arena.ints[slab] as Int32Array)[intOf(fragment) + ROW.next] as number
  }
  return false
}
