// Size-tiered: tables of about the same size are merged when there are min_threshold of them, so that each row is rewritten
// about log(data / memtable) times. Good for writes; reads may have to look into a table of every size, and while the
// largest tables are merged their space is needed twice.
import type { SizeTieredOptions } from "./compaction-options.ts"
import { type Choice, type CompactionTable, merge } from "./choice.ts"

/** The tables grouped by size, smallest first: each within bucket_low and bucket_high of its group's average, or below min_sstable_size. */
export function sizeTiers(tables: readonly CompactionTable[], options: SizeTieredOptions): CompactionTable[][] {
  const tiers: CompactionTable[][] = []
  let tier: CompactionTable[] = []
  let sum = 0
  for (const table of tables.toSorted((a, b) => a.bytes - b.bytes || a.number - b.number)) {
    const average = sum / tier.length
    const areBothSmall = table.bytes < options.minSSTableBytes && average < options.minSSTableBytes
    // Ascending, so that only the upper bound can be passed; the lower one is the upper one of the other table.
    const isAlike = table.bytes < average * options.bucketHigh && average > table.bytes * options.bucketLow
    if (tier.length === 0 || (!areBothSmall && !isAlike)) {
      tier = []
      tiers.push(tier)
      sum = 0
    }
    tier.push(table)
    sum += table.bytes
  }
  return tiers
}

/** The tier of the smallest tables that has enough of them: it costs least and removes as many tables as any. */
export function chooseSizeTiered(tables: readonly CompactionTable[], options: SizeTieredOptions): Choice | null {
  for (const tier of sizeTiers(tables.filter(({ busy }) => !busy), options)) {
    if (tier.length >= options.minThreshold) return merge("size tier", tier.slice(0, options.maxThreshold))
  }
  return null
}
