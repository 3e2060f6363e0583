// Writes that come too late: below what compaction has purged. A tombstone that is gone can not hide them, so they show in
// the base table; a view that still has the tombstone hides them. They are accepted, and the tokens of their partitions
// remembered until a scrub has compared base and views there (docs/decisions/0008).
//
// Only tables with views are watched: for others a late write is what it is everywhere, a write.
import { type Buffer, assert } from "../runtime/pure.ts"
import { readInt32, readUint32 } from "../data/bytes.ts"
import { FLAG } from "../data/row-format.ts"
import { compareInt64, highOfBigInt, lowOfBigInt, toBigInt } from "../data/timestamp.ts"
import { LowestTimestamp } from "./memtable/lowest-timestamp.ts"
import { MUTATION_TOKEN_AT, hasPartitionDeletion, itemsAt } from "./mutation-layout.ts"

/** More ranges than this are joined, the nearest ones first: they are checked together, which costs a little more. */
const MAX_RANGES = 256

export class LateWrites {
  /** Writes at or below it are late; null: nothing was purged. */
  horizon: bigint | null = null
  #high = 0
  #low = 0
  /** Ascending, disjoint, both ends included. */
  #ranges: (readonly [bigint, bigint])[] = []

  get ranges(): readonly (readonly [bigint, bigint])[] {
    return this.#ranges
  }

  /** For the manifest. */
  texts(): readonly (readonly [string, string])[] {
    return this.#ranges.map(([first, last]) => [first.toString(), last.toString()])
  }

  /** As the manifest has it. */
  restore(horizon: string | null, texts: readonly (readonly [string, string])[]): void {
    if (horizon !== null) this.raise(BigInt(horizon))
    this.#ranges = texts.map(([first, last]) => [BigInt(first), BigInt(last)])
  }

  /** From now on writes up to this timestamp are late. */
  raise(horizon: bigint): void {
    if (this.horizon !== null && this.horizon >= horizon) return
    this.horizon = horizon
    this.#high = highOfBigInt(horizon)
    this.#low = lowOfBigInt(horizon)
  }

  /** Looks at one update of the mutation. REQUIRES: the horizon is set. */
  look(bytes: Buffer, mutation: number, update: number): void {
    const lowest = new LowestTimestamp()
    const items = itemsAt(bytes, update)
    if (hasPartitionDeletion(bytes, update)) lowest.add(readInt32(bytes, items - 12), readUint32(bytes, items - 8))
    let item = items + 4
    for (let left = readUint32(bytes, items); left > 0; left--) {
      if (((bytes[item + 4] as number) & FLAG.range) === 0) lowest.row(bytes, item)
      else lowest.rangeTombstone(bytes, item)
      item += readUint32(bytes, item)
    }
    if (compareInt64(lowest.high, lowest.low, this.#high, this.#low) > 0) return
    this.add(toBigInt(readInt32(bytes, mutation + MUTATION_TOKEN_AT), readUint32(bytes, mutation + MUTATION_TOKEN_AT + 4)))
  }

  add(token: bigint): void {
    const ranges = this.#ranges
    let at = ranges.length
    while (at > 0 && (ranges[at - 1] as readonly [bigint, bigint])[0] > token) at--
    const before = ranges[at - 1]
    if (before !== undefined && before[1] >= token) return
    ranges.splice(at, 0, [token, token])
    if (ranges.length > MAX_RANGES) this.#joinNearest()
  }

  /** A scrub that began after all writes in the range has put it right. REQUIRES: first <= last. */
  forget(first: bigint, last: bigint): void {
    assert(first <= last, "a range of tokens")
    this.#ranges = this.#ranges.flatMap((range): (readonly [bigint, bigint])[] => {
      if (range[1] < first || range[0] > last) return [range]
      const left: (readonly [bigint, bigint])[] = []
      if (range[0] < first) left.push([range[0], first - 1n])
      if (range[1] > last) left.push([last + 1n, range[1]])
      return left
    })
  }

  /** The table holds nothing any more, nor do its views. */
  clear(): void {
    this.horizon = null
    this.#ranges = []
  }

  #joinNearest(): void {
    const ranges = this.#ranges
    let nearest = 1
    const gap = (index: number): bigint => (ranges[index] as readonly [bigint, bigint])[0] - (ranges[index - 1] as readonly [bigint, bigint])[1]
    for (let index = 2; index < ranges.length; index++) if (gap(index) < gap(nearest)) nearest = index
    const [first] = ranges[nearest - 1] as readonly [bigint, bigint]
    const [, last] = ranges[nearest] as readonly [bigint, bigint]
    ranges.splice(nearest - 1, 2, [first, last])
  }
}
