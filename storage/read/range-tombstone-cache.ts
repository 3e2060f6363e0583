// The disjoint range tombstones of partitions that have very many. Reading, decoding and sorting a hundred thousand of them
// takes a tenth of a second; a page or a single row of such a partition must not cost that each time.
//
// 1. What a list was made of is told by the stamps of its sources (partition-source.ts) and the partition's deletion. The same
//    stamps: the list as it is. Some more since, in one of the sources or in a new one: these are added, where they belong.
// 2. Anything else, as after a flush, makes it anew.
// 3. The lists have bytes of their own, since blocks and slabs go their ways. A few partitions are kept, with so many
//    tombstones together (some 300 bytes each).
//
// Partitions with few range tombstones are not kept: making their list costs less than looking for it.
import { Buffer } from "../../runtime/pure.ts"
import { addDisjoint, compareDeletions, disjointRangeTombstones } from "../../data/range-tombstones.ts"
import type { Deletion, RangeTombstone } from "../../data/row.ts"
import type { TableSchema } from "../../data/schema.ts"
import type { PartitionSource, TombstoneStamp } from "./partition-source.ts"

const FEW = 256
const MOST_LISTS = 4
const MOST_TOMBSTONES = 500_000

interface CachedList {
  stamps: readonly TombstoneStamp[]
  readonly deletion: Deletion | null
  readonly tombstones: RangeTombstone[]
}

/** As `disjointRangeTombstones`, of all sources. */
export function disjointTombstonesOf(sources: readonly PartitionSource[], deletion: Deletion | null, table: TableSchema): RangeTombstone[] {
  const all: RangeTombstone[] = []
  for (const source of sources) source.addRangeTombstones(all)
  return disjointRangeTombstones(all, deletion, table.compareClustering)
}

export class RangeTombstoneCache {
  /** The one used last is the last. */
  readonly #lists: CachedList[] = []

  /** The disjoint range tombstones of the sources, valid until the next call. REQUIRES: each has some. */
  of(sources: readonly PartitionSource[], deletion: Deletion | null, table: TableSchema): readonly RangeTombstone[] {
    if (this.#lists.length > 0) {
      const stamps = sources.map((source) => source.tombstoneStamp)
      const index = this.#lists.findIndex((list) => sameDeletion(list.deletion, deletion) && areOfOne(list.stamps, stamps))
      if (index >= 0) return this.#bring(index, sources, stamps, table)
    }
    const tombstones = disjointTombstonesOf(sources, deletion, table)
    if (tombstones.length < FEW || tombstones.length > MOST_TOMBSTONES) return tombstones
    const list = { stamps: sources.map((source) => source.tombstoneStamp), deletion, tombstones: tombstones.map(ownTombstone) }
    this.#lists.push(list)
    let total = this.#lists.reduce((sum, each) => sum + each.tombstones.length, 0)
    while (this.#lists.length > MOST_LISTS || total > MOST_TOMBSTONES) total -= this.#lists.shift()?.tombstones.length ?? 0
    return list.tombstones
  }

  clear(): void {
    this.#lists.length = 0
  }

  /** Adds what is new to the list. */
  #bring(index: number, sources: readonly PartitionSource[], stamps: readonly TombstoneStamp[], table: TableSchema): readonly RangeTombstone[] {
    const list = this.#lists[index] as CachedList
    this.#lists.splice(index, 1)
    this.#lists.push(list)
    stamps.forEach((stamp, at) => {
      const source = sources[at] as PartitionSource
      const known = list.stamps.find((older) => isSame(older, stamp))
      const newest: RangeTombstone[] = []
      if (known === undefined) source.addRangeTombstones(newest)
      else if (known.count < stamp.count) source.addNewestRangeTombstones(newest, stamp.count - known.count)
      for (const tombstone of newest) addDisjoint(list.tombstones, ownTombstone(tombstone), list.deletion, table.compareClustering)
    })
    list.stamps = stamps
    return list.tombstones
  }
}

function ownTombstone({ start, startInclusive, end, endInclusive, deletion }: RangeTombstone): RangeTombstone {
  return { start: Buffer.from(start), startInclusive, end: Buffer.from(end), endInclusive, deletion }
}

function sameDeletion(a: Deletion | null, b: Deletion | null): boolean {
  return a === null || b === null ? a === b : compareDeletions(a, b) === 0
}

/** The newer stamps are of the same sources and perhaps one more, with as many range tombstones or some more. */
function areOfOne(older: readonly TombstoneStamp[], newer: readonly TombstoneStamp[]): boolean {
  return newer.length <= older.length + 1 && older.every((stamp) => newer.some((other) => isSame(stamp, other) && stamp.count <= other.count))
}

function isSame(a: TombstoneStamp, b: TombstoneStamp): boolean {
  return a.owner === b.owner && a.place === b.place && a.era === b.era
}
