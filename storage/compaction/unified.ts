// Unified: one strategy between tiered and leveled, chosen level by level with scaling_parameters, and sharded: outputs are
// cut at fixed tokens, so that large data are many tables of about target_sstable_size that are compacted one by one.
//
// A table's level is that of its density: its size divided by the share of the token ring that it covers. Each level is
// fan-out times as dense as the one before; a scaling parameter W >= 0 (Tn: n = W + 2) waits for n tables over one token
// before it merges them, W < 0 (Ln: n = 2 - W) merges as soon as two are there.
//
// 1. In each level the tables that can meet in some token are looked at together. Where as many as the level waits for lie
//    over one token, they are merged, with those that overlap them as overlap_inclusion_method says.
// 2. Of several such groups the one with most tables over one token comes first.
// 3. The outputs are cut into the number of shards that suits their density: more data, more shards, by a power of two.
import type { UnifiedOptions } from "./compaction-options.ts"
import { type Choice, type CompactionTable, compareBigInt, merge, overlap, totalBytes } from "./choice.ts"

const RING = 2 ** 64
const FIRST_TOKEN = -(2n ** 63n)
/** A table that covers less of the ring has too few partitions for its tokens to say anything: it counts as covering all. */
const LEAST_COVERED = 2 ** -48
const MAX_LEVELS = 32
const MAX_SHARDS = 1 << 16

/** Bytes per full ring of tokens. */
export function densityOf(tables: readonly CompactionTable[]): number {
  const first = tables.reduce((least, { firstToken }) => (firstToken < least ? firstToken : least), (tables[0] as CompactionTable).firstToken)
  const last = tables.reduce((most, { lastToken }) => (lastToken > most ? lastToken : most), first)
  const covered = Number(last - first) / RING
  return totalBytes(tables) / (covered < LEAST_COVERED ? 1 : covered)
}

function fanOut(scaling: number): number {
  return scaling < 0 ? 2 - scaling : 2 + scaling
}
/** So many tables over one token are merged. */
function threshold(scaling: number): number {
  return scaling <= 0 ? 2 : 2 + scaling
}
export function scalingOfLevel(level: number, options: UnifiedOptions): number {
  return options.scaling[Math.min(level, options.scaling.length - 1)] as number
}

export function levelOfDensity(density: number, options: UnifiedOptions, flushBytes: number): number {
  let most = options.flushBytes ?? flushBytes
  for (let level = 0; level < MAX_LEVELS; level++) {
    most *= fanOut(scalingOfLevel(level, options))
    if (density < most) return level
  }
  return MAX_LEVELS
}

/** Into how many parts of the ring outputs of this density are cut; a power of two times base_shard_count, or less for little data. */
export function shardsOf(density: number, options: UnifiedOptions): number {
  const { baseShards, minBytes, targetBytes, growth } = options
  if (minBytes > 0) {
    const most = density / minBytes
    if (most < baseShards) return Math.max(1, Math.min(powerOfTwo(most), baseShards & -baseShards))
  }
  // From 0.7 to 1.4 of the target.
  const wanted = density / (targetBytes * Math.SQRT1_2 * baseShards)
  return Math.min(baseShards * powerOfTwo(wanted ** (1 - growth)), MAX_SHARDS)
}

function powerOfTwo(value: number): number {
  return value < 2 ? 1 : 2 ** Math.floor(Math.log2(value))
}

/** The tokens at which the shards behind the first one begin. */
export function shardBoundaries(shards: number): bigint[] {
  return Array.from({ length: shards - 1 }, (_, index) => FIRST_TOKEN + (BigInt(index + 1) << 64n) / BigInt(shards))
}

/** Sets of tables that lie over one token, none within another; by token. */
export function overlapSets(tables: readonly CompactionTable[]): CompactionTable[][] {
  const sets: CompactionTable[][] = []
  let open: CompactionTable[] = []
  let grew = false
  for (const table of tables.toSorted((a, b) => compareBigInt(a.firstToken, b.firstToken) || a.number - b.number)) {
    const left = open.filter(({ lastToken }) => lastToken >= table.firstToken)
    if (left.length < open.length && grew) {
      sets.push(open)
      grew = false
    }
    open = [...left, table]
    grew = true
  }
  if (grew) sets.push(open)
  return sets
}

interface Group {
  /** The most tables over one token. */
  readonly depth: number
  readonly tables: readonly CompactionTable[]
  readonly level: number
}

export function chooseUnified(tables: readonly CompactionTable[], options: UnifiedOptions, flushBytes: number): Choice | null {
  const levels = new Map<number, CompactionTable[]>()
  for (const table of tables) {
    if (table.busy) continue
    const level = levelOfDensity(densityOf([table]), options, flushBytes)
    levels.set(level, [...(levels.get(level) ?? []), table])
  }
  let best: Group | null = null
  for (const [level, members] of [...levels].toSorted(([a], [b]) => a - b)) {
    for (const group of groupsOf(members, level, options)) if (best === null || group.depth > best.depth) best = group
  }
  if (best === null) return null
  const chosen = limited(best, options)
  return merge(`unified level ${best.level}`, chosen, { boundaries: shardBoundaries(shardsOf(densityOf(chosen), options)) })
}

function groupsOf(members: readonly CompactionTable[], level: number, options: UnifiedOptions): Group[] {
  const least = threshold(scalingOfLevel(level, options))
  const sets = overlapSets(members)
  return sets.filter((set) => set.length >= least).map((set) => ({ depth: set.length, level, tables: included(set, sets, options) }))
}

/** The set with those that share tables with it: NONE, SINGLE (directly), TRANSITIVE (and so on). */
function included(set: readonly CompactionTable[], sets: readonly CompactionTable[][], options: UnifiedOptions): CompactionTable[] {
  const taken = new Set(set)
  if (options.overlapInclusion === "NONE") return [...taken]
  for (;;) {
    const before = taken.size
    const base = [...taken]
    for (const other of sets) if (other.some((table) => base.includes(table))) for (const table of other) taken.add(table)
    if (taken.size === before || options.overlapInclusion === "SINGLE") return [...taken]
  }
}

/** Oldest first, as many as allowed; at least as many as make progress. */
function limited(group: Group, options: UnifiedOptions): CompactionTable[] {
  const byAge = group.tables.toSorted((a, b) => compareBigInt(a.maxTimestamp, b.maxTimestamp) || a.number - b.number)
  if (options.maxTables === 0 || byAge.length <= options.maxTables) return byAge
  const most = Math.max(options.maxTables, 2)
  const chosen = byAge.slice(0, most)
  // Tables that lie nowhere over each other would only be copied.
  return chosen.some((a) => chosen.some((b) => a !== b && overlap(a, b))) ? chosen : byAge
}
