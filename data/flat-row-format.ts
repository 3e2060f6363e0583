// FlatRows and the row format (row-format.ts): from its bytes and to them, without an object per cell.
import type { Buffer } from "../runtime/pure.ts"
import { ByteReader, type ByteWriter, readInt32, readUint16, readUint32, writeInt32, writeUint16 } from "./bytes.ts"
import type { FlatRow } from "./flat-row.ts"
import { CELL_KIND } from "./row.ts"
import { FLAG } from "./row-format.ts"

/** In front of an item's clustering; `endFlatItem` fills it. */
export const HEADER_BYTES = 8
const CELL_HEADER_BYTES = 11
/** Below this a loop is cheaper than a native copy. */
const SHORT = 32

/** The row becomes the item at `bytes[at, …)`. False, and not to be used, when that is no row of this kind. Throws CorruptionError. */
export function readFlatRow(row: FlatRow, bytes: Buffer, at: number): boolean {
  const flags = bytes[at + 4] as number
  if ((flags & (FLAG.range | FLAG.static)) !== 0) return false
  const end = at + readUint32(bytes, at)
  const clusteringEnd = at + HEADER_BYTES + readUint16(bytes, at + 6)
  if (end > bytes.length || clusteringEnd > end) new ByteReader(bytes, at).fail("a whole row")
  row.clear(bytes, at + HEADER_BYTES, clusteringEnd)
  const to = (flags & FLAG.simple) !== 0 ? readSimple(row, bytes, clusteringEnd, flags) : readGeneral(row, bytes, clusteringEnd, end, flags)
  if (to < 0) return false
  if (to !== end) new ByteReader(bytes, at).fail(`a row of ${end - at} bytes, found ${to - at}`)
  return true
}

function readSimple(row: FlatRow, bytes: Buffer, from: number, flags: number): number {
  const high = readInt32(bytes, from)
  const low = readInt32(bytes, from + 4)
  const count = readUint16(bytes, from + 8)
  row.reserve(count)
  let id = from + 10
  let to = id + 2 * count
  for (let index = 0; index < count; index++, id += 2) {
    const size = readInt32(bytes, to)
    row.columns[index] = readUint16(bytes, id)
    row.kinds[index] = CELL_KIND.plain
    row.highs[index] = high
    row.lows[index] = low
    row.ttls[index] = 0
    row.expiries[index] = 0
    row.starts[index] = to + 4
    row.sources[index] = bytes
    to += 4 + size
    row.ends[index] = to
  }
  row.count = count
  if ((flags & FLAG.marker) !== 0) row.setMarker(high, low, 0, 0)
  return to
}

/** Where the row ends; -1: not of this kind. */
function readGeneral(row: FlatRow, bytes: Buffer, from: number, end: number, flags: number): number {
  let to = from
  if ((flags & FLAG.marker) !== 0) {
    row.setMarker(readInt32(bytes, to), readInt32(bytes, to + 4), readInt32(bytes, to + 8), readInt32(bytes, to + 12))
    to += 16
  }
  if ((flags & FLAG.deletion) !== 0) {
    row.setDeletion(readInt32(bytes, to), readInt32(bytes, to + 4), readInt32(bytes, to + 8))
    to += 12
  }
  if (readUint16(bytes, to) !== 0) return -1
  const count = readUint32(bytes, to + 2)
  to += 6
  if (count > (end - to) / CELL_HEADER_BYTES) new ByteReader(bytes, to).fail("as many cells as the row has room for")
  row.reserve(count)
  for (let index = 0; index < count; index++) {
    const kind = bytes[to + 2] as number
    // With a path, or damaged: the general way tells.
    if (kind > CELL_KIND.tombstone) return -1
    row.columns[index] = readUint16(bytes, to)
    row.kinds[index] = kind
    row.highs[index] = readInt32(bytes, to + 3)
    row.lows[index] = readInt32(bytes, to + 7)
    to += CELL_HEADER_BYTES
    const isExpiring = kind === CELL_KIND.expiring
    row.ttls[index] = isExpiring ? readInt32(bytes, to) : 0
    if (isExpiring) to += 4
    row.expiries[index] = kind === CELL_KIND.plain ? 0 : readInt32(bytes, to)
    if (kind !== CELL_KIND.plain) to += 4
  }
  for (let index = 0; index < count; index++) {
    row.sources[index] = bytes
    row.starts[index] = row.ends[index] = to
    if (row.kinds[index] === CELL_KIND.tombstone) continue
    row.starts[index] = to + 4
    to += 4 + readInt32(bytes, to)
    row.ends[index] = to
  }
  row.count = count
  return to
}

/** Appends the row as an item of the row format. */
export function writeFlatRow(row: FlatRow, out: ByteWriter): void {
  const at = out.length
  out.grow(HEADER_BYTES)
  out.copy(row.clusteringIn, row.clusteringStart, row.clusteringEnd)
  endFlatItem(row, out, at)
}

/** Ends the item that starts at `at`: HEADER_BYTES of room and its clustering are there already. */
export function endFlatItem(row: FlatRow, out: ByteWriter, at: number): void {
  const clusteringSize = out.length - at - HEADER_BYTES
  const isSimple = row.isSimple
  if (isSimple) writeSimpleHeader(row, out)
  else writeGeneralHeader(row, out)
  writeValues(row, out)
  const bytes = out.buffer
  writeInt32(bytes, at, out.length - at)
  bytes[at + 4] = (isSimple ? FLAG.simple : 0) | (row.hasMarker ? FLAG.marker : 0) | (row.hasDeletion ? FLAG.deletion : 0)
  bytes[at + 5] = 0
  writeUint16(bytes, at + 6, clusteringSize)
}

function writeSimpleHeader(row: FlatRow, out: ByteWriter): void {
  const count = row.count
  let to = out.grow(10 + 2 * count)
  const bytes = out.buffer
  writeInt32(bytes, to, (row.hasMarker ? row.markerHigh : row.highs[0]) as number)
  writeInt32(bytes, to + 4, (row.hasMarker ? row.markerLow : row.lows[0]) as number)
  writeUint16(bytes, to + 8, count)
  to += 10
  for (let index = 0; index < count; index++, to += 2) writeUint16(bytes, to, row.columns[index] as number)
}

function writeGeneralHeader(row: FlatRow, out: ByteWriter): void {
  const count = row.count
  let to = out.grow(34 + 19 * count)
  const bytes = out.buffer
  if (row.hasMarker) {
    writeInt32(bytes, to, row.markerHigh)
    writeInt32(bytes, to + 4, row.markerLow)
    writeInt32(bytes, to + 8, row.markerTtl)
    writeInt32(bytes, to + 12, row.markerExpiresAt)
    to += 16
  }
  if (row.hasDeletion) {
    writeInt32(bytes, to, row.deletionHigh)
    writeInt32(bytes, to + 4, row.deletionLow)
    writeInt32(bytes, to + 8, row.deletionTime)
    to += 12
  }
  writeUint16(bytes, to, 0)
  writeInt32(bytes, to + 2, count)
  to += 6
  for (let index = 0; index < count; index++) {
    const kind = row.kinds[index] as number
    writeUint16(bytes, to, row.columns[index] as number)
    bytes[to + 2] = kind
    writeInt32(bytes, to + 3, row.highs[index] as number)
    writeInt32(bytes, to + 7, row.lows[index] as number)
    to += CELL_HEADER_BYTES
    if (kind === CELL_KIND.expiring) {
      writeInt32(bytes, to, row.ttls[index] as number)
      to += 4
    }
    if (kind !== CELL_KIND.plain) {
      writeInt32(bytes, to, row.expiries[index] as number)
      to += 4
    }
  }
  // `grow` made room for the longest header there can be.
  out.length = to
}

function writeValues(row: FlatRow, out: ByteWriter): void {
  let size = 0
  for (let index = 0; index < row.count; index++) {
    if (row.kinds[index] !== CELL_KIND.tombstone) size += 4 + (row.ends[index] as number) - (row.starts[index] as number)
  }
  let to = out.grow(size)
  const bytes = out.buffer
  for (let index = 0; index < row.count; index++) {
    if (row.kinds[index] === CELL_KIND.tombstone) continue
    const start = row.starts[index] as number
    const length = (row.ends[index] as number) - start
    writeInt32(bytes, to, length)
    copyBytes(row.sources[index] as Buffer, start, length, bytes, to + 4)
    to += 4 + length
  }
}

function copyBytes(source: Buffer, from: number, length: number, target: Buffer, to: number): void {
  if (length > SHORT) source.copy(target, to, from, from + length)
  else for (let index = 0; index < length; index++) target[to + index] = source[from + index] as number
}
