// Compression of single frames in v3 and v4 (section 5), and FRAME_FLAG.compressed says so. The body is replaced by
//   lz4      its uncompressed length, 4 bytes big-endian, and one LZ4 block
//   snappy   one Snappy block, which begins with that length
// v5 compresses segments instead, with LZ4 alone (segment.ts).
import { Buffer, lz4Compress, lz4DecompressInto, snappyCompress, snappyDecompress } from "../../runtime/pure.ts"
import type { ByteWriter } from "../../data/bytes.ts"
import { ProtocolError } from "../errors.ts"
import { FRAME_FLAG, FRAME_HEADER_SIZE } from "./frame.ts"

/** Below this many bytes nothing is gained: such a body is sent as it is, which the format allows. */
export const COMPRESSION_THRESHOLD = 512
const LENGTH_SIZE = 4
/** No LZ4 block holds more than this many times its size: a larger promise must not make us allocate. */
const LARGEST_RATIO = 255

export type FrameCompression = "lz4" | "snappy"

/** Compresses the body of the frame that began at `start` and ends here, when that makes it smaller. */
export function compressFrame(out: ByteWriter, start: number, compression: FrameCompression): void {
  const bodyStart = start + FRAME_HEADER_SIZE
  const size = out.length - bodyStart
  if (size < COMPRESSION_THRESHOLD) return
  const body = out.buffer.subarray(bodyStart, out.length)
  const block = compression === "lz4" ? lz4Compress(body) : snappyCompress(body)
  const blockStart = bodyStart + (compression === "lz4" ? LENGTH_SIZE : 0)
  if (blockStart + block.length >= out.length) return
  out.buffer[start + 1] = (out.buffer[start + 1] as number) | FRAME_FLAG.compressed
  if (compression === "lz4") out.buffer.writeUInt32BE(size, bodyStart)
  block.copy(out.buffer, blockStart)
  out.length = blockStart + block.length
}

/** The uncompressed body of `bytes[from, to)`. Throws ProtocolError. */
export function decompressBody(bytes: Buffer, from: number, to: number, maxSize: number, compression: FrameCompression): Buffer {
  if (to === from) return Buffer.alloc(0)
  if (compression === "snappy") return decompressSnappy(bytes.subarray(from, to), maxSize)
  if (to - from < LENGTH_SIZE) throw new ProtocolError("Not enough bytes to read the uncompressed length of a frame")
  const size = bytes.readUInt32BE(from)
  if (size > maxSize) throw new ProtocolError(`Request is too big: length ${size} exceeds maximum allowed length ${maxSize}.`)
  if (size === 0) return Buffer.alloc(0)
  return decompressBlock(bytes, from + LENGTH_SIZE, to, size)
}

/** The LZ4 block `bytes[from, to)` of exactly `size` bytes uncompressed. Throws ProtocolError. */
export function decompressBlock(bytes: Buffer, from: number, to: number, size: number): Buffer {
  if (size > (to - from) * LARGEST_RATIO) failBlock(to - from, size)
  const plain = Buffer.allocUnsafe(size)
  try {
    lz4DecompressInto(bytes, from, to - from, plain, 0, size)
  } catch {
    failBlock(to - from, size)
  }
  return plain
}

function decompressSnappy(block: Buffer, maxSize: number): Buffer {
  try {
    return snappyDecompress(block, maxSize)
  } catch {
    throw new ProtocolError(`Cannot decompress a Snappy block of ${block.length} bytes into at most ${maxSize}`)
  }
}

function failBlock(compressedSize: number, size: number): never {
  throw new ProtocolError(`Cannot decompress an LZ4 block of ${compressedSize} bytes into ${size}`)
}
