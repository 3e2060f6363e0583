// What the coordinator must know of a mutation's bytes beyond its key: the tables it writes.
import type { Epoch, Schema, TableId } from "../data/schema.ts"
import type { Placement } from "../data/topology.ts"

const KEY_AT = 18

/** Position of the first update; REQUIRES: a whole mutation. */
function updatesAt(mutation: Buffer): number {
  return KEY_AT + mutation.readUInt16BE(16)
}

export function firstTable(mutation: Buffer): TableId {
  return mutation.readUInt32BE(updatesAt(mutation))
}

/** Size of the mutation at `at`. */
export function mutationSizeAt(mutations: Buffer, at: number): number {
  return mutations.readUInt32BE(at)
}

export function tablesOf(mutation: Buffer): TableId[] {
  const tables: TableId[] = []
  let at = updatesAt(mutation)
  for (let left = mutation.readUInt16BE(6); left > 0; left--) {
    tables.push(mutation.readUInt32BE(at))
    at += 8 + mutation.readUInt32BE(at + 4)
  }
  return tables
}

/** The metadata a replica must have to apply the mutation as meant: the last change of its tables and of the range. */
export function requiredEpoch(mutation: Buffer, schema: Schema, placement: Placement): Epoch {
  let epoch = placement.since
  let at = updatesAt(mutation)
  for (let left = mutation.readUInt16BE(6); left > 0; left--) {
    const table = schema.tableById(mutation.readUInt32BE(at))
    if (table !== null && table.descriptor.epoch > epoch) epoch = table.descriptor.epoch
    at += 8 + mutation.readUInt32BE(at + 4)
  }
  return epoch
}

/**
 * The mutation without the updates that `keep` refuses; itself when none is refused, null when none is left.
 */
export function keepUpdates(mutation: Buffer, keep: (table: TableId) => boolean): Buffer | null {
  const parts: Buffer[] = [mutation.subarray(0, updatesAt(mutation))]
  let at = updatesAt(mutation)
  let kept = 0
  const updates = mutation.readUInt16BE(6)
  for (let left = updates; left > 0; left--) {
    const end = at + 8 + mutation.readUInt32BE(at + 4)
    if (keep(mutation.readUInt32BE(at))) {
      parts.push(mutation.subarray(at, end))
      kept++
    }
    at = end
  }
  if (kept === updates) return mutation
  if (kept === 0) return null
  const out = Buffer.concat(parts)
  out.writeUInt32BE(out.length, 0)
  out.writeUInt16BE(kept, 6)
  return out
}
