import fc from "fast-check"
import { expect, test } from "vitest"
import { clusteringComparator } from "./comparator.ts"
import { addDisjoint, coveringDeletion, disjointRangeTombstones, firstBehind, firstTouching, tombstoneTouches } from "./range-tombstones.ts"
import type { RangeTombstone } from "./row.ts"
import { encodeClustering } from "./row-format.ts"

// Two int clustering columns, the second in descending order.
const int = { kind: "native", name: "int" } as const
const compare = clusteringComparator([{ type: int, reversed: false }, { type: int, reversed: true }])

function prefix(...values: number[]): Buffer {
  return encodeClustering(values.map((value) => {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(value)
    return bytes
  }))
}

const value = fc.integer({ min: 0, max: 3 })
const bound = fc.oneof(fc.constant(prefix()), value.map((a) => prefix(a)), fc.tuple(value, value).map(([a, b]) => prefix(a, b)))
const tombstone: fc.Arbitrary<RangeTombstone> = fc.record({
  start: bound, startInclusive: fc.boolean(), end: bound, endInclusive: fc.boolean(),
  deletion: fc.record({ timestampHigh: fc.constantFrom(-1, 0), timestampLow: fc.integer({ min: 0, max: 3 }), localDeletionTime: fc.constantFrom(1, 2) }),
})
const POINTS = [0, 1, 2, 3].flatMap((a) => [3, 2, 1, 0].map((b) => prefix(a, b)))

/** The definition: inside by comparing prefixes, nothing else. */
function covers({ start, startInclusive, end, endInclusive }: Omit<RangeTombstone, "deletion">, point: Buffer): boolean {
  const fromStart = start.length === 0 ? 1 : compare(point, 0, point.length, start, 0, start.length)
  const toEnd = end.length === 0 ? -1 : compare(point, 0, point.length, end, 0, end.length)
  return (fromStart > 0 || (fromStart === 0 && startInclusive)) && (toEnd < 0 || (toEnd === 0 && endInclusive))
}

function rank({ deletion }: RangeTombstone): number {
  return deletion.timestampHigh * 1000 + deletion.timestampLow * 10 + deletion.localDeletionTime
}

test("the disjoint form covers every row with the strongest deletion, in order, and is the same for every order of arrival", () => {
  fc.assert(
    fc.property(fc.array(tombstone, { maxLength: 8 }), fc.integer({ min: 0, max: 7 }), (tombstones, turn) => {
      const disjoint = disjointRangeTombstones(tombstones, null, compare)
      for (const point of POINTS) {
        const expected = tombstones.filter((each) => covers(each, point)).toSorted((a, b) => rank(b) - rank(a))[0]
        const inside = disjoint.filter((each) => covers(each, point))
        expect(inside.length).toBe(expected === undefined ? 0 : 1)
        expect(inside[0]?.deletion).toEqual(expected?.deletion)
        expect(coveringDeletion(disjoint, point, 0, point.length, compare)).toEqual(expected?.deletion ?? null)
      }
      const places = disjoint.map((each) => POINTS.findIndex((point) => covers(each, point))).filter((place) => place >= 0)
      expect(places).toEqual(places.toSorted((a, b) => a - b))
      expect(disjointRangeTombstones([...tombstones.slice(turn), ...tombstones.slice(0, turn)], null, compare)).toEqual(disjoint)
      expect(disjointRangeTombstones(disjoint, null, compare)).toEqual(disjoint)
    }),
    { numRuns: 500 },
  )
})

test("what the partition's deletion covers is left out", () => {
  fc.assert(
    fc.property(fc.array(tombstone, { maxLength: 6 }), (tombstones) => {
      const covering = { timestampHigh: 0, timestampLow: 1, localDeletionTime: 1 }
      const stronger = tombstones.filter((each) => rank(each) > 11)
      expect(disjointRangeTombstones(tombstones, covering, compare)).toEqual(disjointRangeTombstones(stronger, null, compare))
    }),
  )
})

test("a tombstone touches a slice when a row could lie in both", () => {
  fc.assert(
    fc.property(tombstone, tombstone, (each, slice) => {
      const common = POINTS.some((point) => covers(each, point) && covers(slice, point))
      // Between two rows of this test there is room for others, which a bound may divide: touching may be more, never less.
      if (common) expect(tombstoneTouches(each, slice, compare)).toBe(true)
    }),
    { numRuns: 500 },
  )
})

test("one more tombstone makes the list that all together make", () => {
  fc.assert(
    fc.property(fc.array(tombstone, { maxLength: 8 }), tombstone, fc.boolean(), (tombstones, added, isCovered) => {
      const covering = isCovered ? { timestampHigh: 0, timestampLow: 1, localDeletionTime: 1 } : null
      const list = disjointRangeTombstones(tombstones, covering, compare)
      addDisjoint(list, added, covering, compare)
      expect(list).toEqual(disjointRangeTombstones([...tombstones, added], covering, compare))
    }),
    { numRuns: 1000 },
  )
})

test("of disjoint tombstones, those that touch a slice lie together", () => {
  fc.assert(
    fc.property(fc.array(tombstone, { maxLength: 8 }), tombstone, (tombstones, slice) => {
      const disjoint = disjointRangeTombstones(tombstones, null, compare)
      const touching = disjoint.filter((each) => tombstoneTouches(each, slice, compare))
      expect(disjoint.slice(firstTouching(disjoint, slice, compare), Math.max(firstTouching(disjoint, slice, compare), firstBehind(disjoint, slice, compare)))).toEqual(touching)
    }),
    { numRuns: 500 },
  )
})
