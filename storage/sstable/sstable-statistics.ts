// Counts what goes into an SSTable, reading rows in place: what is in it decides later which tables a read may skip and
// which are worth compacting.
//
// Lowest and highest clustering: rows of a partition come in order, so that only its first and last are compared.
// Histogram of tombstones: when deletions were made and when cells expire, in spans of equal length that doubles when there
// are too many.
import { Buffer } from "../../runtime/pure.ts"
import { CELL_KIND, type Deletion } from "../../data/row.ts"
import { FLAG, clusteringEnd, clusteringStart, itemFlags, simpleTimestampAt } from "../../data/row-format.ts"
import type { TableSchema } from "../../data/schema.ts"
import { compareInt64, int64Text } from "../../data/timestamp.ts"
import type { SSTableStatistics } from "./sstable-format.ts"

const MOST_SPANS = 64
const FIRST_SPAN_SECONDS = 60

export class StatisticsCollector {
  /** Null: the table has no clustering columns. */
  readonly #compare: TableSchema["compareClustering"] | null
  partitions = 0
  rows = 0
  #tombstones = 0
  #expiringCells = 0
  #lasting = 0
  #minHigh = 0x7fffffff
  #minLow = 0xffffffff
  #maxHigh = -0x80000000
  #maxLow = 0
  #minDeletionTime = Number.POSITIVE_INFINITY
  #maxDeletionTime = Number.NEGATIVE_INFINITY
  #minTtl = Number.POSITIVE_INFINITY
  #maxTtl = 0
  #spanSeconds = FIRST_SPAN_SECONDS
  /** Counts by span number. */
  #spans = new Map<number, number>()
  #onlyRows = true
  #minClustering: Buffer | null = null
  #maxClustering: Buffer | null = null

  constructor(compareClustering: TableSchema["compareClustering"] | null) {
    this.#compare = compareClustering
  }

  /** A partition or range deletion, or a static row, is there. */
  notOnlyRows(): void {
    this.#onlyRows = false
  }

  /** The first row of a partition. */
  firstRow(bytes: Buffer, at: number): void {
    if (this.#compare === null) return
    const min = this.#minClustering
    if (min === null || this.#compare(bytes, clusteringStart(at), clusteringEnd(bytes, at), min, 0, min.length) < 0) this.#minClustering = copyClustering(bytes, at)
  }

  /** The last row of a partition, or of what of it is in a block. */
  lastRow(bytes: Buffer, at: number): void {
    if (this.#compare === null) return
    const max = this.#maxClustering
    if (max === null || this.#compare(bytes, clusteringStart(at), clusteringEnd(bytes, at), max, 0, max.length) > 0) this.#maxClustering = copyClustering(bytes, at)
  }

  deletion(deletion: Deletion): void {
    this.#tombstones++
    this.#timestamp(deletion.timestampHigh, deletion.timestampLow)
    this.#deletionTime(deletion.localDeletionTime)
  }

  /** A row or static row; its canonical bytes. */
  row(bytes: Buffer, at: number): void {
    this.rows++
    const flags = itemFlags(bytes, at)
    if ((flags & FLAG.simple) !== 0) {
      this.#lasting++
      const stamp = simpleTimestampAt(bytes, at)
      this.#timestamp(bytes.readInt32BE(stamp), bytes.readUInt32BE(stamp + 4))
      return
    }
    let to = clusteringEnd(bytes, at)
    if ((flags & FLAG.marker) !== 0) {
      this.#timestamp(bytes.readInt32BE(to), bytes.readUInt32BE(to + 4))
      if (bytes.readUInt32BE(to + 12) !== 0) this.#expiry(bytes.readUInt32BE(to + 8), bytes.readUInt32BE(to + 12))
      else this.#lasting++
      to += 16
    }
    if ((flags & FLAG.deletion) !== 0) {
      this.#deletionAt(bytes, to)
      to += 12
    }
    const complexDeletions = bytes.readUInt16BE(to)
    to += 2
    for (let left = complexDeletions; left > 0; left--) {
      this.#deletionAt(bytes, to + 2)
      to += 14
    }
    this.#cells(bytes, to)
  }

  finish(firstToken: string, lastToken: string, plainBytes: number): SSTableStatistics {
    const hasTimes = this.#maxDeletionTime >= this.#minDeletionTime
    return {
      partitions: this.partitions, rows: this.rows, tombstones: this.#tombstones, expiringCells: this.#expiringCells, lasting: this.#lasting,
      minTimestamp: int64Text(this.#minHigh, this.#minLow), maxTimestamp: int64Text(this.#maxHigh, this.#maxLow),
      minLocalDeletionTime: hasTimes ? this.#minDeletionTime : null, maxLocalDeletionTime: hasTimes ? this.#maxDeletionTime : null,
      firstToken, lastToken, plainBytes,
      minTtl: this.#maxTtl === 0 ? null : this.#minTtl, maxTtl: this.#maxTtl === 0 ? null : this.#maxTtl,
      tombstoneTimes: { spanSeconds: this.#spanSeconds, counts: [...this.#spans].toSorted(([a], [b]) => a - b).map(([span, count]) => [span * this.#spanSeconds, count]) },
      onlyRows: this.#onlyRows, minClustering: this.#minClustering?.toString("hex") ?? null, maxClustering: this.#maxClustering?.toString("hex") ?? null,
    }
  }

  #cells(bytes: Buffer, start: number): void {
    let at = start + 4
    for (let left = bytes.readUInt32BE(start); left > 0; left--) {
      const kindByte = bytes[at + 2] as number
      const kind = kindByte & 0x7f
      this.#timestamp(bytes.readInt32BE(at + 3), bytes.readUInt32BE(at + 7))
      at += 11
      if (kind === CELL_KIND.expiring) {
        this.#expiringCells++
        this.#expiry(bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4))
        at += 8
      } else if (kind === CELL_KIND.tombstone) {
        this.#tombstones++
        this.#deletionTime(bytes.readUInt32BE(at))
        at += 4
      } else {
        this.#lasting++
      }
      if ((kindByte & 0x80) !== 0) at += 2 + bytes.readUInt16BE(at)
    }
  }

  #deletionAt(bytes: Buffer, at: number): void {
    this.#tombstones++
    this.#timestamp(bytes.readInt32BE(at), bytes.readUInt32BE(at + 4))
    this.#deletionTime(bytes.readUInt32BE(at + 8))
  }

  #timestamp(high: number, low: number): void {
    if (compareInt64(high, low, this.#minHigh, this.#minLow) < 0) {
      this.#minHigh = high
      this.#minLow = low
    }
    if (compareInt64(high, low, this.#maxHigh, this.#maxLow) > 0) {
      this.#maxHigh = high
      this.#maxLow = low
    }
  }

  #expiry(ttlSeconds: number, expiresAt: number): void {
    if (ttlSeconds < this.#minTtl) this.#minTtl = ttlSeconds
    if (ttlSeconds > this.#maxTtl) this.#maxTtl = ttlSeconds
    this.#deletionTime(expiresAt)
  }

  #deletionTime(seconds: number): void {
    const span = Math.floor(seconds / this.#spanSeconds)
    this.#spans.set(span, (this.#spans.get(span) ?? 0) + 1)
    while (this.#spans.size > MOST_SPANS) this.#widenSpans()
    if (seconds < this.#minDeletionTime) this.#minDeletionTime = seconds
    if (seconds > this.#maxDeletionTime) this.#maxDeletionTime = seconds
  }

  #widenSpans(): void {
    const wider = new Map<number, number>()
    for (const [span, count] of this.#spans) wider.set(span >> 1, (wider.get(span >> 1) ?? 0) + count)
    this.#spans = wider
    this.#spanSeconds *= 2
  }
}

function copyClustering(bytes: Buffer, at: number): Buffer {
  return Buffer.from(bytes.subarray(clusteringStart(at), clusteringEnd(bytes, at)))
}
