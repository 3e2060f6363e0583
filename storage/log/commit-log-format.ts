// The commit log's bytes. Big-endian. A segment is a file `<segment, ten digits>.log`:
//
//   segment header
//   0       u32  magic           "BLVs"
//   4       u8   version         2
//   5       3×u8 reserved        0
//   8       u32  segment         counts up over the life of the data directory
//   12      u32  generation      drawn from the clock when the log was opened
//   16      u32  previous        the segment before it in this life of the process, 0: none
//   20      u32  previousBytes   where that segment's chunks end: with fewer it has lost its end
//   24      u32  crc             of the bytes before it
//
// then chunks, each the records of one event-loop turn, handed to the operating system in one write:
//
//   0       u32  magic           "BLVc"
//   4       u32  segment         those of the file's header: bytes of another life of the file never pass for a chunk
//   8       u32  generation
//   12      u32  offset          of this chunk in the file
//   16      u32  length          of the records
//   20      u32  syncedSegment   everything before (syncedSegment, syncedOffset) was on the disk when this was written
//   24      u32  syncedOffset
//   28      u32  crc             of the 28 bytes before it and the records
//   32      records
//
// A chunk without records ends the segment: the log went on in the next one. Behind the last chunk is anything: zeros of a file that was made larger ahead of the writes, or what the file held when it was
// another segment.
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
// The log ends at the first chunk that is not whole or is missing. When a whole chunk further on says that this place was
// synced, bytes have been damaged (CorruptFileError); otherwise it is the torn end of a crash, and cut.
//
// Versions: 2 this one; 1 had no generation and is refused. A worked example is testdata/commit-log.hex.
// What is bad about it: damage of the very last synced chunk, with nothing written after it, looks like a torn end; a
// record cannot be found without reading its chunk; one flipped bit loses a whole turn's records.
import { Buffer, crc32 } from "../../runtime/pure.ts"
import { ByteReader } from "../../data/bytes.ts"

export const COMMIT_LOG_VERSION = 2
export const SEGMENT_MAGIC = 0x424c5673
export const CHUNK_MAGIC = 0x424c5663
export const SEGMENT_HEADER_BYTES = 28
export const CHUNK_HEADER_BYTES = 32
export const RECORD_HEADER_BYTES = 12
export const RECORD_KIND = { mutation: 1 } as const

const SEGMENT_CRC_AT = 24
const CHUNK_CRC_AT = 28

export interface SegmentHeader {
  readonly segment: number
  readonly generation: number
  /** 0: none. */
  readonly previous: number
  readonly previousBytes: number
}

/** In a chunk's header. */
export interface SyncedThrough {
  readonly segment: number
  readonly offset: number
}

export function segmentName(segment: number): string {
  return `${String(segment).padStart(10, "0")}.log`
}
/** A file that was a segment and waits to be one again. */
export function spareName(segment: number): string {
  return `${String(segment).padStart(10, "0")}.spare`
}
/** The segment a file name stands for; null for other files. */
export function segmentOfName(name: string): number | null {
  return /^\d{10}\.log$/.test(name) ? Number(name.slice(0, 10)) : null
}
export function isSpareName(name: string): boolean {
  return /^\d{10}\.spare$/.test(name)
}

export function encodeSegmentHeader({ segment, generation, previous, previousBytes }: SegmentHeader): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES)
  header.writeUInt32BE(SEGMENT_MAGIC, 0)
  header[4] = COMMIT_LOG_VERSION
  header.writeUInt32BE(segment, 8)
  header.writeUInt32BE(generation, 12)
  header.writeUInt32BE(previous, 16)
  header.writeUInt32BE(previousBytes, 20)
  header.writeUInt32BE(crc32(header.subarray(0, SEGMENT_CRC_AT)), SEGMENT_CRC_AT)
  return header
}

/** The header that starts the bytes; null when it is not whole, or another segment's. Throws CorruptionError for another version. */
export function decodeSegmentHeader(bytes: Buffer, segment: number): SegmentHeader | null {
  if (bytes.length < SEGMENT_HEADER_BYTES || bytes.readUInt32BE(0) !== SEGMENT_MAGIC) return null
  // Version 1 had its CRC four bytes earlier.
  const isOlder = bytes[4] === 1 && bytes.readUInt32BE(20) === crc32(bytes.subarray(0, 20))
  const isWhole = isOlder || bytes.readUInt32BE(SEGMENT_CRC_AT) === crc32(bytes.subarray(0, SEGMENT_CRC_AT))
  if (!isWhole || bytes.readUInt32BE(8) !== segment) return null
  if (bytes[4] !== COMMIT_LOG_VERSION) new ByteReader(bytes, 4).fail(`commit log version ${COMMIT_LOG_VERSION}, found ${bytes[4] as number}`)
  return { segment, generation: bytes.readUInt32BE(12), previous: bytes.readUInt32BE(16), previousBytes: bytes.readUInt32BE(20) }
}

/** Fills in the header of the chunk that is `buffer[0, length)`, its first CHUNK_HEADER_BYTES bytes being free. */
export function sealChunk(buffer: Buffer, length: number, segment: number, generation: number, offset: number, synced: SyncedThrough): void {
  buffer.writeUInt32BE(CHUNK_MAGIC, 0)
  buffer.writeUInt32BE(segment, 4)
  buffer.writeUInt32BE(generation, 8)
  buffer.writeUInt32BE(offset, 12)
  buffer.writeUInt32BE(length - CHUNK_HEADER_BYTES, 16)
  buffer.writeUInt32BE(synced.segment, 20)
  buffer.writeUInt32BE(synced.offset, 24)
  buffer.writeUInt32BE(chunkCrc(buffer, 0, length), CHUNK_CRC_AT)
}

export function syncedThroughOf(bytes: Buffer, chunk: number): SyncedThrough {
  return { segment: bytes.readUInt32BE(chunk + 20), offset: bytes.readUInt32BE(chunk + 24) }
}

function chunkCrc(bytes: Buffer, from: number, to: number): number {
  return crc32(bytes.subarray(from + CHUNK_HEADER_BYTES, to), crc32(bytes.subarray(from, from + CHUNK_CRC_AT)))
}

/** The end of the whole chunk that starts at `at`, or 0 when there is none. `generation` null: any. */
export function chunkEnd(bytes: Buffer, at: number, segment: number, generation: number | null): number {
  const end = uncheckedChunkEnd(bytes, at, segment, generation)
  return end === 0 || chunkCrc(bytes, at, end) !== bytes.readUInt32BE(at + CHUNK_CRC_AT) ? 0 : end
}

/** As chunkEnd, of a chunk whose CRC has been checked already: half a second per 500 MiB. */
export function uncheckedChunkEnd(bytes: Buffer, at: number, segment: number, generation: number | null): number {
  if (at + CHUNK_HEADER_BYTES > bytes.length) return 0
  if (bytes.readUInt32BE(at) !== CHUNK_MAGIC || bytes.readUInt32BE(at + 4) !== segment || bytes.readUInt32BE(at + 12) !== at) return 0
  if (generation !== null && bytes.readUInt32BE(at + 8) !== generation) return 0
  const end = at + CHUNK_HEADER_BYTES + bytes.readUInt32BE(at + 16)
  return end > bytes.length ? 0 : end
}

/** The next place behind `at` where a whole chunk starts, or -1. */
export function findChunk(bytes: Buffer, at: number, segment: number, generation: number | null): number {
  const magic = Buffer.alloc(4)
  magic.writeUInt32BE(CHUNK_MAGIC, 0)
  for (let place = bytes.indexOf(magic, at + 1); place !== -1; place = bytes.indexOf(magic, place + 1)) {
    if (chunkEnd(bytes, place, segment, generation) !== 0) return place
  }
  return -1
}
