// Stored blocks (sstable-format.ts): compressed, with a checksum. And what a table's `compression` option means for them.
//
// Cassandra's `chunk_length_in_kb` is the size of what is compressed together, cut without regard to rows. Our blocks begin and
// end with whole entries and are what a point read decompresses and searches, so they are a quarter of it: 4 KiB at the
// default of 16. Small blocks alone compress badly, since each has to say everything anew; so those of LZ4 share a dictionary,
// the end of the file's first block. Measured on rows of 236 bytes, half of them random: 124.5 bytes a row with blocks of 4 KiB
// and the dictionary, 128.0 without it, 122.8 with blocks of 8 KiB, where a read that misses the block cache takes one and
// a half times as long, 121.6 with blocks of 16 KiB.
import {
  type Buffer, LZ4_MAX_BYTES, crc32, deflate, inflate, lz4Compress, lz4DecompressInto, snappyCompress, snappyDecompress, zstdCompress, zstdDecompress,
} from "../../runtime/pure.ts"
import { CorruptionError, type ByteWriter } from "../../data/bytes.ts"
import type { BlockCache } from "./block-cache.ts"

export const STORED_BLOCK_HEADER_BYTES = 12
export const CODEC = { none: 0, lz4: 1, snappy: 2, deflate: 3, zstd: 4, lz4WithDictionary: 5 } as const
export type Codec = (typeof CODEC)[keyof typeof CODEC]

/** Of the first block of a file, its last so many bytes are the dictionary of the others. */
export const DICTIONARY_BYTES = 4 << 10
export const DEFAULT_BLOCK_BYTES = 4 << 10
const SMALLEST_BLOCK_BYTES = 1 << 10
/** Offsets within a block are 16 bits. */
const LARGEST_BLOCK_BYTES = 64 << 10
const BLOCKS_PER_CHUNK = 4
const DEFAULT_ZSTD_LEVEL = 3
/** A block must become smaller by an eighth, or else decompressing it is not worth the time. */
const DEFAULT_RATIO = 8 / 7
/** No single row is larger: half a commit log segment, with room. */
const MAX_PLAIN_BYTES = 1 << 30

export interface Compression {
  readonly codec: Codec
  /** Of Zstandard. */
  readonly level: number
  /** A block is closed when its entries reach this. */
  readonly blockBytes: number
  /** A block is stored as it is when it is not at least so many times as large as its compressed form. */
  readonly minRatio: number
}

const CODEC_OF: Readonly<Record<string, Codec>> = {
  LZ4Compressor: CODEC.lz4, SnappyCompressor: CODEC.snappy, DeflateCompressor: CODEC.deflate, ZstdCompressor: CODEC.zstd, NoopCompressor: CODEC.none,
}

export function compressionOf(options: Readonly<Record<string, string>>): Compression {
  const { enabled, class: className, sstable_compression: oldName, chunk_length_in_kb: chunkLength, compression_level: level, min_compress_ratio: ratio } = options
  const name = (className ?? oldName ?? "").split(".").at(-1) as string
  const codec = enabled === "false" ? CODEC.none : (CODEC_OF[name] ?? CODEC.none)
  const blockBytes = chunkLength === undefined ? DEFAULT_BLOCK_BYTES : (Number(chunkLength) * 1024) / BLOCKS_PER_CHUNK
  return {
    codec, level: level === undefined ? DEFAULT_ZSTD_LEVEL : Number(level),
    blockBytes: Math.min(Math.max(blockBytes, SMALLEST_BLOCK_BYTES), LARGEST_BLOCK_BYTES),
    minRatio: ratio === undefined ? DEFAULT_RATIO : Number(ratio),
  }
}

/**
 * Appends the block as it is stored; returns how many bytes that are. `extra` is the room that a reader needs behind the block,
 * less than 2^24. The dictionary (null: none) serves LZ4 alone: the others have larger windows to fill, or none.
 */
export function storeBlock(block: Buffer, extra: number, compression: Compression, dictionary: Buffer | null, out: ByteWriter): number {
  const withDictionary = compression.codec === CODEC.lz4 && dictionary !== null && block.length <= LZ4_MAX_BYTES
  const codec = withDictionary ? CODEC.lz4WithDictionary : compression.codec
  const compressed = withDictionary ? lz4Compress(block, dictionary) : compress(block, compression.codec, compression.level)
  const isSmaller = compressed.length * compression.minRatio < block.length
  const content = isSmaller ? compressed : block
  const size = STORED_BLOCK_HEADER_BYTES + content.length
  const at = out.grow(size)
  const bytes = out.buffer
  bytes.writeUInt32BE(block.length, at + 4)
  bytes.writeUInt32BE(extra, at + 8)
  bytes[at + 8] = isSmaller ? codec : CODEC.none
  content.copy(bytes, at + STORED_BLOCK_HEADER_BYTES)
  bytes.writeUInt32BE(crc32(bytes.subarray(at + 4, at + size)), at)
  return size
}

/** The room that a block needs behind it in memory. */
export function extraOf(stored: Buffer): number {
  return stored.readUInt32BE(8) & 0xffffff
}

/**
 * Checks the stored block and puts what it holds where the cache has room for it and what it needs behind it; returns its size. Throws CorruptionError;
 * `offset` is where the block is stored.
 */
export function loadBlock(stored: Buffer, offset: number, dictionary: Buffer, cache: BlockCache): number {
  if (stored.length < STORED_BLOCK_HEADER_BYTES || crc32(stored.subarray(4)) !== stored.readUInt32BE(0)) {
    throw new CorruptionError("expected a block with another CRC", offset)
  }
  const size = stored.readUInt32BE(4)
  const codec = stored[8] as number
  const length = stored.length - STORED_BLOCK_HEADER_BYTES
  if (size > MAX_PLAIN_BYTES || (codec === CODEC.none && size !== length)) throw new CorruptionError(`expected another size of the block than ${size}`, offset + 4)
  cache.reserve(size + extraOf(stored))
  const target = cache.reservedBytes
  const at = cache.reservedAt
  if (codec === CODEC.none) {
    stored.copy(target, at, STORED_BLOCK_HEADER_BYTES)
    return size
  }
  try {
    if (codec === CODEC.lz4 || codec === CODEC.lz4WithDictionary) {
      lz4DecompressInto(stored, STORED_BLOCK_HEADER_BYTES, length, target, at, size, codec === CODEC.lz4 ? undefined : dictionary)
      return size
    }
    const plain = decompress(stored.subarray(STORED_BLOCK_HEADER_BYTES), codec, size)
    if (plain === null || plain.length !== size) throw new CorruptionError(plain === null ? `expected a codec, found ${codec}` : `expected a block of ${size} bytes`, offset + 8)
    plain.copy(target, at)
    return size
  } catch (error) {
    if (error instanceof CorruptionError || !(error instanceof Error)) throw error
    // The checksum was right: the block was damaged before it was stored.
    throw new CorruptionError(`expected a compressed block: ${error.message}`, offset)
  }
}

function compress(block: Buffer, codec: Codec, level: number): Buffer {
  switch (codec) {
    case CODEC.none:
      return block
    case CODEC.lz4:
    case CODEC.lz4WithDictionary:
      return lz4Compress(block)
    case CODEC.snappy:
      return snappyCompress(block)
    case CODEC.deflate:
      return deflate(block)
    case CODEC.zstd:
      return zstdCompress(block, level)
  }
}

/** Null: no such codec. */
function decompress(content: Buffer, codec: number, size: number): Buffer | null {
  if (codec === CODEC.snappy) return snappyDecompress(content, size)
  if (codec === CODEC.deflate) return inflate(content, size)
  if (codec === CODEC.zstd) return zstdDecompress(content, size)
  return null
}
