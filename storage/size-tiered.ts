// Which SSTables to merge, by size: those of about the same size, so that each row is rewritten about log(data / memtable)
// times. A pure function.

export interface Candidate {
  readonly number: number
  readonly bytes: number
}

/** A table with more SSTables than this is compacted. */
export const MAX_SSTABLES = 8
const MIN_MERGED = 4
const MAX_MERGED = 32
/** Sizes from half to one and a half times the average of those before belong together. */
const LOWEST = 0.5
const HIGHEST = 1.5

/** Numbers of the SSTables to merge into one; null: leave them. */
export function chooseCompaction(tables: readonly Candidate[]): number[] | null {
  if (tables.length <= MAX_SSTABLES) return null
  const bySize = tables.toSorted((a, b) => a.bytes - b.bytes || a.number - b.number)
  let best: Candidate[] = []
  let tier: Candidate[] = []
  let sum = 0
  for (const table of bySize) {
    const average = sum / tier.length
    if (tier.length > 0 && (table.bytes < average * LOWEST || table.bytes > average * HIGHEST)) {
      tier = []
      sum = 0
    }
    tier.push(table)
    sum += table.bytes
    if (tier.length > best.length) best = tier
  }
  // Reads must stay bounded also when all sizes differ: then the smallest ones.
  const chosen = best.length >= MIN_MERGED ? best : bySize.slice(0, tables.length - MAX_SSTABLES + 1 + MIN_MERGED)
  return chosen.slice(0, MAX_MERGED).map(({ number }) => number)
}
