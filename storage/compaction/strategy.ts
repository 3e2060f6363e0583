// The next compaction of a table: what its strategy says, and what every strategy does besides. In this order:
//
// 1. Tables in which everything has expired are dropped whole, without being read.
// 2. The strategy's own choice.
// 3. A table with many droppable tombstones is rewritten alone (tombstone_threshold); so is, once, a table of a view when
//    everything in it is so old that its masks can go.
//
// A pure function. Asked again with the chosen tables `busy`, it names another compaction that can run at the same time.
import type { CompactionOptions } from "./compaction-options.ts"
import { type Choice, type ChoiceContext, type CompactionTable, merge, overlap, totalBytes } from "./choice.ts"
import { chooseLeveled, maxLevelBytes } from "./leveled.ts"
import { chooseSizeTiered } from "./size-tiered.ts"
import { chooseTimeWindow, windowsOf } from "./time-window.ts"
import { chooseUnified, densityOf, shardBoundaries, shardsOf } from "./unified.ts"

export function chooseCompaction(tables: readonly CompactionTable[], options: CompactionOptions, context: ChoiceContext): Choice | null {
  if (!options.enabled) return null
  return (context.checkExpired ? chooseExpired(tables, options, context) : null) ?? chooseByStrategy(tables, options, context) ?? chooseTombstones(tables, options, context)
}

function chooseByStrategy(tables: readonly CompactionTable[], options: CompactionOptions, context: ChoiceContext): Choice | null {
  switch (options.strategy) {
    case "SizeTieredCompactionStrategy":
      return chooseSizeTiered(tables, options.tiers)
    case "LeveledCompactionStrategy":
      return chooseLeveled(tables, options.levels, options.tiers)
    case "TimeWindowCompactionStrategy":
      return chooseTimeWindow(tables, options.windows, options.tiers)
    case "UnifiedCompactionStrategy":
      return chooseUnified(tables, options.unified, context.flushBytes)
  }
}

/** What an operator asks for: everything merged, as far as the strategy allows. Busy tables are left out. */
export function chooseMajor(tables: readonly CompactionTable[], options: CompactionOptions): Choice[] {
  const free = tables.filter(({ busy }) => !busy)
  if (free.length === 0) return []
  switch (options.strategy) {
    case "SizeTieredCompactionStrategy":
      return [merge("major", free)]
    case "LeveledCompactionStrategy": {
      let level = 1
      while (totalBytes(free) > maxLevelBytes(level, options.levels)) level++
      return [merge("major", free, { level, maxOutputBytes: options.levels.sstableBytes })]
    }
    case "TimeWindowCompactionStrategy":
      return windowsOf(free, options.windows).map((window) => merge("major", window))
    case "UnifiedCompactionStrategy":
      return [merge("major", free, { boundaries: shardBoundaries(shardsOf(densityOf(free), options.unified)) })]
  }
}

function chooseExpired(tables: readonly CompactionTable[], options: CompactionOptions, context: ChoiceContext): Choice | null {
  // Entries of a view have cells that never expire.
  if (context.masksBefore !== null || options.onlyPurgeRepairedTombstones) return null
  const isExpired = ({ lasting, maxLocalDeletionTime }: CompactionTable): boolean => lasting === 0 && maxLocalDeletionTime !== null && maxLocalDeletionTime < context.gcBefore
  const isUnsafe = (options.strategy === "TimeWindowCompactionStrategy" && options.windows.unsafeExpiration) || (options.strategy === "UnifiedCompactionStrategy" && options.unified.unsafeExpiration)
  const others = tables.filter((table) => !isExpired(table))
  const expired = tables.filter((table) => !table.busy && isExpired(table) && (isUnsafe || shadowsNothing(table, others, context)))
  return expired.length === 0 ? null : { ...merge("expired", expired), kind: "drop" }
}

/** Nothing outside is as old as the newest thing in the table, so that nothing comes back when it goes. */
function shadowsNothing(table: CompactionTable, others: readonly CompactionTable[], { memtableMinTimestamp }: ChoiceContext): boolean {
  if (memtableMinTimestamp !== null && memtableMinTimestamp <= table.maxTimestamp) return false
  return others.every((other) => other === table || other.minTimestamp > table.maxTimestamp || !overlap(table, other))
}

function chooseTombstones(tables: readonly CompactionTable[], options: CompactionOptions, context: ChoiceContext): Choice | null {
  if (options.onlyPurgeRepairedTombstones) return null
  let best: { readonly table: CompactionTable; readonly ratio: number } | null = null
  for (const table of tables) {
    if (table.busy || context.nowSeconds - table.createdAt <= options.tombstoneIntervalSeconds) continue
    const ratio = hasOldMasks(table, context) ? 1 : droppableRatio(table, context.gcBefore)
    if (ratio <= options.tombstoneThreshold || (best !== null && ratio <= best.ratio)) continue
    if (options.uncheckedTombstoneCompaction || shadowsNothing(table, tables, context)) best = { table, ratio }
  }
  if (best === null) return null
  const { table } = best
  return merge("tombstones", [table], { level: table.level })
}

/** A table that was made before its masks could go, and now they can. */
function hasOldMasks({ arrivedBy, createdAt }: CompactionTable, { nowSeconds, masksBefore }: ChoiceContext): boolean {
  return masksBefore !== null && arrivedBy < masksBefore && createdAt - arrivedBy <= nowSeconds - masksBefore
}

/** The estimated share of what is in the table that was deleted, or expired, before the second; from 0 to 1. */
export function droppableRatio(table: CompactionTable, gcBefore: number): number {
  const { tombstones, expiringCells, lasting, minLocalDeletionTime: first, maxLocalDeletionTime: last } = table
  const all = tombstones + expiringCells + lasting
  if (first === null || last === null || all === 0 || first >= gcBefore) return 0
  const share = last < gcBefore ? 1 : (gcBefore - first) / (last - first + 1)
  return ((tombstones + expiringCells) * share) / all
}
