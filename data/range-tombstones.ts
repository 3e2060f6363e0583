// Range tombstones of one partition as a sorted list of disjoint ranges: what reads, merges and digests work with.
//
// A bound stands between rows: (prefix, side), side -1 before every row that starts with the prefix, +1 behind them.
// An empty start is before everything, an empty end behind everything. Of overlapping tombstones the stronger deletion
// holds in each part; neighbours with the same deletion are joined, so that equal sets of tombstones give equal lists.
import { Buffer } from "../runtime/pure.ts"
import type { Deletion, RangeTombstone } from "./row.ts"

export type CompareClustering = (a: Uint8Array, aFrom: number, aTo: number, b: Uint8Array, bFrom: number, bTo: number) => number

/** Higher timestamp, then later local deletion time. */
export function compareDeletions(a: Deletion, b: Deletion): number {
  return a.timestampHigh - b.timestampHigh || a.timestampLow - b.timestampLow || a.localDeletionTime - b.localDeletionTime
}

/** The stronger of two deletions. */
export function strongerDeletion(a: Deletion | null, b: Deletion | null): Deletion | null {
  if (a === null) return b
  if (b === null) return a
  return compareDeletions(a, b) >= 0 ? a : b
}

interface Bound {
  readonly prefix: Uint8Array
  /** -1 before the rows of the prefix, +1 behind them. */
  readonly side: number
}

function componentsOf(prefix: Uint8Array): number {
  const bytes = Buffer.from(prefix.buffer, prefix.byteOffset, prefix.byteLength)
  let count = 0
  for (let at = 0; at < bytes.length; at += 4 + bytes.readInt32BE(at)) count++
  return count
}

function compareBounds(a: Bound, b: Bound, compare: CompareClustering): number {
  const order = compare(a.prefix, 0, a.prefix.length, b.prefix, 0, b.prefix.length)
  if (order !== 0) return order
  const aComponents = componentsOf(a.prefix)
  const bComponents = componentsOf(b.prefix)
  // The shorter prefix holds the longer one's rows: its side decides.
  if (aComponents < bComponents) return a.side
  if (aComponents > bComponents) return -b.side
  return a.side - b.side
}

/** Order of a clustering (or longer prefix) and a bound: never 0. */
export function compareToBound(clustering: Uint8Array, from: number, to: number, prefix: Uint8Array, side: number, compare: CompareClustering): number {
  if (prefix.length === 0) return -side
  return compare(clustering, from, to, prefix, 0, prefix.length) || -side
}

function startBound(tombstone: RangeTombstone): Bound {
  return { prefix: tombstone.start, side: tombstone.start.length === 0 || tombstone.startInclusive ? -1 : 1 }
}
function endBound(tombstone: RangeTombstone): Bound {
  return { prefix: tombstone.end, side: tombstone.end.length === 0 || tombstone.endInclusive ? 1 : -1 }
}

interface Edge {
  readonly bound: Bound
  readonly opens: boolean
  readonly tombstone: RangeTombstone
}

/**
 * The disjoint form of the tombstones, in clustering order. Tombstones that are empty or not stronger than `covering`
 * (the partition's deletion) are dropped.
 */
export function disjointRangeTombstones(tombstones: readonly RangeTombstone[], covering: Deletion | null, compare: CompareClustering): RangeTombstone[] {
  if (areApart(tombstones, covering, compare)) return [...tombstones]
  const edges: Edge[] = []
  for (const tombstone of tombstones) {
    if (covering !== null && compareDeletions(tombstone.deletion, covering) <= 0) continue
    const start = startBound(tombstone)
    const end = endBound(tombstone)
    if (compareBounds(start, end, compare) >= 0) continue
    edges.push({ bound: start, opens: true, tombstone }, { bound: end, opens: false, tombstone })
  }
  edges.sort((a, b) => compareBounds(a.bound, b.bound, compare))
  const result: RangeTombstone[] = []
  // Open tombstones, the strongest last.
  const open: RangeTombstone[] = []
  let since: Bound | null = null
  for (let index = 0; index < edges.length; ) {
    const bound = (edges[index] as Edge).bound
    const before = open.at(-1)?.deletion ?? null
    for (; index < edges.length && compareBounds((edges[index] as Edge).bound, bound, compare) === 0; index++) toggle(open, edges[index] as Edge)
    const now = open.at(-1)?.deletion ?? null
    if (before !== null && now !== null && compareDeletions(before, now) === 0) continue
    if (before !== null && since !== null) result.push(makeTombstone(since, bound, before))
    since = bound
  }
  return result
}

/** In order, none empty or too weak, none meeting the next: as a list from an SSTable is, which needs no sorting then. */
function areApart(tombstones: readonly RangeTombstone[], covering: Deletion | null, compare: CompareClustering): boolean {
  let behind: Bound | null = null
  for (const tombstone of tombstones) {
    const start = startBound(tombstone)
    const end = endBound(tombstone)
    if (behind !== null && compareBounds(behind, start, compare) >= 0) return false
    if (compareBounds(start, end, compare) >= 0) return false
    // Open bounds have one form in a list.
    if ((tombstone.start.length === 0 && !tombstone.startInclusive) || (tombstone.end.length === 0 && !tombstone.endInclusive)) return false
    if (covering !== null && compareDeletions(tombstone.deletion, covering) <= 0) return false
    behind = end
  }
  return true
}

function toggle(open: RangeTombstone[], edge: Edge): void {
  if (!edge.opens) {
    open.splice(open.indexOf(edge.tombstone), 1)
    return
  }
  let at = open.length
  while (at > 0 && compareDeletions((open[at - 1] as RangeTombstone).deletion, edge.tombstone.deletion) > 0) at--
  open.splice(at, 0, edge.tombstone)
}

function makeTombstone(start: Bound, end: Bound, deletion: Deletion): RangeTombstone {
  // One form for an open bound, so that equal ranges have equal bytes.
  return {
    start: start.prefix,
    startInclusive: start.side < 0,
    end: end.prefix,
    endInclusive: end.side > 0,
    deletion,
  }
}

/** The deletion of the tombstone that covers the clustering, or null. REQUIRES: `tombstones` as `disjointRangeTombstones` gives them. */
export function coveringDeletion(tombstones: readonly RangeTombstone[], clustering: Uint8Array, from: number, to: number, compare: CompareClustering): Deletion | null {
  let low = 0
  let high = tombstones.length
  // The first tombstone whose end is behind the clustering.
  while (low < high) {
    const middle = (low + high) >>> 1
    const { prefix, side } = endBound(tombstones[middle] as RangeTombstone)
    if (compareToBound(clustering, from, to, prefix, side, compare) > 0) low = middle + 1
    else high = middle
  }
  const candidate = tombstones[low]
  if (candidate === undefined) return null
  const { prefix, side } = startBound(candidate)
  return compareToBound(clustering, from, to, prefix, side, compare) > 0 ? candidate.deletion : null
}

/** Whether the tombstone touches a slice `(start, end)` of rows; bounds as in ClusteringSlice. */
export function tombstoneTouches(tombstone: RangeTombstone, slice: Slice, compare: CompareClustering): boolean {
  return compareBounds(startBound(tombstone), sliceEnd(slice), compare) < 0 && compareBounds(sliceStart(slice), endBound(tombstone), compare) < 0
}

/** Of disjoint tombstones, the index of the first that touches a slice of rows. */
export function firstTouching(tombstones: readonly RangeTombstone[], slice: Slice, compare: CompareClustering): number {
  return firstIndex(tombstones, (tombstone) => compareBounds(sliceStart(slice), endBound(tombstone), compare) < 0)
}

/** The index of the first that lies behind the slice. */
export function firstBehind(tombstones: readonly RangeTombstone[], slice: Slice, compare: CompareClustering): number {
  return firstIndex(tombstones, (tombstone) => compareBounds(startBound(tombstone), sliceEnd(slice), compare) >= 0)
}

/** Adds a tombstone to a list that `disjointRangeTombstones` gave for `covering`: the list becomes what it would give with it. Costs no more than what it overlaps. */
export function addDisjoint(tombstones: RangeTombstone[], added: RangeTombstone, covering: Deletion | null, compare: CompareClustering): void {
  const start = startBound(added)
  const end = endBound(added)
  // Neighbours that it meets are among them: they may join.
  const from = firstIndex(tombstones, (tombstone) => compareBounds(start, endBound(tombstone), compare) <= 0)
  const to = firstIndex(tombstones, (tombstone) => compareBounds(startBound(tombstone), end, compare) > 0)
  if (to < from) return
  tombstones.splice(from, to - from, ...disjointRangeTombstones([...tombstones.slice(from, to), added], covering, compare))
}

interface Slice {
  readonly start: Uint8Array
  readonly startInclusive: boolean
  readonly end: Uint8Array
  readonly endInclusive: boolean
}

function sliceStart(slice: Slice): Bound {
  return { prefix: slice.start, side: slice.start.length === 0 || slice.startInclusive ? -1 : 1 }
}
function sliceEnd(slice: Slice): Bound {
  return { prefix: slice.end, side: slice.end.length === 0 || slice.endInclusive ? 1 : -1 }
}

/** The index of the first tombstone for which the test holds, as it does for all behind it. */
function firstIndex(tombstones: readonly RangeTombstone[], holds: (tombstone: RangeTombstone) => boolean): number {
  let low = 0
  let high = tombstones.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (holds(tombstones[middle] as RangeTombstone)) high = middle
    else low = middle + 1
  }
  return low
}
