// Bounds and slices of clusterings, for turning restrictions into the slices of a ReadCommand.
//
// A bound is a place between rows: before or after all rows that start with a prefix. With it a slice is simply
// (from, to), inclusive and exclusive are gone, and slices can be intersected, sorted and merged by comparing bounds.
import { Buffer } from "../../runtime/pure.ts"
import type { ClusteringSlice } from "../../data/read-command.ts"
import { encodeClustering } from "../../data/row-format.ts"
import type { TableSchema } from "../../data/schema.ts"

export interface Bound {
  readonly prefix: Buffer
  /** Before (-1) or after (1) the rows that start with the prefix. */
  readonly side: -1 | 1
}

export interface Slice {
  readonly from: Bound
  readonly to: Bound
}

const NO_PREFIX = Buffer.alloc(0)
export const BOTTOM: Bound = { prefix: NO_PREFIX, side: -1 }
export const TOP: Bound = { prefix: NO_PREFIX, side: 1 }
export const EVERYTHING: Slice = { from: BOTTOM, to: TOP }

/** All rows that start with these values. */
export function prefixSlice(values: readonly Uint8Array[]): Slice {
  const prefix = encodeClustering(values)
  return { from: { prefix, side: -1 }, to: { prefix, side: 1 } }
}

export function compareBounds(table: TableSchema, a: Bound, b: Bound): number {
  const order = table.compareClustering(a.prefix, 0, a.prefix.length, b.prefix, 0, b.prefix.length)
  if (order !== 0) return order
  const aSize = componentCount(a.prefix)
  const bSize = componentCount(b.prefix)
  if (aSize === bSize) return a.side - b.side
  // The shorter prefix covers the other bound's rows: it lies before or after all of them.
  return aSize < bSize ? a.side : -b.side
}

function componentCount(prefix: Buffer): number {
  let count = 0
  for (let at = 0; at < prefix.length; count++) at += 4 + prefix.readInt32BE(at)
  return count
}

/** What lies in both lists. REQUIRES: each is sorted and disjoint. */
export function intersectSlices(table: TableSchema, a: readonly Slice[], b: readonly Slice[]): Slice[] {
  const result: Slice[] = []
  for (const x of a) {
    for (const y of b) {
      const from = compareBounds(table, x.from, y.from) >= 0 ? x.from : y.from
      const to = compareBounds(table, x.to, y.to) <= 0 ? x.to : y.to
      if (compareBounds(table, from, to) < 0) result.push({ from, to })
    }
  }
  return result
}

/** Sorted and disjoint: what a ReadCommand wants. Empty slices are dropped, those that touch are joined. */
export function normalizeSlices(table: TableSchema, slices: readonly Slice[]): Slice[] {
  const sorted = slices.filter((slice) => compareBounds(table, slice.from, slice.to) < 0).sort((a, b) => compareBounds(table, a.from, b.from))
  const result: Slice[] = []
  for (const slice of sorted) {
    const last = result.at(-1)
    if (last === undefined || compareBounds(table, last.to, slice.from) < 0) result.push(slice)
    else if (compareBounds(table, last.to, slice.to) < 0) result[result.length - 1] = { from: last.from, to: slice.to }
  }
  return result
}

export function toClusteringSlice(slice: Slice): ClusteringSlice {
  return { start: slice.from.prefix, startInclusive: slice.from.side < 0, end: slice.to.prefix, endInclusive: slice.to.side > 0 }
}

/**
 * The slices in which `columns`, which follow `prefix`, are on the wanted side of `values`, compared as CQL compares
 * tuples: value by value, ignoring CLUSTERING ORDER. Ascending and descending columns may be mixed: then there is a
 * slice for each column on which the comparison can be decided.
 */
export function comparisonSlices(table: TableSchema, prefix: readonly Uint8Array[], values: readonly Uint8Array[], greater: boolean, orEqual: boolean): Slice[] {
  const slices: Slice[] = []
  for (let decided = 0; decided < values.length; decided++) {
    const equal = [...prefix, ...values.slice(0, decided)]
    const column = table.clustering[equal.length]
    const covered = encodeClustering(equal)
    const bound = encodeClustering([...equal, values[decided] as Uint8Array])
    if (greater !== (column?.reversed ?? false)) slices.push({ from: { prefix: bound, side: 1 }, to: { prefix: covered, side: 1 } })
    else slices.push({ from: { prefix: covered, side: -1 }, to: { prefix: bound, side: -1 } })
  }
  if (orEqual) slices.push(prefixSlice([...prefix, ...values]))
  return normalizeSlices(table, slices)
}
