// What a replica lacks of a merged partition, as a mutation for it.
import { MutationWriter } from "../../data/mutation.ts"
import { compareDeletions } from "../../data/range-tombstones.ts"
import type { ReadCommand } from "../../data/read-command.ts"
import { rowDifference } from "../../data/reconcile.ts"
import { CELL_KIND, type Deletion, type RangeTombstone, type Row } from "../../data/row.ts"
import type { NodeId } from "../../runtime/network.ts"
import { Buffer } from "../../runtime/pure.ts"
import type { MergedPartition, MergedRow } from "./merged-partition.ts"
import type { ResponsePartition } from "./response-reader.ts"

export interface PartitionRepair {
  readonly node: NodeId
  readonly mutation: Buffer
}

/**
 * Null when the replica has everything. `theirs`: the replica's partition, null when it has no trace of it; `rows`: its
 * version of each merged row.
 */
export function repairOf(command: ReadCommand, merged: MergedPartition, theirs: ResponsePartition | null, rows: ReadonlyMap<MergedRow, Row>): Buffer | null {
  const { table, nowSeconds } = command
  const purgedBefore = nowSeconds - table.options.gcGraceSeconds
  const isWanted = (deletion: Deletion): boolean => theirs !== null || deletion.localDeletionTime >= purgedBefore
  const deletion = lacksDeletion(merged.deletion, theirs?.deletion ?? null) && isWanted(merged.deletion) ? merged.deletion : null
  const tombstones = merged.tombstones.filter((tombstone) => !hasTombstone(theirs, tombstone) && isWanted(tombstone.deletion))
  const missing: Row[] = []
  for (const row of merged.rows) {
    const part = missingPart(row.row, rows.get(row) ?? null, purgedBefore)
    if (part !== null) missing.push(part)
  }
  if (deletion === null && tombstones.length === 0 && missing.length === 0) return null
  // Items of a mutation are in clustering order, also when the read was not.
  if (command.reversed) missing.reverse()
  const writer = new MutationWriter(512)
  writer.begin(merged.key, 0, merged.key.length)
  writer.beginUpdate(table.id)
  if (deletion !== null) writer.partitionDeletion(deletion)
  const statics = missing.filter(({ isStatic }) => isStatic)
  for (const row of statics) writer.row(row)
  for (const tombstone of tombstones) writer.rangeTombstone(tombstone)
  for (const row of missing) if (!row.isStatic) writer.row(row)
  writer.endUpdate()
  return Buffer.from(writer.end())
}

function lacksDeletion(merged: Deletion | null, theirs: Deletion | null): merged is Deletion {
  return merged !== null && (theirs === null || compareDeletions(merged, theirs) > 0)
}

function hasTombstone(theirs: ResponsePartition | null, tombstone: RangeTombstone): boolean {
  if (theirs === null) return false
  return theirs.tombstones.some(
    (other) =>
      compareDeletions(other.deletion, tombstone.deletion) === 0 && other.startInclusive === tombstone.startInclusive &&
      other.endInclusive === tombstone.endInclusive && Buffer.compare(other.start, tombstone.start) === 0 && Buffer.compare(other.end, tombstone.end) === 0,
  )
}

/** What of the merged row the replica's version lacks; null: nothing. `purgedBefore`: tombstones older than this it may have purged. */
function missingPart(merged: Row, theirs: Row | null, purgedBefore: number): Row | null {
  const missing = rowDifference(merged, theirs)
  if (missing === null || theirs !== null) return missing
  const deletion = missing.deletion !== null && missing.deletion.localDeletionTime >= purgedBefore ? missing.deletion : null
  const complexDeletions = missing.complexDeletions.filter((complex) => complex.deletion.localDeletionTime >= purgedBefore)
  const cells = missing.cells.filter((cell) => cell.kind !== CELL_KIND.tombstone || cell.expiresAt >= purgedBefore)
  if (missing.marker === null && deletion === null && complexDeletions.length === 0 && cells.length === 0) return null
  return { ...missing, deletion, complexDeletions, cells }
}
