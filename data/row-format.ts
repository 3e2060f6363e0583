// The row format: the one binary form of a row, used by mutations, commit log, memtable, SSTables, internode messages
// and hints. Everything is big-endian. Lengths come before content. The CRC belongs to the container.
//
// An item is a row, a static row or a range tombstone:
//
//   offset  field
//   0       u32  size              of the whole item, this field included
//   4       u8   flags             see FLAG
//   5       u8   reserved          0
//   6       u16  clusteringSize    bytes of the next field; range tombstone: of the start bound
//   8       clustering             protocol [bytes] (i32 length, content) for each clustering column; none for a static row
//
// then, for a SIMPLE row (every cell plain, all with one timestamp, which the marker shares if there is one; no deletion):
//
//           i64  timestamp         microseconds
//           u16  columns
//           u16  id                × columns, ascending
//           [bytes]                × columns: the values as the protocol sends them, so that a client that selects these
//                                    columns gets them in one copy
//
// or, for any other row:
//
//           [MARKER]   i64 timestamp, u32 ttlSeconds, u32 expiresAt     (0, 0: does not expire)
//           [DELETION] i64 timestamp, u32 localDeletionTime
//           u16  complexDeletions
//           { u16 column, i64 timestamp, u32 localDeletionTime }        × complexDeletions, ascending
//           u32  cells
//           { u16 column, u8 kind | 0x80 if it has a path, i64 timestamp,
//             [expiring: u32 ttlSeconds, u32 expiresAt] [tombstone: u32 localDeletionTime],
//             [path: u16 size, content] }                               × cells, by column then path
//           [bytes]                × cells that are not tombstones
//
// or, for a range tombstone:
//
//           start                  clusteringSize bytes: an encoded prefix; empty is open
//           u8   bounds            1: start inclusive, 2: end inclusive
//           u16  endSize
//           end
//           i64  timestamp, u32 localDeletionTime
//
// Canonical: equal rows have equal bytes. A row that can be SIMPLE must be; ids ascend; nothing is said twice.
//
// Versions: the container's version covers this layout. 1: this one.
//
// What is bad about it: a row of one cell has 20 bytes before its first value; the column ids are repeated in each row; a
// general row must be walked to find one cell; clustering is limited to 65,535 bytes (Cassandra's limit too).
import { Buffer, assert } from "../runtime/pure.ts"
import { type ByteReader, ByteWriter, readUint16, readUint32 } from "./bytes.ts"
import { CELL_KIND, type Cell, type CellKind, type ComplexDeletion, type RangeTombstone, type Row } from "./row.ts"

export const FLAG = { static: 1, simple: 2, marker: 4, deletion: 8, range: 16 } as const

const HEADER_SIZE = 8
const HAS_PATH = 0x80

/** REQUIRES: `at` is the start of an item. */
export function itemSize(bytes: Buffer, at: number): number {
  return readUint32(bytes, at)
}
export function itemFlags(bytes: Buffer, at: number): number {
  return bytes[at + 4] as number
}
/** Start of the encoded clustering; it ends at `clusteringEnd`. */
export function clusteringStart(at: number): number {
  return at + HEADER_SIZE
}
export function clusteringEnd(bytes: Buffer, at: number): number {
  return at + HEADER_SIZE + readUint16(bytes, at + 6)
}
/** REQUIRES: a SIMPLE row. Where its timestamp, its columns header (u16 count, ids) and its values start. */
export function simpleTimestampAt(bytes: Buffer, at: number): number {
  return clusteringEnd(bytes, at)
}
export function simpleColumnsAt(bytes: Buffer, at: number): number {
  return clusteringEnd(bytes, at) + 8
}
export function simpleValuesAt(bytes: Buffer, at: number): number {
  const columns = simpleColumnsAt(bytes, at)
  return columns + 2 + 2 * readUint16(bytes, columns)
}

/** The columns header of a simple row: u16 count, then the ids. Prepared once per statement. REQUIRES: ids ascend. */
export function encodeColumnsHeader(ids: readonly number[]): Buffer {
  const header = Buffer.alloc(2 + 2 * ids.length)
  header.writeUInt16BE(ids.length, 0)
  ids.forEach((id, index) => {
    assert(index === 0 || id > (ids[index - 1] as number), "column ids ascend")
    header.writeUInt16BE(id, 2 + 2 * index)
  })
  return header
}

/** Encodes clustering values as a clustering (or a prefix of one): protocol [bytes] each. */
export function encodeClustering(values: readonly Uint8Array[]): Buffer {
  let size = 0
  for (const value of values) size += 4 + value.length
  const out = Buffer.allocUnsafe(size)
  let at = 0
  for (const value of values) {
    at = out.writeInt32BE(value.length, at)
    out.set(value, at)
    at += value.length
  }
  return out
}

/** The values of an encoded clustering; views of `bytes`. */
export function decodeClustering(bytes: Uint8Array): Buffer[] {
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const values: Buffer[] = []
  let at = 0
  while (at < source.length) {
    const size = source.readInt32BE(at)
    values.push(source.subarray(at + 4, at + 4 + size))
    at += 4 + size
  }
  assert(at === source.length, "clustering ends with its last value")
  return values
}

/** True when the row is SIMPLE in the sense of the header above. */
function isSimple(row: Row): boolean {
  if (row.deletion !== null || row.complexDeletions.length > 0) return false
  const marker = row.marker
  const first = marker ?? row.cells[0]
  if (first === undefined) return false
  if (marker !== null && marker.expiresAt !== 0) return false
  for (const cell of row.cells) {
    if (cell.kind !== CELL_KIND.plain || cell.path !== null) return false
    if (cell.timestampHigh !== first.timestampHigh || cell.timestampLow !== first.timestampLow) return false
  }
  return true
}

/** Appends the row's canonical bytes. REQUIRES: cells and complex deletions are in order. */
export function encodeRow(row: Row, out: ByteWriter): void {
  const start = out.length
  const simple = isSimple(row)
  const flags =
    (row.isStatic ? FLAG.static : 0) | (simple ? FLAG.simple : 0) | (row.marker !== null ? FLAG.marker : 0) | (row.deletion !== null ? FLAG.deletion : 0)
  out.uint32(0)
  out.uint8(flags)
  out.uint8(0)
  out.uint16(row.clustering.length)
  out.bytes(row.clustering)
  if (simple) encodeSimple(row, out)
  else encodeGeneral(row, out)
  for (const cell of row.cells) {
    if (cell.kind === CELL_KIND.tombstone) continue
    const value = cell.value as Uint8Array
    out.int32(value.length)
    out.bytes(value)
  }
  out.patchUint32(start, out.length - start)
}

function encodeSimple(row: Row, out: ByteWriter): void {
  const stamp = row.marker ?? (row.cells[0] as Cell)
  out.timestamp(stamp.timestampHigh, stamp.timestampLow)
  out.uint16(row.cells.length)
  for (const cell of row.cells) out.uint16(cell.column)
}

function encodeGeneral(row: Row, out: ByteWriter): void {
  if (row.marker !== null) {
    out.timestamp(row.marker.timestampHigh, row.marker.timestampLow)
    out.uint32(row.marker.ttlSeconds)
    out.uint32(row.marker.expiresAt)
  }
  if (row.deletion !== null) {
    out.timestamp(row.deletion.timestampHigh, row.deletion.timestampLow)
    out.uint32(row.deletion.localDeletionTime)
  }
  out.uint16(row.complexDeletions.length)
  for (const { column, deletion } of row.complexDeletions) {
    out.uint16(column)
    out.timestamp(deletion.timestampHigh, deletion.timestampLow)
    out.uint32(deletion.localDeletionTime)
  }
  out.uint32(row.cells.length)
  for (const cell of row.cells) encodeCellHeader(cell, out)
}

function encodeCellHeader(cell: Cell, out: ByteWriter): void {
  out.uint16(cell.column)
  out.uint8(cell.kind | (cell.path !== null ? HAS_PATH : 0))
  out.timestamp(cell.timestampHigh, cell.timestampLow)
  if (cell.kind === CELL_KIND.expiring) {
    out.uint32(cell.ttlSeconds)
    out.uint32(cell.expiresAt)
  } else if (cell.kind === CELL_KIND.tombstone) {
    out.uint32(cell.expiresAt)
  }
  if (cell.path !== null) {
    out.uint16(cell.path.length)
    out.bytes(cell.path)
  }
}

/** Reads the row at the reader's position and leaves it behind the row. Byte fields are views of the reader's buffer. Throws CorruptionError. */
export function decodeRow(reader: ByteReader): Row {
  const start = reader.at
  const size = reader.uint32("row size")
  const flags = reader.uint8("row flags")
  if ((flags & FLAG.range) !== 0) reader.fail("a row, found a range tombstone")
  reader.uint8("reserved")
  const clustering = reader.bytes(reader.uint16("clustering size"), "clustering")
  const row = (flags & FLAG.simple) !== 0 ? decodeSimple(reader, flags, clustering) : decodeGeneral(reader, flags, clustering)
  if (reader.at !== start + size) reader.fail(`a row of ${size} bytes, found ${reader.at - start}`)
  return row
}

function decodeSimple(reader: ByteReader, flags: number, clustering: Uint8Array): Row {
  const timestampHigh = reader.int32("timestamp")
  const timestampLow = reader.uint32("timestamp")
  const count = reader.uint16("columns")
  const ids: number[] = []
  for (let index = 0; index < count; index++) ids.push(reader.uint16("column id"))
  const cells: Cell[] = []
  for (const column of ids) {
    const value = reader.bytes(reader.int32("value size"), "value")
    cells.push({ column, path: null, kind: CELL_KIND.plain, timestampHigh, timestampLow, ttlSeconds: 0, expiresAt: 0, value })
  }
  const marker = (flags & FLAG.marker) !== 0 ? { timestampHigh, timestampLow, ttlSeconds: 0, expiresAt: 0 } : null
  return { isStatic: (flags & FLAG.static) !== 0, clustering, marker, deletion: null, complexDeletions: [], cells }
}

function decodeGeneral(reader: ByteReader, flags: number, clustering: Uint8Array): Row {
  const marker =
    (flags & FLAG.marker) !== 0
      ? { timestampHigh: reader.int32("marker"), timestampLow: reader.uint32("marker"), ttlSeconds: reader.uint32("marker TTL"), expiresAt: reader.uint32("marker expiry") }
      : null
  const deletion = (flags & FLAG.deletion) !== 0 ? decodeDeletion(reader) : null
  const complexDeletions: ComplexDeletion[] = []
  for (let left = reader.uint16("complex deletions"); left > 0; left--) complexDeletions.push({ column: reader.uint16("column id"), deletion: decodeDeletion(reader) })
  const cells: { -readonly [K in keyof Cell]: Cell[K] }[] = []
  for (let left = reader.uint32("cells"); left > 0; left--) cells.push(decodeCellHeader(reader))
  for (const cell of cells) {
    if (cell.kind !== CELL_KIND.tombstone) cell.value = reader.bytes(reader.int32("value size"), "value")
  }
  return { isStatic: (flags & FLAG.static) !== 0, clustering, marker, deletion, complexDeletions, cells }
}

function decodeCellHeader(reader: ByteReader): { -readonly [K in keyof Cell]: Cell[K] } {
  const column = reader.uint16("column id")
  const kindByte = reader.uint8("cell kind")
  const kind = (kindByte & 0x7f) as CellKind
  if (kind > CELL_KIND.tombstone) reader.fail(`a cell kind, found ${kindByte}`)
  const timestampHigh = reader.int32("timestamp")
  const timestampLow = reader.uint32("timestamp")
  const ttlSeconds = kind === CELL_KIND.expiring ? reader.uint32("TTL") : 0
  const expiresAt = kind === CELL_KIND.plain ? 0 : reader.uint32("expiry")
  const path = (kindByte & HAS_PATH) !== 0 ? reader.bytes(reader.uint16("path size"), "path") : null
  return { column, path, kind, timestampHigh, timestampLow, ttlSeconds, expiresAt, value: null }
}

function decodeDeletion(reader: ByteReader): { timestampHigh: number; timestampLow: number; localDeletionTime: number } {
  return { timestampHigh: reader.int32("deletion"), timestampLow: reader.uint32("deletion"), localDeletionTime: reader.uint32("local deletion time") }
}

/** Appends a range tombstone. */
export function encodeRangeTombstone(tombstone: RangeTombstone, out: ByteWriter): void {
  const start = out.length
  out.uint32(0)
  out.uint8(FLAG.range)
  out.uint8(0)
  out.uint16(tombstone.start.length)
  out.bytes(tombstone.start)
  out.uint8((tombstone.startInclusive ? 1 : 0) | (tombstone.endInclusive ? 2 : 0))
  out.uint16(tombstone.end.length)
  out.bytes(tombstone.end)
  out.timestamp(tombstone.deletion.timestampHigh, tombstone.deletion.timestampLow)
  out.uint32(tombstone.deletion.localDeletionTime)
  out.patchUint32(start, out.length - start)
}

/** Reads the range tombstone at the reader's position. Throws CorruptionError. */
export function decodeRangeTombstone(reader: ByteReader): RangeTombstone {
  const at = reader.at
  const size = reader.uint32("range tombstone size")
  const flags = reader.uint8("flags")
  if ((flags & FLAG.range) === 0) reader.fail("a range tombstone, found a row")
  reader.uint8("reserved")
  const start = reader.bytes(reader.uint16("start size"), "start bound")
  const bounds = reader.uint8("bounds")
  const end = reader.bytes(reader.uint16("end size"), "end bound")
  const deletion = decodeDeletion(reader)
  if (reader.at !== at + size) reader.fail(`a range tombstone of ${size} bytes, found ${reader.at - at}`)
  return { start, startInclusive: (bounds & 1) !== 0, end, endInclusive: (bounds & 2) !== 0, deletion }
}

/** Encodes one row on its own. */
export function rowBytes(row: Row): Buffer {
  const out = new ByteWriter(256)
  encodeRow(row, out)
  return out.take()
}
