// Segments: what carries envelopes in v5 after STARTUP (native_protocol_v5.spec, section 2). All numbers of a segment
// are little-endian.
//
//   uncompressed            header of 6 bytes
//   bits 0..16              payload length
//   bit  17                 self-contained
//   bits 18..23             0
//   3 bytes                 CRC24 of the first 3 bytes
//
//   with LZ4                header of 8 bytes
//   bits 0..16              payload length as sent
//   bits 17..33             payload length uncompressed; 0: the payload is not compressed
//   bit  34                 self-contained
//   bits 35..39             0
//   3 bytes                 CRC24 of the first 5 bytes
//
//   then in both            payload, CRC32 of the payload (its initial bytes FA 2D 55 CA)
//
// A self-contained segment holds whole envelopes, one or more. An envelope of more than 131,071 bytes is cut over
// several segments that are not self-contained and hold nothing else.
//
// A damaged segment ends its connection: nothing behind it can be trusted. What is bad about the format: the length is
// trusted for its own CRC24 only, and small answers pay 10 bytes each unless several share a segment.
import { Buffer, crc32, lz4Compress } from "../../runtime/pure.ts"
import { ProtocolError } from "../errors.ts"
import { COMPRESSION_THRESHOLD, decompressBlock } from "./compression.ts"
import { FatalProtocolError, FRAME_HEADER_SIZE } from "./frame.ts"

export const MAX_SEGMENT_PAYLOAD = 128 * 1024 - 1
const CRC24_INIT = 0x875060
const CRC24_POLYNOMIAL = 0x1974f0b
const CRC24_SIZE = 3
const CRC32_SIZE = 4
const CRC32_INIT = crc32(Buffer.from([0xfa, 0x2d, 0x55, 0xca]))
const CRC24_TABLE = crc24Table()
const SEGMENT_STREAM = 0

function crc24Table(): Int32Array {
  const table = new Int32Array(256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte << 16
    for (let bit = 0; bit < 8; bit++) {
      crc <<= 1
      if ((crc & 0x1000000) !== 0) crc ^= CRC24_POLYNOMIAL
    }
    table[byte] = crc
  }
  return table
}

/** CRC24 of `bytes[from, to)`, as the protocol defines it. */
export function crc24(bytes: Uint8Array, from: number, to: number): number {
  let crc = CRC24_INIT
  for (let i = from; i < to; i++) {
    crc = ((crc << 8) & 0xffffff) ^ (CRC24_TABLE[((crc >> 16) ^ (bytes[i] as number)) & 0xff] as number)
  }
  return crc
}

/** CRC32 of a payload. */
export function payloadCrc(payload: Uint8Array): number {
  return crc32(payload, CRC32_INIT)
}

/** Reads segments of one connection, one after the other into the same fields. */
export class SegmentDecoder {
  readonly #compressed: boolean
  readonly #version: number
  readonly #headerSize: number
  /** What `open` found: envelopes, or a part of one, in `payload[from, to)`. */
  payload: Buffer = Buffer.alloc(0)
  from = 0
  to = 0
  isSelfContained = false

  constructor(version: number, compressed: boolean) {
    this.#version = version
    this.#compressed = compressed
    this.#headerSize = (compressed ? 5 : 3) + CRC24_SIZE
  }

  /** The size of the segment that starts at `at`; 0 when `bytes[at, end)` is too short to know. Throws FatalProtocolError. */
  size(bytes: Buffer, at: number, end: number): number {
    if (end - at < this.#headerSize) return 0
    const crcAt = at + this.#headerSize - CRC24_SIZE
    const expected = bytes.readUIntLE(crcAt, CRC24_SIZE)
    const computed = crc24(bytes, at, crcAt)
    if (expected !== computed) this.#failCrc("header", expected, computed)
    return this.#headerSize + this.#lengthAsSent(bytes, at) + CRC32_SIZE
  }

  /** Checks and uncompresses the segment `bytes[at, end)`. Throws FatalProtocolError. */
  open(bytes: Buffer, at: number, end: number): void {
    const from = at + this.#headerSize
    const to = end - CRC32_SIZE
    const expected = bytes.readUInt32LE(to)
    const computed = payloadCrc(bytes.subarray(from, to))
    if (expected !== computed) this.#failCrc("body", expected, computed)
    const plainSize = this.#compressed ? uncompressedLength(bytes, at) : 0
    this.isSelfContained = this.#compressed ? ((bytes[at + 4] as number) & 0x04) !== 0 : ((bytes[at + 2] as number) & 0x02) !== 0
    if (plainSize === 0) {
      this.payload = bytes
      this.from = from
      this.to = to
    } else {
      this.payload = this.#decompress(bytes, from, to, plainSize)
      this.from = 0
      this.to = plainSize
    }
  }

  #lengthAsSent(bytes: Buffer, at: number): number {
    return bytes.readUIntLE(at, 3) & 0x1ffff
  }
  #decompress(bytes: Buffer, from: number, to: number, size: number): Buffer {
    try {
      return decompressBlock(bytes, from, to, size)
    } catch (error) {
      throw error instanceof ProtocolError ? this.fatal(error.message) : error
    }
  }
  #failCrc(where: string, expected: number, computed: number): never {
    throw this.fatal(`Invalid frame, unrecoverable CRC mismatch detected in frame ${where}. Read ${expected}, Computed ${computed}`)
  }
  fatal(message: string): FatalProtocolError {
    return new FatalProtocolError(message, SEGMENT_STREAM, this.#version)
  }
}

function uncompressedLength(bytes: Buffer, at: number): number {
  // Bits 17..33 of the header are bits 1..17 of its last three bytes.
  return (bytes.readUIntLE(at + 2, 3) >>> 1) & 0x1ffff
}

/** The envelopes `bytes[from, to)`, which must be whole, as segments in a buffer of its own. */
export function encodeSegments(bytes: Buffer, from: number, to: number, compressed: boolean): Buffer {
  const overhead = (compressed ? 5 : 3) + CRC24_SIZE + CRC32_SIZE
  const count = countSegments(bytes, from, to)
  const out = Buffer.allocUnsafe(to - from + count * overhead)
  let written = 0
  let at = from
  while (at < to) {
    const end = segmentEnd(bytes, at, to)
    if (end > at) {
      written = writeSegment(out, written, bytes, at, end, true, compressed)
      at = end
    } else {
      const envelopeEnd = at + envelopeSize(bytes, at)
      for (; at < envelopeEnd; at = Math.min(at + MAX_SEGMENT_PAYLOAD, envelopeEnd)) {
        written = writeSegment(out, written, bytes, at, Math.min(at + MAX_SEGMENT_PAYLOAD, envelopeEnd), false, compressed)
      }
    }
  }
  return out.subarray(0, written)
}

function envelopeSize(bytes: Buffer, at: number): number {
  return FRAME_HEADER_SIZE + bytes.readInt32BE(at + FRAME_HEADER_SIZE - 4)
}

// Where the self-contained segment that starts at `from` ends; `from` itself when the first envelope is too large.
function segmentEnd(bytes: Buffer, from: number, to: number): number {
  let end = from
  while (end < to) {
    const next = end + envelopeSize(bytes, end)
    if (next - from > MAX_SEGMENT_PAYLOAD) break
    end = next
  }
  return end
}

function countSegments(bytes: Buffer, from: number, to: number): number {
  let count = 0
  let at = from
  while (at < to) {
    const end = segmentEnd(bytes, at, to)
    if (end > at) {
      count++
      at = end
    } else {
      const size = envelopeSize(bytes, at)
      count += Math.ceil(size / MAX_SEGMENT_PAYLOAD)
      at += size
    }
  }
  return count
}

/** Writes one segment with the payload `bytes[from, to)` to `out` at `at`; returns its end. */
export function writeSegment(
  out: Buffer, at: number, bytes: Buffer, from: number, to: number, isSelfContained: boolean, compressed: boolean,
): number {
  let payloadAt: number
  let sent = to - from
  if (compressed) {
    const block = sent >= COMPRESSION_THRESHOLD ? lz4Compress(bytes.subarray(from, to)) : null
    const isSmaller = block !== null && block.length < sent
    payloadAt = at + 5 + CRC24_SIZE
    if (isSmaller) block.copy(out, payloadAt)
    else bytes.copy(out, payloadAt, from, to)
    const plain = isSmaller ? sent : 0
    if (isSmaller) sent = block.length
    out.writeUInt32LE((sent | (plain << 17)) >>> 0, at)
    out[at + 4] = (plain >> 15) | (isSelfContained ? 0x04 : 0)
  } else {
    payloadAt = at + 3 + CRC24_SIZE
    bytes.copy(out, payloadAt, from, to)
    out.writeUIntLE(sent | (isSelfContained ? 0x20000 : 0), at, 3)
  }
  const crcAt = payloadAt - CRC24_SIZE
  out.writeUIntLE(crc24(out, at, crcAt), crcAt, CRC24_SIZE)
  const end = payloadAt + sent
  out.writeUInt32LE(payloadCrc(out.subarray(payloadAt, end)), end)
  return end + CRC32_SIZE
}
