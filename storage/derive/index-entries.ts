// Adds the entries of a write to the indexes of its table, in the same stretch as the write itself. They are not in the
// commit log: a replay makes them again from the record of the write.
import type { Buffer } from "../../runtime/pure.ts"
import { ByteReader, ByteWriter, readInt32, readUint32 } from "../../data/bytes.ts"
import { type IndexEntry, indexEntries } from "../../data/index-terms.ts"
import type { LogPosition } from "../../data/local-store.ts"
import { FLAG, decodeRow, encodeRow } from "../../data/row-format.ts"
import type { TableId, TableSchema } from "../../data/schema.ts"
import { isBefore } from "../log/commit-log-sync.ts"
import { MUTATION_KEY_AT, MUTATION_TOKEN_AT, itemsAt, keyEnd } from "../mutation-layout.ts"
import type { TableStore } from "../table-store.ts"

const scratch = new ByteWriter(256)

/** REQUIRES: checkMutation. `replayed`: an index that has the record's entries in its SSTables already is passed over. */
export function applyIndexEntries(
  bytes: Buffer, mutation: number, update: number, table: TableSchema, tables: ReadonlyMap<TableId, TableStore>, position: LogPosition, replayed: boolean,
): void {
  const token = { high: readInt32(bytes, mutation + MUTATION_TOKEN_AT), low: readUint32(bytes, mutation + MUTATION_TOKEN_AT + 4) }
  const key = bytes.subarray(mutation + MUTATION_KEY_AT, keyEnd(bytes, mutation))
  const add = (entry: IndexEntry): void => {
    const store = tables.get(entry.index.table.id)
    if (store !== undefined && !(replayed && isBefore(position, store.replayFrom))) putEntry(store, entry, position)
  }
  const items = itemsAt(bytes, update)
  let item = items + 4
  for (let left = readUint32(bytes, items); left > 0; left--) {
    if (((bytes[item + 4] as number) & FLAG.range) === 0) indexEntries(table, token, key, decodeRow(new ByteReader(bytes, item)), add)
    item += readUint32(bytes, item)
  }
}

function putEntry({ active }: TableStore, { shardToken, shardKey, row }: IndexEntry, position: LogPosition): void {
  if (position.segment < active.firstSegment) active.firstSegment = position.segment
  const partition = active.findOrCreate(shardToken.high, shardToken.low, shardKey, 0, shardKey.length)
  scratch.reset()
  encodeRow(row, scratch)
  active.putRow(partition, scratch.buffer, 0)
}
