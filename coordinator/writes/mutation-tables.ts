// What the coordinator must know of a mutation's bytes beyond its key: the tables it writes.
import { readUint16, readUint32 } from "../../data/bytes.ts"
import type { Epoch, TableId } from "../../data/schema.ts"
import type { Placement } from "../../data/topology.ts"
import type { Snapshot } from "../cluster/cluster-metadata.ts"

const KEY_AT = 18

/** Position of the first update; REQUIRES: a whole mutation. */
function updatesAt(mutation: Buffer): number {
  return KEY_AT + readUint16(mutation, 16)
}

export function firstTable(mutation: Buffer): TableId {
  return readUint32(mutation, updatesAt(mutation))
}

/** Size of the mutation at `at`. */
export function mutationSizeAt(mutations: Buffer, at: number): number {
  return readUint32(mutations, at)
}

export function tablesOf(mutation: Buffer): TableId[] {
  const tables: TableId[] = []
  let at = updatesAt(mutation)
  for (let left = readUint16(mutation, 6); left > 0; left--) {
    tables.push(readUint32(mutation, at))
    at += 8 + readUint32(mutation, at + 4)
  }
  return tables
}

/** The metadata a replica must have to do as meant: the last change, or TRUNCATE, of the table. */
export function tableEpoch(snapshot: Snapshot, id: TableId): Epoch {
  return Math.max(snapshot.schema.tableById(id)?.descriptor.epoch ?? 0, snapshot.truncationEpoch(id))
}

/** The same for all tables of a mutation, and for the range it lies in. */
export function requiredEpoch(mutation: Buffer, snapshot: Snapshot, placement: Placement): Epoch {
  let epoch = placement.since
  let at = updatesAt(mutation)
  for (let left = readUint16(mutation, 6); left > 0; left--) {
    epoch = Math.max(epoch, tableEpoch(snapshot, readUint32(mutation, at)))
    at += 8 + readUint32(mutation, at + 4)
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
  const updates = readUint16(mutation, 6)
  for (let left = updates; left > 0; left--) {
    const end = at + 8 + readUint32(mutation, at + 4)
    if (keep(readUint32(mutation, at))) {
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
