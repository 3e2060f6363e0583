// The file format of hints: mutations for one peer, in the order in which they were written. Big-endian.
//
//   offset  field
//   0       u32  magic      "BVHT"
//   4       u16  version    1
//   6       u16  reserved   0
//   8       u32  node       the peer
//   12      i64  createdAt  microseconds since 1970, on this node's clock
//   20      u32  crc        CRC-32 of the 20 bytes before
//   24      records:
//
//           u32  size       of what follows the CRC
//           u32  crc        CRC-32 of what follows
//           u32  epoch      metadata epoch at which the mutation was made
//           u32  writtenAt  seconds since 1970
//           mutation        mutation.ts
//
// A record that goes beyond the end of the file is a torn tail, of a crash, and ends the file. A record whose CRC does
// not fit is damage: it is reported with its offset.
//
// Versions: 1 this one. A worked example is testdata/hint-file.hex.
// What is bad about it: a file is delivered from its beginning again after a restart; mutations that are older than the
// newest one of the same cell are sent too.
import { CorruptionError } from "../../data/bytes.ts"
import type { Epoch } from "../../data/schema.ts"
import { Buffer, crc32 } from "../../runtime/pure.ts"
import type { NodeId } from "../../runtime/network.ts"

export const HINT_HEADER_SIZE = 24
const MAGIC = 0x42564854
const VERSION = 1
const RECORD_HEADER_SIZE = 8
const RECORD_FIELDS_SIZE = 8

export interface HintHeader {
  readonly node: NodeId
  readonly createdAtMicros: number
}

export interface HintRecord {
  readonly epoch: Epoch
  readonly writtenAtSeconds: number
  /** A view. */
  readonly mutation: Buffer
  /** Offset of the record after this one. */
  readonly end: number
}

export function encodeHintHeader(header: HintHeader): Buffer {
  const bytes = Buffer.alloc(HINT_HEADER_SIZE)
  bytes.writeUInt32BE(MAGIC, 0)
  bytes.writeUInt16BE(VERSION, 4)
  bytes.writeUInt32BE(header.node, 8)
  bytes.writeBigInt64BE(BigInt(header.createdAtMicros), 12)
  bytes.writeUInt32BE(crc32(bytes.subarray(0, 20)), 20)
  return bytes
}

/** Null when the file ends within its header (a crash at its creation). Throws CorruptionError. */
export function decodeHintHeader(bytes: Buffer): HintHeader | null {
  if (bytes.length < HINT_HEADER_SIZE) return null
  if (bytes.readUInt32BE(0) !== MAGIC) throw new CorruptionError("expected the magic of a hint file", 0)
  if (bytes.readUInt16BE(4) !== VERSION) throw new CorruptionError(`expected hint file version ${VERSION}, found ${bytes.readUInt16BE(4)}`, 4)
  if (crc32(bytes.subarray(0, 20)) !== bytes.readUInt32BE(20)) throw new CorruptionError("the hint file's header has another CRC", 20)
  return { node: bytes.readUInt32BE(8), createdAtMicros: Number(bytes.readBigInt64BE(12)) }
}

export function encodeHint(mutation: Buffer, epoch: Epoch, writtenAtSeconds: number): Buffer {
  const bytes = Buffer.allocUnsafe(RECORD_HEADER_SIZE + RECORD_FIELDS_SIZE + mutation.length)
  bytes.writeUInt32BE(RECORD_FIELDS_SIZE + mutation.length, 0)
  bytes.writeUInt32BE(epoch, 8)
  bytes.writeUInt32BE(writtenAtSeconds, 12)
  mutation.copy(bytes, 16)
  bytes.writeUInt32BE(crc32(bytes.subarray(RECORD_HEADER_SIZE)), 4)
  return bytes
}

/** The record at the offset; null at the end or at a torn tail. Throws CorruptionError. */
export function decodeHint(file: Buffer, at: number): HintRecord | null {
  if (at + RECORD_HEADER_SIZE > file.length) return null
  const size = file.readUInt32BE(at)
  const from = at + RECORD_HEADER_SIZE
  const end = from + size
  if (end > file.length) return null
  if (size < RECORD_FIELDS_SIZE || crc32(file.subarray(from, end)) !== file.readUInt32BE(at + 4)) throw new CorruptionError("a hint with another CRC", at)
  return { epoch: file.readUInt32BE(from), writtenAtSeconds: file.readUInt32BE(from + 4), mutation: file.subarray(from + RECORD_FIELDS_SIZE, end), end }
}
