// One row as columns of numbers: timestamps, kinds and where the values lie, without an object per cell. The form in which
// rows of tables with views are merged and projected on the way of a write at less than half the cost of
// row.ts and reconcile.ts, which say the same more plainly and are what the tests compare this with.
//
// A FlatRow is made once and filled again and again; flat-row-format.ts reads and writes it. Values stay where they are:
// `sources[i]` at [starts[i], ends[i]), so a FlatRow is valid only as long as the bytes it was read from.
//
// What it does not do: collections and other cells with a path, static rows, range tombstones.
import { Buffer } from "../runtime/pure.ts"
import { CELL_KIND } from "./row.ts"

const NO_BYTES = Buffer.alloc(0)
const FIRST_CAPACITY = 16
/** Below this a loop is cheaper than a native copy. */
const SHORT = 32

export class FlatRow {
  clusteringIn: Buffer = NO_BYTES
  clusteringStart = 0
  clusteringEnd = 0
  hasMarker = false
  markerHigh = 0
  markerLow = 0
  markerTtl = 0
  markerExpiresAt = 0
  hasDeletion = false
  deletionHigh = 0
  deletionLow = 0
  /** Its local deletion time. */
  deletionTime = 0
  /** Cells, by column. Lower halves of timestamps and expiries are unsigned numbers kept in 32 bits: compare them with `>>> 0`. */
  count = 0
  columns = new Int32Array(FIRST_CAPACITY)
  kinds = new Int32Array(FIRST_CAPACITY)
  highs = new Int32Array(FIRST_CAPACITY)
  lows = new Int32Array(FIRST_CAPACITY)
  ttls = new Int32Array(FIRST_CAPACITY)
  expiries = new Int32Array(FIRST_CAPACITY)
  starts = new Int32Array(FIRST_CAPACITY)
  ends = new Int32Array(FIRST_CAPACITY)
  readonly sources: Buffer[] = []

  get isEmpty(): boolean {
    return this.count === 0 && !this.hasMarker && !this.hasDeletion
  }

  clear(clusteringIn: Buffer, clusteringStart: number, clusteringEnd: number): void {
    this.clusteringIn = clusteringIn
    this.clusteringStart = clusteringStart
    this.clusteringEnd = clusteringEnd
    this.hasMarker = false
    this.hasDeletion = false
    this.count = 0
  }

  /** Becomes a row with one plain cell: a value that is looked at as a cell. */
  setOnly(column: number, source: Buffer, start: number, end: number): void {
    this.clear(source, 0, 0)
    this.columns[0] = column
    this.kinds[0] = CELL_KIND.plain
    this.highs[0] = this.lows[0] = this.ttls[0] = this.expiries[0] = 0
    this.starts[0] = start
    this.ends[0] = end
    this.sources[0] = source
    this.count = 1
  }

  setMarker(high: number, low: number, ttl: number, expiresAt: number): void {
    this.hasMarker = true
    this.markerHigh = high
    this.markerLow = low
    this.markerTtl = ttl
    this.markerExpiresAt = expiresAt
  }
  setDeletion(high: number, low: number, time: number): void {
    this.hasDeletion = true
    this.deletionHigh = high
    this.deletionLow = low
    this.deletionTime = time
  }

  /** Index of the column's cell, -1 when there is none. `hint`: where it probably is. */
  find(column: number, hint: number): number {
    const columns = this.columns
    if (hint < this.count && columns[hint] === column) return hint
    for (let index = 0; index < this.count; index++) if (columns[index] === column) return index
    return -1
  }

  /** Whether the row's deletion removes the cell. */
  removes(index: number): boolean {
    return this.hasDeletion && compareStamps(this.highs[index] as number, this.lows[index] as number, this.deletionHigh, this.deletionLow) <= 0
  }

  /** Becomes `a` merged with `b`, less what the stronger deletion of the two removes: mergeRows. REQUIRES: equal clusterings. */
  merge(a: FlatRow, b: FlatRow): void {
    this.clear(a.clusteringIn, a.clusteringStart, a.clusteringEnd)
    if (a.hasDeletion && (!b.hasDeletion || compareDeletionsOf(a, b) >= 0)) this.setDeletion(a.deletionHigh, a.deletionLow, a.deletionTime)
    else if (b.hasDeletion) this.setDeletion(b.deletionHigh, b.deletionLow, b.deletionTime)
    this.#takeMarker(a)
    this.#takeMarker(b)
    this.reserve(a.count + b.count)
    let at = 0
    let bAt = 0
    while (at < a.count || bAt < b.count) {
      const places = at === a.count ? 1 : bAt === b.count ? -1 : (a.columns[at] as number) - (b.columns[bAt] as number)
      if (places < 0) this.#takeStanding(a, at++)
      else if (places > 0) this.#takeStanding(b, bAt++)
      else {
        if (compareFlatCells(a, at, b, bAt) >= 0) this.#takeStanding(a, at)
        else this.#takeStanding(b, bAt)
        at++
        bAt++
      }
    }
  }

  /** Becomes the row without what its own deletion removes. */
  normalise(row: FlatRow): void {
    this.clear(row.clusteringIn, row.clusteringStart, row.clusteringEnd)
    if (row.hasDeletion) this.setDeletion(row.deletionHigh, row.deletionLow, row.deletionTime)
    this.#takeMarker(row)
    this.reserve(row.count)
    for (let index = 0; index < row.count; index++) this.#takeStanding(row, index)
  }

  #takeMarker(row: FlatRow): void {
    if (!row.hasMarker) return
    if (this.hasDeletion && compareStamps(row.markerHigh, row.markerLow, this.deletionHigh, this.deletionLow) <= 0) return
    if (this.hasMarker && compareMarkersOf(this, row) >= 0) return
    this.setMarker(row.markerHigh, row.markerLow, row.markerTtl, row.markerExpiresAt)
  }

  #takeStanding(row: FlatRow, index: number): void {
    if (this.hasDeletion && compareStamps(row.highs[index] as number, row.lows[index] as number, this.deletionHigh, this.deletionLow) <= 0) return
    this.add(row, index, row.columns[index] as number, false)
  }

  /** Adds a cell of another row under a column; without its value when `isVirtual`. REQUIRES: columns ascend. */
  add(row: FlatRow, index: number, column: number, isVirtual: boolean): void {
    const at = this.count
    this.reserve(at + 1)
    this.columns[at] = column
    this.kinds[at] = row.kinds[index] as number
    this.highs[at] = row.highs[index] as number
    this.lows[at] = row.lows[index] as number
    this.ttls[at] = row.ttls[index] as number
    this.expiries[at] = row.expiries[index] as number
    this.starts[at] = row.starts[index] as number
    this.ends[at] = (isVirtual ? row.starts[index] : row.ends[index]) as number
    this.sources[at] = row.sources[index] as Buffer
    this.count = at + 1
  }

  /** Puts a plain cell with an empty value in its place among the others. */
  insertEmpty(column: number, high: number, low: number): void {
    let at = this.count
    this.reserve(at + 1)
    while (at > 0 && (this.columns[at - 1] as number) > column) this.#move(at - 1, at--)
    this.columns[at] = column
    this.kinds[at] = CELL_KIND.plain
    this.highs[at] = high
    this.lows[at] = low
    this.ttls[at] = this.expiries[at] = this.starts[at] = this.ends[at] = 0
    this.sources[at] = NO_BYTES
    this.count++
  }

  #move(from: number, to: number): void {
    this.columns[to] = this.columns[from] as number
    this.kinds[to] = this.kinds[from] as number
    this.highs[to] = this.highs[from] as number
    this.lows[to] = this.lows[from] as number
    this.ttls[to] = this.ttls[from] as number
    this.expiries[to] = this.expiries[from] as number
    this.starts[to] = this.starts[from] as number
    this.ends[to] = this.ends[from] as number
    this.sources[to] = this.sources[from] as Buffer
  }

  /** Whether the row is SIMPLE in the sense of row-format.ts. */
  get isSimple(): boolean {
    if (this.hasDeletion || (!this.hasMarker && this.count === 0)) return false
    if (this.hasMarker && this.markerExpiresAt !== 0) return false
    const high = this.hasMarker ? this.markerHigh : this.highs[0]
    const low = (this.hasMarker ? this.markerLow : this.lows[0]) as number
    for (let index = 0; index < this.count; index++) {
      if (this.kinds[index] !== CELL_KIND.plain || this.highs[index] !== high || ((this.lows[index] as number) ^ low) !== 0) return false
    }
    return true
  }

  /** Makes room for so many cells. */
  reserve(count: number): void {
    if (count <= this.columns.length) return
    const capacity = Math.max(count, this.columns.length * 2)
    this.columns = enlarged(this.columns, capacity)
    this.kinds = enlarged(this.kinds, capacity)
    this.highs = enlarged(this.highs, capacity)
    this.lows = enlarged(this.lows, capacity)
    this.ttls = enlarged(this.ttls, capacity)
    this.expiries = enlarged(this.expiries, capacity)
    this.starts = enlarged(this.starts, capacity)
    this.ends = enlarged(this.ends, capacity)
  }
}

function enlarged(old: Int32Array<ArrayBuffer>, capacity: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(capacity)
  larger.set(old)
  return larger
}

/** As compareCells of reconcile.ts. */
export function compareFlatCells(a: FlatRow, at: number, b: FlatRow, bAt: number): number {
  const stamps = compareStamps(a.highs[at] as number, a.lows[at] as number, b.highs[bAt] as number, b.lows[bAt] as number)
  if (stamps !== 0) return stamps
  const kind = a.kinds[at] as number
  if (kind !== b.kinds[bAt]) return kind - (b.kinds[bAt] as number)
  const expiries = ((a.expiries[at] as number) >>> 0) - ((b.expiries[bAt] as number) >>> 0)
  if (expiries !== 0) return expiries
  const values = kind === CELL_KIND.tombstone ? 0 : compareValues(a, at, b, bAt)
  return values !== 0 ? values : ((a.ttls[at] as number) >>> 0) - ((b.ttls[bAt] as number) >>> 0)
}

/** Order of two cells' values as unsigned bytes. */
export function compareValues(a: FlatRow, at: number, b: FlatRow, bAt: number): number {
  const x = a.sources[at] as Buffer
  const y = b.sources[bAt] as Buffer
  const xAt = a.starts[at] as number
  const yAt = b.starts[bAt] as number
  const xSize = (a.ends[at] as number) - xAt
  const ySize = (b.ends[bAt] as number) - yAt
  const common = xSize < ySize ? xSize : ySize
  if (common > SHORT) {
    const order = x.compare(y, yAt, yAt + common, xAt, xAt + common)
    return order !== 0 ? order : xSize - ySize
  }
  for (let index = 0; index < common; index++) {
    const order = (x[xAt + index] as number) - (y[yAt + index] as number)
    if (order !== 0) return order
  }
  return xSize - ySize
}

/** Order of two timestamps whose lower halves may be kept signed. */
export function compareStamps(aHigh: number, aLow: number, bHigh: number, bLow: number): number {
  if (aHigh !== bHigh) return aHigh < bHigh ? -1 : 1
  return aLow === bLow ? 0 : aLow >>> 0 < bLow >>> 0 ? -1 : 1
}

function compareMarkersOf(a: FlatRow, b: FlatRow): number {
  const stamps = compareStamps(a.markerHigh, a.markerLow, b.markerHigh, b.markerLow)
  if (stamps !== 0) return stamps
  const expiries = (a.markerExpiresAt >>> 0) - (b.markerExpiresAt >>> 0)
  return expiries !== 0 ? expiries : (a.markerTtl >>> 0) - (b.markerTtl >>> 0)
}

function compareDeletionsOf(a: FlatRow, b: FlatRow): number {
  return compareStamps(a.deletionHigh, a.deletionLow, b.deletionHigh, b.deletionLow) || (a.deletionTime >>> 0) - (b.deletionTime >>> 0)
}
