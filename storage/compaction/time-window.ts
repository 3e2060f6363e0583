// Time windows: tables are grouped by the window of their newest timestamp, and only tables of one window are merged, so
// that with a TTL whole tables expire and are dropped. The newest window is merged by size while it is being written; an
// older one is merged into one table.
import type { SizeTieredOptions, TimeWindowOptions } from "./compaction-options.ts"
import { type Choice, type CompactionTable, compareBigInt, merge } from "./choice.ts"
import { chooseSizeTiered } from "./size-tiered.ts"

/** The number of the window a table belongs to. */
export function windowOf(table: CompactionTable, options: TimeWindowOptions): bigint {
  const { windowTimestamps: size } = options
  const { maxTimestamp } = table
  // Downwards also below zero.
  return maxTimestamp >= 0n ? maxTimestamp / size : (maxTimestamp - size + 1n) / size
}

/** Newest window first. */
export function windowsOf(tables: readonly CompactionTable[], options: TimeWindowOptions): CompactionTable[][] {
  const windows = new Map<bigint, CompactionTable[]>()
  for (const table of tables) {
    const window = windowOf(table, options)
    const known = windows.get(window)
    if (known === undefined) windows.set(window, [table])
    else known.push(table)
  }
  return [...windows].toSorted(([a], [b]) => compareBigInt(b, a)).map(([, members]) => members)
}

export function chooseTimeWindow(tables: readonly CompactionTable[], options: TimeWindowOptions, tiers: SizeTieredOptions): Choice | null {
  for (const [index, window] of windowsOf(tables, options).entries()) {
    const free = window.filter(({ busy }) => !busy)
    const choice = index === 0 ? chooseSizeTiered(free, tiers) : wholeWindow(free, tiers)
    if (choice !== null) return choice
  }
  return null
}

function wholeWindow(window: readonly CompactionTable[], tiers: SizeTieredOptions): Choice | null {
  if (window.length < 2) return null
  return merge("old window", window.toSorted((a, b) => a.bytes - b.bytes || a.number - b.number).slice(0, tiers.maxThreshold))
}
