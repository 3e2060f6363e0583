// The part of Node.js that every folder may use: synchronous pure functions, and nothing that reads a clock,
// a disk, a network or a random source.
import { Buffer, isUtf8 } from "node:buffer"
import { createHash, hash as hashOnce } from "node:crypto"
import { createRequire } from "node:module"
import { constants, crc32 as zlibCrc32, deflateSync, inflateSync, zstdCompressSync, zstdDecompressSync } from "node:zlib"
import { Lz4, MAX_BYTES as LZ4_MAX_BYTES } from "./lz4.ts"

export { LZ4_MAX_BYTES }

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
  const [first] = parts
  // By way of a string: the shortest way through Node.js takes 1.0 us, a Hash object 2.5.
  if (parts.length === 1 && first !== undefined) return Buffer.from(hashOnce("md5", first, "binary"), "latin1")
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

interface LargeLz4 {
  compressSync(data: Buffer): Buffer
  uncompressSync(data: Buffer): Buffer
}
let largeLz4Module: LargeLz4 | null = null
/** For what is larger than the memory that `lz4` keeps. */
function largeLz4(): LargeLz4 {
  largeLz4Module ??= createRequire(import.meta.url)("lz4-napi") as LargeLz4
  return largeLz4Module
}
let lz4Instance: Lz4 | null = null
// Made at the first use: most nodes answer their first request long before they compress anything.
function lz4(): Lz4 {
  lz4Instance ??= new Lz4()
  return lz4Instance
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

/** One LZ4 block, without any length header. `dictionary`: bytes that whoever decompresses it has too. REQUIRES: none for more than LZ4_MAX_BYTES. */
export function lz4Compress(bytes: Uint8Array, dictionary?: Uint8Array): Buffer {
  if (bytes.length <= LZ4_MAX_BYTES) return Buffer.from(lz4().compress(bytes, dictionary))
  assert(dictionary === undefined, "a dictionary is for small blocks")
  // lz4-napi puts the uncompressed length (4 bytes, little-endian) in front of the block.
  return largeLz4().compressSync(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).subarray(4)
}

/**
 * Decompresses the LZ4 block at `source[from, from + length)` into `target` at `at`.
 * REQUIRES: `size` is the exact uncompressed length. Throws RangeError when the block is damaged or of another size; nothing
 * of `target` has changed then.
 */
export function lz4DecompressInto(source: Uint8Array, from: number, length: number, target: Uint8Array, at: number, size: number, dictionary?: Uint8Array): void {
  if (size > LZ4_MAX_BYTES || length > LZ4_MAX_BYTES) return largeLz4DecompressInto(source, from, length, target, at, size)
  const count = lz4().decompress(source, from, length, target, at, size, dictionary)
  if (count !== size) throw new RangeError(count < 0 ? `the LZ4 block is damaged or holds more than ${size} bytes` : `LZ4 block holds ${count} bytes, expected ${size}`)
}

function largeLz4DecompressInto(source: Uint8Array, from: number, length: number, target: Uint8Array, at: number, size: number): void {
  const framed = Buffer.allocUnsafe(4 + length)
  framed.writeUInt32LE(size, 0)
  framed.set(source.subarray(from, from + length), 4)
  let plain: Buffer
  try {
    plain = largeLz4().uncompressSync(framed)
  } catch {
    throw new RangeError("the LZ4 block is damaged")
  }
  if (plain.length !== size) throw new RangeError(`LZ4 block holds ${plain.length} bytes, expected ${size}`)
  target.set(plain, at)
}

/** A Zstandard frame; `level` from -131072 to 22. */
export function zstdCompress(bytes: Uint8Array, level: number): Buffer {
  return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: level } })
}
/** What a Zstandard frame holds. Throws when it is damaged or holds more than `maxSize` bytes. */
export function zstdDecompress(bytes: Uint8Array, maxSize: number): Buffer {
  return zstdDecompressSync(bytes, { maxOutputLength: maxSize })
}

/** A zlib stream (RFC 1950). */
export function deflate(bytes: Uint8Array): Buffer {
  return deflateSync(bytes)
}
/** What a zlib stream holds. Throws when it is damaged or holds more than `maxSize` bytes. */
export function inflate(bytes: Uint8Array, maxSize: number): Buffer {
  return inflateSync(bytes, { maxOutputLength: maxSize })
}
