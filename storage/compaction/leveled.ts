// Leveled: level 0 takes what is flushed; in each higher level the tables have disjoint tokens and about sstable_size_in_mb
// each, and a level may hold fanout_size times as much as the one above it. Most partitions are in one table a level, and
// space is hardly ever wasted; for this every row is rewritten about fanout_size times a level.
//
// 1. The level that is furthest over its size gives one table, with what it overlaps in the next level, to that level:
//    the one that makes the next level rewrite least. One that overlaps nothing there just moves.
// 2. Level 0, when it has enough tables: all of them with what they overlap in level 1. While they are small together
//    (less than one table) they are merged among themselves. Far too many of them are merged by size first, since every
//    read looks into all of level 0.
//
// INVARIANT: tables of a level above 0 are disjoint, also while several compactions run: from its first token to its last a
// choice takes all of the next level, and overlaps no busy table. One output may hold a gap between two inputs. Tables that do overlap (an operator copied files in) count as of level 0.
import type { LeveledOptions, SizeTieredOptions } from "./compaction-options.ts"
import { type Choice, type CompactionTable, compareBigInt, merge, overlap, totalBytes } from "./choice.ts"
import { chooseSizeTiered } from "./size-tiered.ts"

/** More tables than this in level 0: it has fallen behind. */
export const LEVEL_0_LIMIT = 32
const TOP_LEVEL = 8
const LARGER = 1.001

export function maxLevelBytes(level: number, options: LeveledOptions): number {
  return options.sstableBytes * options.fanout ** level
}

/** The tables by level; those that overlap another one of their level are in level 0. */
export function levelsOf(tables: readonly CompactionTable[]): CompactionTable[][] {
  const levels: CompactionTable[][] = Array.from({ length: TOP_LEVEL + 2 }, () => [])
  const zero = levels[0] as CompactionTable[]
  for (const table of tables.toSorted((a, b) => compareBigInt(a.firstToken, b.firstToken) || a.number - b.number)) {
    const level = levels[Math.min(table.level, TOP_LEVEL)] as CompactionTable[]
    const before = level.at(-1)
    if (level !== zero && before !== undefined && overlap(before, table)) zero.push(table)
    else level.push(table)
  }
  return levels
}

export function chooseLeveled(tables: readonly CompactionTable[], options: LeveledOptions, tiers: SizeTieredOptions): Choice | null {
  const levels = levelsOf(tables)
  const zero = (levels[0] as CompactionTable[]).filter(({ busy }) => !busy)
  if (zero.length > LEVEL_0_LIMIT) {
    const behind = chooseSizeTiered(zero, tiers)
    if (behind !== null) return { ...behind, reason: "level 0 is behind" }
  }
  const scores = levels.map((level, index) => ({ index, score: totalBytes(level.filter(({ busy }) => !busy)) / maxLevelBytes(index, options) }))
  for (const { index, score } of scores.slice(1, TOP_LEVEL).toSorted((a, b) => b.score - a.score)) {
    if (score <= LARGER) break
    const choice = promote(levels, index, options)
    if (choice !== null) return choice
  }
  return compactZero(levels, zero, options, tiers)
}

/** Tokens from the first to the last, both included. */
interface Span {
  readonly firstToken: bigint
  readonly lastToken: bigint
}

/** The table whose tokens the next level has least data for. */
function promote(levels: readonly CompactionTable[][], from: number, options: LeveledOptions): Choice | null {
  const next = levels[from + 1] as CompactionTable[]
  let best: { readonly table: CompactionTable; readonly below: CompactionTable[]; readonly cost: number } | null = null
  for (const table of levels[from] as CompactionTable[]) {
    if (table.busy) continue
    const below = within(next, table)
    if (isCrossed([table, ...below], levels, from + 1)) continue
    const cost = totalBytes(below) / table.bytes
    if (best === null || cost < best.cost) best = { table, below, cost }
  }
  if (best === null) return null
  const choice = merge(`level ${from} to ${from + 1}`, [best.table, ...best.below], { level: from + 1, maxOutputBytes: options.sstableBytes })
  return best.below.length === 0 && options.singleUplevel ? { ...choice, kind: "move" } : choice
}

function compactZero(levels: readonly CompactionTable[][], zero: readonly CompactionTable[], options: LeveledOptions, tiers: SizeTieredOptions): Choice | null {
  if (zero.length < tiers.minThreshold) return null
  const inputs = zero.toSorted((a, b) => a.number - b.number).slice(0, LEVEL_0_LIMIT)
  if (totalBytes(inputs) < options.sstableBytes) return merge("level 0", inputs)
  const below = within(levels[1] as CompactionTable[], spanOf(inputs))
  if (isCrossed([...inputs, ...below], levels, 1)) return null
  return merge("level 0 to 1", [...inputs, ...below], { level: 1, maxOutputBytes: options.sstableBytes })
}

/** Those of a level above 0, which are disjoint and in order, that have a part of the span. */
function within(level: readonly CompactionTable[], { firstToken, lastToken }: Span): CompactionTable[] {
  let low = 0
  let high = level.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((level[middle] as CompactionTable).lastToken < firstToken) low = middle + 1
    else high = middle
  }
  let end = low
  while (end < level.length && (level[end] as CompactionTable).firstToken <= lastToken) end++
  return level.slice(low, end)
}

/** Whether a busy table of a level up to `level` lies over the tokens that the inputs span: what comes out of both could overlap. */
function isCrossed(inputs: readonly CompactionTable[], levels: readonly CompactionTable[][], level: number): boolean {
  if (inputs.some(({ busy }) => busy)) return true
  const { firstToken, lastToken } = spanOf(inputs)
  for (let index = 0; index <= level; index++) {
    for (const other of levels[index] as CompactionTable[]) if (other.busy && other.firstToken <= lastToken && other.lastToken >= firstToken) return true
  }
  return false
}

function spanOf(tables: readonly CompactionTable[]): Span {
  let { firstToken, lastToken } = tables[0] as CompactionTable
  for (const table of tables) {
    if (table.firstToken < firstToken) firstToken = table.firstToken
    if (table.lastToken > lastToken) lastToken = table.lastToken
  }
  return { firstToken, lastToken }
}
