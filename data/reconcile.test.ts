// The laws of docs/reconcile.md, by their numbers.
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { Buffer } from "../runtime/pure.ts"
import { ByteReader } from "./bytes.ts"
import { clusteringComparator } from "./comparator.ts"
import { compareDeletions, coveringDeletion as coveringRange, disjointRangeTombstones, strongerDeletion } from "./range-tombstones.ts"
import { compareCellPlaces, compareCells, compareMarkers, isLive, mergeRows, removes, rowDifference } from "./reconcile.ts"
import { CELL_KIND, type Cell, type Deletion, type RangeTombstone, type Row } from "./row.ts"
import { decodeRow, rowBytes } from "./row-format.ts"
import { nativeType } from "./types/type-name.ts"
import { arbitraryClustering, arbitraryDeletion, arbitraryRangeTombstone, arbitraryRow } from "./testdata/arbitrary-rows.ts"

const row = arbitraryRow()
const rows = fc.array(row, { minLength: 1, maxLength: 5 })
const covering = fc.option(arbitraryDeletion, { freq: 3 })

const text = (merged: Row | null): string => (merged === null ? "nothing" : rowBytes(merged).toString("hex"))

/** Merges by a random tree of merges. */
function mergeGrouped(parts: readonly Row[], random: () => number): Row | null {
  const pool = [...parts]
  while (pool.length > 1) {
    const count = 2 + Math.floor(random() * (pool.length - 1))
    const at = Math.floor(random() * (pool.length - count + 1))
    const merged = mergeRows(pool.slice(at, at + count), null)
    pool.splice(at, count, ...(merged === null ? [] : [merged]))
  }
  return pool[0] === undefined ? null : mergeRows([pool[0]], null)
}

const randomness = fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })).map((stream) => () => stream.next().value as number)

describe("laws", () => {
  test("M1 commutative: the order of versions does not matter", () => {
    fc.assert(
      fc.property(rows.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))), covering, ([list, shuffled], over) => {
        expect(text(mergeRows(shuffled, over))).toBe(text(mergeRows(list, over)))
      }),
      { numRuns: 500 },
    )
  })

  test("M2 associative: nor does their grouping", () => {
    fc.assert(
      fc.property(rows, randomness, (list, random) => {
        expect(text(mergeGrouped(list, random))).toBe(text(mergeRows(list, null)))
      }),
      { numRuns: 500 },
    )
  })

  test("M3 idempotent: a version counts once", () => {
    fc.assert(
      fc.property(rows, covering, (list, over) => {
        const merged = mergeRows(list, over)
        expect(text(mergeRows([...list, ...list], over))).toBe(text(merged))
        if (merged !== null) expect(text(mergeRows([merged, ...list], over))).toBe(text(merged))
      }),
    )
  })

  test("M4 canonical: merged rows that say the same have the same bytes, also through the format", () => {
    fc.assert(
      fc.property(rows, (list) => {
        const merged = mergeRows(list, null)
        if (merged === null) return
        const again = decodeRow(new ByteReader(rowBytes(merged)))
        expect(text(again)).toBe(text(merged))
        expect(text(mergeRows([again], null))).toBe(text(merged))
      }),
    )
  })

  test("M5 a covering deletion is like one of the row, but is not part of the result", () => {
    fc.assert(
      fc.property(rows, arbitraryDeletion, (list, over) => {
        const first = list[0] as Row
        const inside = mergeRows([...list, { ...first, marker: null, deletion: over, complexDeletions: [], cells: [] }], null) as Row
        const outside = mergeRows(list, over)
        const deletion = inside.deletion as Deletion
        const expected = { ...inside, deletion: compareDeletions(deletion, over) > 0 ? deletion : null }
        expect(text(outside)).toBe(expected.deletion === null && expected.marker === null && expected.cells.length === 0 && expected.complexDeletions.length === 0 ? "nothing" : text(expected))
      }),
    )
  })

  test("M6 nothing that is removed stays, and the rest stays", () => {
    fc.assert(
      fc.property(rows, covering, (list, over) => {
        const merged = mergeRows(list, over)
        const strongest = list.reduce<Deletion | null>((deletion, item) => strongerDeletion(deletion, item.deletion), over)
        const complexOf = (column: number): Deletion | null =>
          list.flatMap((item) => item.complexDeletions).filter((item) => item.column === column).reduce<Deletion | null>((deletion, item) => strongerDeletion(deletion, item.deletion), null)
        const survivors = list
          .flatMap((item) => item.cells)
          .filter((cell) => !removes(strongest, cell.timestampHigh, cell.timestampLow) && !(cell.path !== null && removes(complexOf(cell.column), cell.timestampHigh, cell.timestampLow)))
        const greatest = survivors.filter((cell) => survivors.every((other) => compareCellPlaces(cell, other) !== 0 || compareCells(cell, other) >= 0))
        for (const cell of greatest) expect(merged?.cells.some((kept) => compareCellPlaces(kept, cell) === 0 && compareCells(kept, cell) === 0)).toBe(true)
        for (const kept of merged?.cells ?? []) expect(greatest.some((cell) => compareCellPlaces(kept, cell) === 0 && compareCells(kept, cell) === 0)).toBe(true)
        const markers = list.flatMap((item) => (item.marker !== null && !removes(strongest, item.marker.timestampHigh, item.marker.timestampLow) ? [item.marker] : []))
        expect(merged?.marker ?? null).toEqual(markers.toSorted(compareMarkers).at(-1) ?? null)
      }),
    )
  })

  test("M7 a single version of which nothing is removed is the result itself", () => {
    fc.assert(
      fc.property(rows, covering, (list, over) => {
        const merged = mergeRows(list, over)
        if (merged !== null) {
          expect(mergeRows([merged], null)).toBe(merged)
          expect(mergeRows([merged], over)).toBe(merged)
        }
      }),
    )
  })

  test("M8 the order of cells is total, and 0 means equal", () => {
    const cell = row.filter((item) => item.cells.length > 0).map((item) => item.cells[0] as Cell)
    fc.assert(
      fc.property(cell, cell, cell, (a, b, c) => {
        const [x, y, z] = [a, b, c].toSorted(compareCells) as [Cell, Cell, Cell]
        expect(compareCells(x, z)).toBeLessThanOrEqual(0)
        expect(compareCells(x, y)).toBeLessThanOrEqual(0)
        expect(Math.sign(compareCells(a, b)) + Math.sign(compareCells(b, a))).toBe(0)
        if (compareCells(a, b) === 0) expect({ ...a, column: 0, path: null }).toEqual({ ...b, column: 0, path: null })
      }),
    )
  })

  test("M9 the difference is what lacks: no more, no less", () => {
    fc.assert(
      fc.property(row, rows, (raw, others) => {
        const existing = mergeRows([raw], null)
        if (existing === null) return
        const merged = mergeRows([existing, ...others], null) as Row
        const difference = rowDifference(merged, existing)
        expect(text(mergeRows(difference === null ? [existing] : [existing, difference], null))).toBe(text(merged))
        expect(difference === null).toBe(text(existing) === text(merged))
        expect(rowDifference(merged, merged)).toBeNull()
        expect(rowDifference(merged, null)).toBe(merged)
      }),
      { numRuns: 1000 },
    )
  })

  test("M10 versions are not changed, and their bytes are not copied", () => {
    fc.assert(
      fc.property(rows, covering, (list, over) => {
        const before = list.map(text)
        const values = new Set(list.flatMap((item) => item.cells.map((cell) => cell.value)))
        const merged = mergeRows(list, over)
        expect(list.map(text)).toEqual(before)
        for (const cell of merged?.cells ?? []) expect(values.has(cell.value)).toBe(true)
      }),
    )
  })
})

describe("which version wins", () => {
  const base: Cell = { column: 1, path: null, kind: CELL_KIND.plain, timestampHigh: 0, timestampLow: 5, ttlSeconds: 0, expiresAt: 0, value: Buffer.from("m") }
  const order: readonly (readonly [string, Cell])[] = [
    ["plain, smaller value", { ...base, value: Buffer.from("a") }],
    ["plain, larger value", { ...base, value: Buffer.from("b") }],
    ["plain, longer value", { ...base, value: Buffer.from("ba") }],
    ["plain, value with a high byte", { ...base, value: Buffer.from([0xff]) }],
    ["expiring", { ...base, kind: CELL_KIND.expiring, ttlSeconds: 9, expiresAt: 100, value: Buffer.from("z") }],
    ["expiring later, whatever its value", { ...base, kind: CELL_KIND.expiring, ttlSeconds: 1, expiresAt: 101, value: Buffer.from("a") }],
    ["expiring at the same time, larger value", { ...base, kind: CELL_KIND.expiring, ttlSeconds: 1, expiresAt: 101, value: Buffer.from("b") }],
    ["expiring with the larger TTL", { ...base, kind: CELL_KIND.expiring, ttlSeconds: 2, expiresAt: 101, value: Buffer.from("b") }],
    ["tombstone", { ...base, kind: CELL_KIND.tombstone, expiresAt: 1, value: null }],
    ["tombstone of a later time", { ...base, kind: CELL_KIND.tombstone, expiresAt: 2, value: null }],
    ["higher timestamp", { ...base, timestampLow: 6, value: Buffer.from("a") }],
    ["timestamp over 2^53", { ...base, timestampHigh: 0x7fffffff, timestampLow: 1, value: Buffer.from("a") }],
    ["and one more", { ...base, timestampHigh: 0x7fffffff, timestampLow: 2, value: Buffer.from("a") }],
  ]
  test.each(order.slice(1).map(([name, cell], index) => [name, order[index]?.[0] as string, cell, order[index]?.[1] as Cell] as const))("%s over %s", (_name, _other, greater, less) => {
    const make = (cell: Cell): Row => ({ isStatic: false, clustering: Buffer.alloc(0), marker: null, deletion: null, complexDeletions: [], cells: [cell] })
    expect(mergeRows([make(less), make(greater)], null)?.cells).toEqual([greater])
    expect(mergeRows([make(greater), make(less)], null)?.cells).toEqual([greater])
  })

  test("an expired cell still hides the older value", () => {
    const expired: Row = { isStatic: false, clustering: Buffer.alloc(0), marker: null, deletion: null, complexDeletions: [], cells: [{ ...base, timestampLow: 9, kind: CELL_KIND.expiring, ttlSeconds: 1, expiresAt: 10 }] }
    const older: Row = { ...expired, cells: [base] }
    const merged = mergeRows([older, expired], null) as Row
    expect(isLive(merged, 9)).toBe(true)
    expect(isLive(merged, 10)).toBe(false)
  })

  test("a deletion at the timestamp of the write wins", () => {
    const written: Row = { isStatic: false, clustering: Buffer.alloc(0), marker: { timestampHigh: 0, timestampLow: 5, ttlSeconds: 0, expiresAt: 0 }, deletion: null, complexDeletions: [], cells: [base] }
    expect(mergeRows([written], { timestampHigh: 0, timestampLow: 5, localDeletionTime: 1 })).toBeNull()
    expect(mergeRows([written], { timestampHigh: 0, timestampLow: 4, localDeletionTime: 1 })).toBe(written)
  })
})

describe("M11 range tombstones", () => {
  const compare = clusteringComparator([{ type: nativeType("int"), reversed: false }, { type: nativeType("int"), reversed: true }])
  /** Straight from the definition. */
  const covers = (tombstone: RangeTombstone, place: Buffer): boolean => {
    const start = compare(place, 0, place.length, tombstone.start, 0, tombstone.start.length)
    const end = compare(place, 0, place.length, tombstone.end, 0, tombstone.end.length)
    const afterStart = tombstone.start.length === 0 || start > 0 || (start === 0 && tombstone.startInclusive)
    const beforeEnd = tombstone.end.length === 0 || end < 0 || (end === 0 && tombstone.endInclusive)
    return afterStart && beforeEnd
  }
  const strongest = (list: readonly RangeTombstone[], place: Buffer): Deletion | null =>
    list.filter((tombstone) => covers(tombstone, place)).reduce<Deletion | null>((deletion, tombstone) => strongerDeletion(deletion, tombstone.deletion), null)

  const lists = fc.array(arbitraryRangeTombstone, { maxLength: 6 })

  test("the disjoint list deletes exactly what the tombstones delete", () => {
    fc.assert(
      fc.property(lists, fc.array(arbitraryClustering, { minLength: 1, maxLength: 8 }), (list, places) => {
        const merged = disjointRangeTombstones(list, null, compare)
        merged.forEach((tombstone, index) => {
          const next = merged[index + 1]
          const touches = next !== undefined && Buffer.compare(tombstone.end, next.start) === 0 && tombstone.endInclusive !== next.startInclusive
          if (touches) expect(tombstone.deletion).not.toEqual(next.deletion)
        })
        for (const place of places) {
          expect(coveringRange(merged, place, 0, place.length, compare)).toEqual(strongest(list, place))
          expect(merged.filter((tombstone) => covers(tombstone, place)).length).toBeLessThanOrEqual(1)
        }
      }),
      { numRuns: 1000 },
    )
  })

  test("any order and any grouping give the same list", () => {
    fc.assert(
      fc.property(lists.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }), fc.nat(6))), ([list, shuffled, cut]) => {
        const merged = disjointRangeTombstones(list, null, compare)
        expect(disjointRangeTombstones(shuffled, null, compare)).toEqual(merged)
        const grouped = [...disjointRangeTombstones(shuffled.slice(0, cut), null, compare), ...disjointRangeTombstones(shuffled.slice(cut), null, compare)]
        expect(disjointRangeTombstones(grouped, null, compare)).toEqual(merged)
      }),
      { numRuns: 500 },
    )
  })

  test("what a partition deletion covers is left out", () => {
    fc.assert(
      fc.property(lists, arbitraryDeletion, fc.array(arbitraryClustering, { minLength: 1, maxLength: 8 }), (list, deletion, places) => {
        const merged = disjointRangeTombstones(list, deletion, compare)
        for (const tombstone of merged) expect(compareDeletions(tombstone.deletion, deletion)).toBeGreaterThan(0)
        for (const place of places) {
          expect(strongerDeletion(coveringRange(merged, place, 0, place.length, compare), deletion)).toEqual(strongerDeletion(strongest(list, place), deletion))
        }
      }),
    )
  })
})
