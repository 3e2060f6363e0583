// The lowest timestamp of what was put into a memtable: a compaction must know whether a memtable may hold something that
// a tombstone it wants to purge still has to shadow. What was overwritten since counts too; a lower bound is enough.
import type { Buffer } from "../../runtime/pure.ts"
import { readInt32, readUint16, readUint32 } from "../../data/bytes.ts"
import { CELL_KIND } from "../../data/row.ts"
import { FLAG, clusteringEnd, itemFlags, itemSize } from "../../data/row-format.ts"

export class LowestTimestamp {
  /** The greatest int64 while there is nothing. */
  high = 0x7fffffff
  low = 0xffffffff

  add(high: number, low: number): void {
    if (high > this.high || (high === this.high && low >= this.low)) return
    this.high = high
    this.low = low
  }

  /** A row or static row. */
  row(bytes: Buffer, at: number): void {
    const flags = itemFlags(bytes, at)
    let to = clusteringEnd(bytes, at)
    if ((flags & FLAG.simple) !== 0) {
      this.#at(bytes, to)
      return
    }
    if ((flags & FLAG.marker) !== 0) {
      this.#at(bytes, to)
      to += 16
    }
    if ((flags & FLAG.deletion) !== 0) {
      this.#at(bytes, to)
      to += 12
    }
    const complexDeletions = readUint16(bytes, to)
    to += 2
    for (let left = complexDeletions; left > 0; left--) {
      this.#at(bytes, to + 2)
      to += 14
    }
    const cells = readUint32(bytes, to)
    to += 4
    for (let left = cells; left > 0; left--) {
      const kindByte = bytes[to + 2] as number
      const kind = kindByte & 0x7f
      this.#at(bytes, to + 3)
      to += kind === CELL_KIND.expiring ? 19 : kind === CELL_KIND.tombstone ? 15 : 11
      if ((kindByte & 0x80) !== 0) to += 2 + readUint16(bytes, to)
    }
  }

  rangeTombstone(bytes: Buffer, at: number): void {
    this.#at(bytes, at + itemSize(bytes, at) - 12)
  }

  #at(bytes: Buffer, at: number): void {
    this.add(readInt32(bytes, at), readUint32(bytes, at + 4))
  }
}
