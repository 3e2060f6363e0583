import { expect, test } from "vitest"
import { disjointRangeTombstones } from "../../data/range-tombstones.ts"
import type { Deletion, RangeTombstone } from "../../data/row.ts"
import type { PartitionSource } from "./partition-source.ts"
import { RangeTombstoneCache } from "./range-tombstone-cache.ts"
import { clusteringOf, deletionAt, testTable } from "../testing.ts"

const TABLE = testTable()
const MANY = 400

function tombstone(start: number, end: number, timestamp: number): RangeTombstone {
  return { start: clusteringOf(start), startInclusive: true, end: clusteringOf(end), endInclusive: false, deletion: deletionAt(timestamp) }
}

/** A source that counts how often everything is read. */
class Source {
  readonly tombstones: RangeTombstone[] = []
  era = 0
  wholeReads = 0
  get tombstoneStamp() {
    return { owner: this, place: 7, era: this.era, count: this.tombstones.length }
  }
  addRangeTombstones(into: RangeTombstone[]): void {
    this.wholeReads++
    into.push(...this.tombstones)
  }
  addNewestRangeTombstones(into: RangeTombstone[], most: number): void {
    into.push(...this.tombstones.slice(this.tombstones.length - most))
  }
}

function manyOf(timestamp: number): Source {
  const source = new Source()
  for (let index = 0; index < MANY; index++) source.tombstones.push(tombstone(10 * index, 10 * index + 5, timestamp))
  return source
}

function check(cache: RangeTombstoneCache, sources: readonly Source[], deletion: Deletion | null = null): void {
  const all = sources.flatMap(({ tombstones }) => tombstones)
  expect(cache.of(sources as unknown as PartitionSource[], deletion, TABLE)).toEqual(disjointRangeTombstones(all, deletion, TABLE.compareClustering))
}

test("the same list is not made twice, and takes on what comes", () => {
  const cache = new RangeTombstoneCache()
  const sources = [manyOf(1), manyOf(2)]
  for (let round = 0; round < 20; round++) {
    check(cache, sources)
    sources[0]!.tombstones.push(tombstone(37 * round, 37 * round + 60, round))
  }
  check(cache, sources)
  expect(sources.map(({ wholeReads }) => wholeReads)).toEqual([1, 1])
})

test("another era, another deletion or another source: made anew", () => {
  const cache = new RangeTombstoneCache()
  const sources = [manyOf(5)]
  check(cache, sources)
  sources[0]!.era++
  sources[0]!.tombstones.splice(0, 100)
  check(cache, sources)
  check(cache, sources, deletionAt(3))
  check(cache, sources, deletionAt(9))
  expect(sources[0]!.wholeReads).toBe(4)
  check(cache, [manyOf(6)])
  check(cache, [sources[0]!])
  expect(sources[0]!.wholeReads).toBe(4)
  check(cache, [manyOf(6), manyOf(7), sources[0]!])
  expect(sources[0]!.wholeReads).toBe(5)
})

test("what a new source has is added", () => {
  const cache = new RangeTombstoneCache()
  const old = manyOf(5)
  check(cache, [old])
  const young = new Source()
  young.tombstones.push(tombstone(3, 33, 7))
  check(cache, [young, old])
  young.tombstones.push(tombstone(100, 303, 2))
  check(cache, [young, old])
  expect(old.wholeReads).toBe(1)
})

test("lists have bytes of their own", () => {
  const cache = new RangeTombstoneCache()
  const source = manyOf(1)
  check(cache, [source])
  const expected = disjointRangeTombstones(source.tombstones.map((each) => ({ ...each, start: Buffer.from(each.start), end: Buffer.from(each.end) })), null, TABLE.compareClustering)
  for (const { start, end } of source.tombstones) {
    start.fill(0xee)
    end.fill(0xee)
  }
  expect(cache.of([source] as unknown as PartitionSource[], null, TABLE)).toEqual(expected)
})

test("short lists and lists of too many partitions are not kept", () => {
  const cache = new RangeTombstoneCache()
  const short = new Source()
  short.tombstones.push(tombstone(1, 2, 3))
  check(cache, [short])
  check(cache, [short])
  expect(short.wholeReads).toBe(2)
  const first = manyOf(1)
  check(cache, [first])
  for (let other = 0; other < 4; other++) check(cache, [manyOf(other)])
  check(cache, [first])
  expect(first.wholeReads).toBe(2)
  cache.clear()
  check(cache, [first])
  expect(first.wholeReads).toBe(3)
})
