// What is left of a merged row when everything dead is taken out that may go. Three kinds of things are dead: tombstones
// and deletions, cells and markers that have expired, and in a view entries that readers can never see again.
//
// `mayGo(timestamp, second)` says whether something dead may go: it died before gc_grace_seconds ago, and nothing that it
// shadows lies anywhere else (purger.ts). Rows that come out are canonical.
import { mergeEntries } from "../../data/view-entry.ts"
import { type ViewShape, viewShape } from "../../data/view-shape.ts"
import { CELL_KIND, type Cell, type Deletion, type Marker, type Row } from "../../data/row.ts"
import type { TableSchema } from "../../data/schema.ts"

export interface PurgeRules {
  /** Whether what was deleted, or expired, at this second may go, and is not needed to shadow anything. */
  mayGo(timestampHigh: number, timestampLow: number, second: number): boolean
  /** The same without regard to when it died. */
  isUnneeded(timestampHigh: number, timestampLow: number): boolean
  /** Of views: entries that readers never see may go whatever is in them. */
  readonly masks: boolean
}

/** The row without what may go; the same object when that is nothing, null when it is everything. REQUIRES: no view's row. */
export function purgeRow(row: Row, rules: PurgeRules): Row | null {
  const marker = mayMarkerGo(row.marker, rules) ? null : row.marker
  const deletion = mayDeletionGo(row.deletion, rules) ? null : row.deletion
  const complexDeletions = row.complexDeletions.filter((item) => !mayDeletionGo(item.deletion, rules))
  const cells = row.cells.filter((cell) => !mayCellGo(cell, rules))
  if (marker === row.marker && deletion === row.deletion && complexDeletions.length === row.complexDeletions.length && cells.length === row.cells.length) return row
  if (marker === null && deletion === null && complexDeletions.length === 0 && cells.length === 0) return null
  return { ...row, marker, deletion, complexDeletions, cells }
}

/**
 * The same for an entry of a view. Its context says which of several versions counts, and stays whole as long as the entry
 * does: only an entry that nobody will see again goes, with everything in it.
 */
export function purgeEntry(view: TableSchema, entry: Row, rules: PurgeRules): Row | null {
  const shape = viewShape(view)
  const witness = entry.cells.find((cell) => isWitness(cell, shape))
  if (witness === undefined) return isWhollyUnneeded(entry, rules) && (rules.masks || isWhollyDead(entry, rules)) ? null : entry
  if (hasExpiredContext(entry, shape, rules)) return isWhollyUnneeded(entry, rules) ? null : entry
  const marker = mayMarkerGo(entry.marker, rules) ? null : entry.marker
  const deletion = mayDeletionGo(entry.deletion, rules) ? null : entry.deletion
  const complexDeletions = entry.complexDeletions.filter((item) => !mayDeletionGo(item.deletion, rules))
  // The context stays: none of it may go, or it would have expired. So does the witness, which is a plain cell.
  const cells = entry.cells.filter((cell) => !mayCellGo(cell, rules))
  if (marker === entry.marker && deletion === entry.deletion && complexDeletions.length === entry.complexDeletions.length && cells.length === entry.cells.length) return entry
  if (marker === null && deletion === null && complexDeletions.length === 0 && cells.length === 1) return null
  const purged: Row = { ...entry, marker, deletion, complexDeletions, cells }
  // The witness has the timestamp of the newest cell, which may be gone: merging sets it anew.
  return mergeEntries(view, [purged, purged])
}

function isWitness(cell: Cell, shape: ViewShape): boolean {
  return cell.column === shape.witness && cell.path === null
}

function mayMarkerGo(marker: Marker | null, rules: PurgeRules): boolean {
  return marker !== null && marker.expiresAt !== 0 && rules.mayGo(marker.timestampHigh, marker.timestampLow, marker.expiresAt)
}

function mayDeletionGo(deletion: Deletion | null, rules: PurgeRules): boolean {
  return deletion !== null && rules.mayGo(deletion.timestampHigh, deletion.timestampLow, deletion.localDeletionTime)
}

function mayCellGo(cell: Cell, rules: PurgeRules): boolean {
  return cell.kind !== CELL_KIND.plain && rules.mayGo(cell.timestampHigh, cell.timestampLow, cell.expiresAt)
}

/** A key or filter cell of it has expired for good: it is not seen again before a newer one comes, and then counts no more. */
function hasExpiredContext(entry: Row, shape: ViewShape, rules: PurgeRules): boolean {
  return entry.cells.some((cell) => cell.path === null && shape.contextColumns.includes(cell.column) && mayCellGo(cell, rules))
}

/** Nothing of it shadows anything elsewhere. The witness has no timestamp of its own. */
function isWhollyUnneeded({ marker, deletion, complexDeletions, cells }: Row, rules: PurgeRules): boolean {
  const isUnneeded = ({ timestampHigh, timestampLow }: { timestampHigh: number; timestampLow: number }): boolean => rules.isUnneeded(timestampHigh, timestampLow)
  if ((marker !== null && !isUnneeded(marker)) || (deletion !== null && !isUnneeded(deletion))) return false
  return complexDeletions.every((item) => isUnneeded(item.deletion)) && cells.every(isUnneeded)
}

/** A mask that is nothing but deletions and expired cells. */
function isWhollyDead(mask: Row, rules: PurgeRules): boolean {
  return (mask.deletion === null || mayDeletionGo(mask.deletion, rules)) && mask.cells.every((cell) => mayCellGo(cell, rules))
}
