// The part of Node.js that every folder may use: synchronous pure functions, and nothing that reads a clock,
// a disk, a network or a random source.
import { Buffer, isUtf8 } from "node:buffer"
import { createHash } from "node:crypto"
import { createRequire } from "node:module"
import { crc32 as zlibCrc32 } from "node:zlib"

export { Buffer, isUtf8 }

/** A value now, or a promise only when the disk or another node must be asked. */
export type Maybe<T> = T | Promise<T>

export function isPromise<T>(value: Maybe<T>): value is Promise<T> {
  return value instanceof Promise
}

/** A broken assertion is a bug in the database, never bad input: it is not caught, and ends the process. */
export class AssertionError extends Error {
  override readonly name = "AssertionError"
}

export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message)
}

/** CRC-32 (IEEE 802.3, as zlib) of the bytes, continuing from `seed`. An unsigned 32-bit number. */
export function crc32(bytes: Uint8Array, seed = 0): number {
  return zlibCrc32(bytes, seed)
}

/** MD5 of the parts one after the other: 16 bytes. Identifiers and digests only, never security. */
export function md5(...parts: (Uint8Array | string)[]): Buffer {
  const hash = createHash("md5")
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** A digest by the name of its algorithm ("SHA-256"); null when there is no such algorithm. */
export function digest(algorithm: string, bytes: Uint8Array): Buffer | null {
  try {
    return createHash(algorithm).update(bytes).digest()
  } catch {
    return null
  }
}

interface Lz4 {
  compressSync(data: Buffer): Buffer
  uncompressSync(data: Buffer): Buffer
}
let lz4Module: Lz4 | null = null
// lz4-napi is loaded at the first use: most nodes answer their first request long before they compress anything.
function lz4(): Lz4 {
  lz4Module ??= createRequire(import.meta.url)("lz4-napi") as Lz4
  return lz4Module
}

interface Snappy {
  compress(data: Buffer): Buffer
  uncompress(data: Buffer, maxLength?: number): Buffer
}
let snappyModule: Snappy | null = null
function snappy(): Snappy {
  snappyModule ??= createRequire(import.meta.url)("snappyjs") as Snappy
  return snappyModule
}

/** One Snappy block; it begins with its uncompressed length. */
export function snappyCompress(bytes: Uint8Array): Buffer {
  return snappy().compress(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
}

/** What a Snappy block holds. Throws when the block is damaged or promises more than `maxSize` bytes. */
export function snappyDecompress(bytes: Uint8Array, maxSize: number): Buffer {
  return snappy().uncompress(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), maxSize)
}

/** One LZ4 block, without any length header. */
export function lz4Compress(bytes: Uint8Array): Buffer {
  // lz4-napi puts the uncompressed length (4 bytes, little-endian) in front of the block.
  return lz4().compressSync(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).subarray(4)
}

/**
 * Decompresses the LZ4 block at `source[from, from + length)` into `target` at `at`.
 * REQUIRES: `size` is the exact uncompressed length. Throws when the block is damaged or of another size.
 */
export function lz4DecompressInto(source: Uint8Array, from: number, length: number, target: Uint8Array, at: number, size: number): void {
  const framed = Buffer.allocUnsafe(4 + length)
  framed.writeUInt32LE(size, 0)
  framed.set(source.subarray(from, from + length), 4)
  const plain = lz4().uncompressSync(framed)
  if (plain.length !== size) throw new RangeError(`LZ4 block holds ${plain.length} bytes, expected ${size}`)
  target.set(plain, at)
}
