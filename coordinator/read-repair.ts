// What a replica lacks of a merged partition, as a mutation for it.
import { MutationWriter } from "../data/mutation.ts"
import { compareDeletions, strongerDeletion } from "../data/range-tombstones.ts"
import type { ReadCommand } from "../data/read-command.ts"
import { CELL_KIND, type Cell, type Deletion, type Marker, type RangeTombstone, type Row } from "../data/row.ts"
import type { NodeId } from "../runtime/network.ts"
import { Buffer } from "../runtime/pure.ts"
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
  const kept = (deletion: Deletion): boolean => theirs !== null || deletion.localDeletionTime >= purgedBefore
  const deletion = lacksDeletion(merged.deletion, theirs?.deletion ?? null) && kept(merged.deletion) ? merged.deletion : null
  const complexDeletions = merged.complexDeletions.filter((complex) => {
    const other = theirs?.complexDeletions.find(({ column }) => column === complex.column)?.deletion ?? null
    return lacksDeletion(complex.deletion, strongerDeletion(other, theirs?.deletion ?? null)) && kept(complex.deletion)
  })
  const marker = merged.marker !== null && !sameMarker(merged.marker, theirs?.marker ?? null) ? merged.marker : null
  const cells = merged.cells.filter((cell) => {
    if (theirs === null) return cell.kind !== CELL_KIND.tombstone || cell.expiresAt >= purgedBefore
    return !theirs.cells.some((other) => sameCell(cell, other))
  })
  if (deletion === null && complexDeletions.length === 0 && marker === null && cells.length === 0) return null
  return { isStatic: merged.isStatic, clustering: merged.clustering, marker, deletion, complexDeletions, cells }
}

function sameMarker(a: Marker, b: Marker | null): boolean {
  return b !== null && a.timestampHigh === b.timestampHigh && a.timestampLow === b.timestampLow && a.ttlSeconds === b.ttlSeconds && a.expiresAt === b.expiresAt
}

function sameCell(a: Cell, b: Cell): boolean {
  return (
    a.column === b.column && a.kind === b.kind && a.timestampHigh === b.timestampHigh && a.timestampLow === b.timestampLow &&
    a.ttlSeconds === b.ttlSeconds && a.expiresAt === b.expiresAt && sameBytes(a.path, b.path) && sameBytes(a.value, b.value)
  )
}

function sameBytes(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : Buffer.compare(a, b) === 0
}

