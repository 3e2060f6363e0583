// The commit log's bytes. Big-endian. A segment is a file `<segment, ten digits>.log`:
//
//   segment header
//   0       u32  magic           "BLVs"
//   4       u8   version         1
//   5       3×u8 reserved        0
//   8       u32  segment         counts up over the life of the data directory, never reused
//   12      u32  previous        the segment before it in this life of the process, 0: none
//   16      u32  previousBytes   size of that segment: with fewer bytes it has lost its end
//   20      u32  crc             of the bytes before it
//
// then chunks, each the records of one event-loop turn, handed to the operating system in one write:
//
//   0       u32  magic           "BLVc"
//   4       u32  segment         that of the file: bytes of another life of the file never pass for a chunk
//   8       u32  offset          of this chunk in the file
//   12      u32  length          of the records
//   16      u32  syncedSegment   everything before (syncedSegment, syncedOffset) was on the disk when this was written
//   20      u32  syncedOffset
//   24      u32  crc             of the 24 bytes before it and the records
//   28      records
//
//   record
//   0       u32  size            of the record, this field included
//   4       u8   kind            1: mutation
//   5       u24  entries         mutations that are applied with the first one: view entries this node owns itself
//   8       u32  obligations
//   12      mutation             mutation.ts; says its own size
//           mutation             × entries
//           { u32 size, bytes }  × obligations
//
// The log ends at the first chunk that is not whole or is missing. When a whole chunk further on says that this place was synced, bytes
// have been damaged (CorruptFileError); otherwise it is the torn end of a crash, and cut.
//
// Versions: 1 this one. A worked example is testdata/commit-log.hex.
// What is bad about it: damage of the very last synced chunk, with nothing written after it, looks like a torn end; a
// record cannot be found without reading its chunk; one flipped bit loses a whole turn's records.
import { Buffer, crc32 } from "../runtime/pure.ts"
import { ByteReader } from "../data/bytes.ts"

export const COMMIT_LOG_VERSION = 1
export const SEGMENT_MAGIC = 0x424c5673
export const CHUNK_MAGIC = 0x424c5663
export const SEGMENT_HEADER_BYTES = 24
export const CHUNK_HEADER_BYTES = 28
export const RECORD_HEADER_BYTES = 12
export const RECORD_KIND = { mutation: 1 } as const

export function segmentName(segment: number): string {
  return `${String(segment).padStart(10, "0")}.log`
}
/** The segment a file name stands for; null for other files. */
export function segmentOfName(name: string): number | null {
  return /^\d{10}\.log$/.test(name) ? Number(name.slice(0, 10)) : null
}

export function encodeSegmentHeader(segment: number, previous: number, previousBytes: number): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES)
  header.writeUInt32BE(SEGMENT_MAGIC, 0)
  header[4] = COMMIT_LOG_VERSION
  header.writeUInt32BE(segment, 8)
  header.writeUInt32BE(previous, 12)
  header.writeUInt32BE(previousBytes, 16)
  header.writeUInt32BE(crc32(header.subarray(0, 20)), 20)
  return header
}

/** Fills in the header of the chunk that is `buffer[0, length)`, its first CHUNK_HEADER_BYTES bytes being free. */
export function sealChunk(buffer: Buffer, length: number, segment: number, offset: number, syncedSegment: number, syncedOffset: number): void {
  buffer.writeUInt32BE(CHUNK_MAGIC, 0)
  buffer.writeUInt32BE(segment, 4)
  buffer.writeUInt32BE(offset, 8)
  buffer.writeUInt32BE(length - CHUNK_HEADER_BYTES, 12)
  buffer.writeUInt32BE(syncedSegment, 16)
  buffer.writeUInt32BE(syncedOffset, 20)
  buffer.writeUInt32BE(chunkCrc(buffer, 0, length), 24)
}

function chunkCrc(bytes: Buffer, from: number, to: number): number {
  return crc32(bytes.subarray(from + CHUNK_HEADER_BYTES, to), crc32(bytes.subarray(from, from + 24)))
}

/** Whether a whole segment header starts the bytes. Throws CorruptionError for a newer version. */
export function isSegmentHeader(bytes: Buffer, segment: number): boolean {
  if (bytes.length < SEGMENT_HEADER_BYTES || bytes.readUInt32BE(0) !== SEGMENT_MAGIC) return false
  if (bytes.readUInt32BE(20) !== crc32(bytes.subarray(0, 20)) || bytes.readUInt32BE(8) !== segment) return false
  if (bytes[4] !== COMMIT_LOG_VERSION) new ByteReader(bytes, 4).fail(`commit log version ${COMMIT_LOG_VERSION}, found ${bytes[4] as number}`)
  return true
}

/** The end of the whole chunk that starts at `at`, or 0 when there is none. */
export function chunkEnd(bytes: Buffer, at: number, segment: number): number {
  if (at + CHUNK_HEADER_BYTES > bytes.length) return 0
  if (bytes.readUInt32BE(at) !== CHUNK_MAGIC || bytes.readUInt32BE(at + 4) !== segment || bytes.readUInt32BE(at + 8) !== at) return 0
  const end = at + CHUNK_HEADER_BYTES + bytes.readUInt32BE(at + 12)
  if (end > bytes.length || chunkCrc(bytes, at, end) !== bytes.readUInt32BE(at + 24)) return 0
  return end
}

/** The next place behind `at` where a whole chunk starts, or -1. */
export function findChunk(bytes: Buffer, at: number, segment: number): number {
  const magic = Buffer.alloc(4)
  magic.writeUInt32BE(CHUNK_MAGIC, 0)
  for (let place = bytes.indexOf(magic, at + 1); place !== -1; place = bytes.indexOf(magic, place + 1)) {
    if (chunkEnd(bytes, place, segment) !== 0) return place
  }
  return -1
}
