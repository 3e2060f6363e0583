// A mutation's bytes on their way into memtables, read in place: the hot path of writes. The layout is data/mutation.ts's.
import type { Buffer } from "../runtime/pure.ts"
import { ByteReader, readInt32, readUint16, readUint32 } from "../data/bytes.ts"
import type { LogPosition } from "../data/local-store.ts"
import { MUTATION_VERSION } from "../data/mutation.ts"
import { FLAG } from "../data/row-format.ts"
import type { TableId } from "../data/schema.ts"
import { isBefore } from "./log/commit-log-sync.ts"
import { UnknownTableError } from "./errors.ts"
import { applyIndexEntries } from "./derive/index-entries.ts"
import {
  ITEM_HEADER_BYTES, MUTATION_KEY_AT, MUTATION_TOKEN_AT, MUTATION_UPDATES_AT, UPDATE_HEADER_BYTES, hasPartitionDeletion, itemsAt, keyEnd, updateEnd,
} from "./mutation-layout.ts"
import type { TableStore } from "./table-store.ts"

/**
 * Checks that the mutation at `at` is whole and that its tables are known, before anything of it is kept. Returns whether
 * one of them has views. Throws CorruptionError, UnknownTableError.
 */
export function checkMutation(bytes: Buffer, at: number, tables: ReadonlyMap<TableId, TableStore>): boolean {
  const limit = bytes.length
  if (at + MUTATION_KEY_AT > limit || keyEnd(bytes, at) > limit) new ByteReader(bytes, at).fail("a mutation header")
  const end = at + readUint32(bytes, at)
  if (bytes[at + 4] !== MUTATION_VERSION || end > limit) new ByteReader(bytes, at).fail(`a whole mutation of version ${MUTATION_VERSION}`)
  let hasViews = false
  let update = keyEnd(bytes, at)
  for (let left = readUint16(bytes, at + MUTATION_UPDATES_AT); left > 0; left--) {
    if (update + UPDATE_HEADER_BYTES + 4 > end || updateEnd(bytes, update) > end) new ByteReader(bytes, update).fail("an update within its mutation")
    const table = tables.get(readUint32(bytes, update))
    if (table === undefined) throw new UnknownTableError(readUint32(bytes, update), "a mutation")
    if (table.schema.views.length > 0) hasViews = true
    checkItems(bytes, itemsAt(bytes, update), updateEnd(bytes, update))
    update = updateEnd(bytes, update)
  }
  if (update !== end) new ByteReader(bytes, update).fail(`the end of the mutation at ${end}`)
  return hasViews
}

/** For replay: throws UnknownTableError for a table that is neither there nor dropped. */
export function checkTablesKnown(bytes: Buffer, at: number, isKnown: (table: TableId) => boolean, where: string): void {
  let update = keyEnd(bytes, at)
  for (let left = readUint16(bytes, at + MUTATION_UPDATES_AT); left > 0; left--) {
    const table = readUint32(bytes, update)
    if (!isKnown(table)) throw new UnknownTableError(table, where)
    update = updateEnd(bytes, update)
  }
}

function checkItems(bytes: Buffer, at: number, end: number): void {
  if (at + 4 > end) new ByteReader(bytes, at).fail("the number of items")
  let item = at + 4
  for (let left = readUint32(bytes, at); left > 0; left--) {
    if (item + ITEM_HEADER_BYTES > end) new ByteReader(bytes, item).fail("an item")
    const size = readUint32(bytes, item)
    if (size > end - item || ITEM_HEADER_BYTES + readUint16(bytes, item + 6) > size) new ByteReader(bytes, item).fail("an item within its update")
    item += size
  }
  if (item !== end) new ByteReader(bytes, item).fail("the end of the update")
}

/**
 * Puts the mutation at `at` into its tables' memtables. REQUIRES: checkMutation. `replayed`: records that a table has in
 * its SSTables already are passed over, and so are tables that are not there.
 */
export function applyMutation(bytes: Buffer, at: number, tables: ReadonlyMap<TableId, TableStore>, position: LogPosition, replayed: boolean): void {
  let update = keyEnd(bytes, at)
  for (let left = readUint16(bytes, at + MUTATION_UPDATES_AT); left > 0; left--) {
    const table = tables.get(readUint32(bytes, update))
    if (table !== undefined) {
      if (!(replayed && isBefore(position, table.replayFrom))) applyUpdate(bytes, at, update, table, position)
      // Indexes are flushed on their own: one may lack what its table has in SSTables.
      if (table.schema.indexes.length > 0) applyIndexEntries(bytes, at, update, table.schema, tables, position, replayed)
    }
    update = updateEnd(bytes, update)
  }
}

function applyUpdate(bytes: Buffer, mutation: number, update: number, table: TableStore, position: LogPosition): void {
  const memtable = table.active
  if (position.segment < memtable.firstSegment) memtable.firstSegment = position.segment
  const partition = memtable.findOrCreate(
    readInt32(bytes, mutation + MUTATION_TOKEN_AT), readUint32(bytes, mutation + MUTATION_TOKEN_AT + 4),
    bytes, mutation + MUTATION_KEY_AT, keyEnd(bytes, mutation),
  )
  if (hasPartitionDeletion(bytes, update)) {
    const from = update + UPDATE_HEADER_BYTES
    memtable.putPartitionDeletion(partition, {
      timestampHigh: readInt32(bytes, from), timestampLow: readUint32(bytes, from + 4), localDeletionTime: readUint32(bytes, from + 8),
    })
  }
  const items = itemsAt(bytes, update)
  let item = items + 4
  for (let left = readUint32(bytes, items); left > 0; left--) {
    if (((bytes[item + 4] as number) & FLAG.range) === 0) memtable.putRow(partition, bytes, item)
    else memtable.putRangeTombstone(partition, bytes, item)
    item += readUint32(bytes, item)
  }
  if (table.late.horizon !== null && table.schema.views.length > 0) table.late.look(bytes, mutation, update)
}
