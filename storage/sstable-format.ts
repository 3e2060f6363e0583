// The SSTable: an immutable file with the partitions of one table in token order (then by key, unsigned bytes).
// Big-endian. Version 1.
//
//   file header   u32 magic "BLVt", u8 version, 3×u8 0
//   blocks        one behind the other
//   index         u32 crc of the rest, then × blocks an index entry, in order
//   filter        u32 crc of the rest, u8 hashes, 3×u8 0, then the bits (bloom-filter.ts)
//   statistics    u32 crc of the rest, JSON (SSTableStatistics)
//   footer        80 bytes: { u64 offset, u32 length } of index, filter and statistics; u32 blocks; u64 fileSize;
//                 24×u8 0; u32 crc of the bytes before it in the footer; u32 magic "BLVt"
//
//   stored block  u32 crc of the rest, u32 size of the block, u8 codec (0: none, 1: LZ4), 3×u8 0, the block's bytes
//
//   block         entries, then for each entry u16 its offset, then for each partition header u16 which entry it is,
//                 then u16 entries, u16 partitions. A block is closed when its entries reach 16 KiB, so that offsets fit.
//   entry         a partition header, or an item of the row format: the static row, then range tombstones (disjoint, in
//                 order), then rows. A partition may go on over several blocks.
//   partition header
//   0   u32  size          of this entry
//   4   u8   0x80          0x81 with a partition deletion
//   5   u8   0
//   6   u16  keySize
//   8   i32  tokenHigh, u32 tokenLow
//   16  [0x81: i64 timestamp, u32 localDeletionTime]
//       key
//
//   index entry   what the block begins with, enough to find any partition or row without reading another block
//   0   u32  size          of this entry
//   4   u8   flags         1: the block begins within a partition; 2: and with a row of it (then there is a clustering)
//   5   u8   0
//   6   u16  keySize
//   8   i32  tokenHigh, u32 tokenLow
//   16  u64  offset        of the stored block
//   24  u32  storedSize    with its header
//   28  u16  clusteringSize, u16 0
//   32  key, clustering
//
// The file is written under another name, synced, renamed, and its directory synced: under its own name it is whole.
//
// Versions: 1 this one; a newer one is refused. A worked example is testdata/sstable.hex.
// What is bad about it: the whole index and filter are in memory while the file is open (about 0.3 % of the data); range
// tombstones of a partition stand in front of its rows, so that a page from the middle of a partition with very many of
// them reads them all; a block that is damaged takes down with it up to 16 KiB of neighbours.
import { Buffer, crc32, lz4Compress, lz4DecompressInto } from "../runtime/pure.ts"
import { CorruptionError } from "../data/bytes.ts"

export const SSTABLE_VERSION = 1
export const SSTABLE_MAGIC = 0x424c5674
export const FILE_HEADER_BYTES = 8
export const FOOTER_BYTES = 80
export const BLOCK_BYTES = 16 * 1024
export const STORED_BLOCK_HEADER_BYTES = 12
export const PARTITION_FLAG = 0x80
export const PARTITION_DELETED_FLAG = 0x81
export const PARTITION_HEADER_BYTES = 16
export const DELETION_BYTES = 12
export const INDEX_ENTRY_BYTES = 32
export const INDEX_FLAG = { continues: 1, atRow: 2 } as const
export const CODEC = { none: 0, lz4: 1 } as const
export type Codec = (typeof CODEC)[keyof typeof CODEC]

/** Timestamps as decimal text, since they may be any int64. */
export interface SSTableStatistics {
  readonly partitions: number
  readonly rows: number
  /** Row, cell, range, partition and complex deletions. */
  readonly tombstones: number
  readonly expiringCells: number
  /** Simple rows, cells and markers that neither delete nor expire; 0: everything in it can be purged some day. */
  readonly lasting: number
  readonly minTimestamp: string
  readonly maxTimestamp: string
  /** Seconds; of deletions and of expiring cells (their expiry). Null: none. */
  readonly minLocalDeletionTime: number | null
  readonly maxLocalDeletionTime: number | null
  readonly firstToken: string
  readonly lastToken: string
  /** Bytes of blocks before compression. */
  readonly plainBytes: number
}

export interface Section {
  readonly offset: number
  readonly length: number
}

export interface Footer {
  readonly index: Section
  readonly filter: Section
  readonly statistics: Section
  readonly blocks: number
}

export function encodeFileHeader(): Buffer {
  const header = Buffer.alloc(FILE_HEADER_BYTES)
  header.writeUInt32BE(SSTABLE_MAGIC, 0)
  header[4] = SSTABLE_VERSION
  return header
}

/** Null when it is the header of an SSTable of this version, else what it is. */
export function checkFileHeader(bytes: Buffer): "damaged" | "newer" | null {
  if (bytes.length < FILE_HEADER_BYTES || bytes.readUInt32BE(0) !== SSTABLE_MAGIC) return "damaged"
  return (bytes[4] as number) > SSTABLE_VERSION ? "newer" : null
}

export function encodeFooter(footer: Footer, fileSize: number): Buffer {
  const bytes = Buffer.alloc(FOOTER_BYTES)
  let at = 0
  for (const { offset, length } of [footer.index, footer.filter, footer.statistics]) {
    bytes.writeBigUInt64BE(BigInt(offset), at)
    bytes.writeUInt32BE(length, at + 8)
    at += 12
  }
  bytes.writeUInt32BE(footer.blocks, 36)
  bytes.writeBigUInt64BE(BigInt(fileSize), 40)
  bytes.writeUInt32BE(crc32(bytes.subarray(0, 72)), 72)
  bytes.writeUInt32BE(SSTABLE_MAGIC, 76)
  return bytes
}

/** Throws CorruptionError with offsets in the file. */
export function decodeFooter(bytes: Buffer, fileSize: number): Footer {
  const start = fileSize - FOOTER_BYTES
  if (bytes.length !== FOOTER_BYTES || bytes.readUInt32BE(76) !== SSTABLE_MAGIC) throw new CorruptionError("expected the footer of an SSTable", start)
  if (crc32(bytes.subarray(0, 72)) !== bytes.readUInt32BE(72)) throw new CorruptionError("expected a footer with another CRC", start)
  if (Number(bytes.readBigUInt64BE(40)) !== fileSize) throw new CorruptionError(`expected a file of ${bytes.readBigUInt64BE(40)} bytes, found ${fileSize}`, start)
  const section = (at: number): Section => ({ offset: Number(bytes.readBigUInt64BE(at)), length: bytes.readUInt32BE(at + 8) })
  return { index: section(0), filter: section(12), statistics: section(24), blocks: bytes.readUInt32BE(36) }
}

/** CRC, then the bytes. */
export function encodeSection(content: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(4 + content.length)
  bytes.writeUInt32BE(crc32(content), 0)
  bytes.set(content, 4)
  return bytes
}

export function decodeSection(bytes: Buffer, offset: number, what: string): Buffer {
  const content = bytes.subarray(4)
  if (bytes.length < 4 || crc32(content) !== bytes.readUInt32BE(0)) throw new CorruptionError(`expected the ${what} with another CRC`, offset)
  return content
}

/** The block as it is stored; uncompressed when compression gains less than an eighth. */
export function storeBlock(block: Buffer, codec: Codec): Buffer {
  const compressed = codec === CODEC.lz4 ? lz4Compress(block) : block
  const isSmaller = compressed.length < block.length - (block.length >>> 3)
  const content = isSmaller ? compressed : block
  const stored = Buffer.allocUnsafe(STORED_BLOCK_HEADER_BYTES + content.length)
  stored.writeUInt32BE(block.length, 4)
  stored.writeUInt32BE(0, 8)
  stored[8] = isSmaller ? codec : CODEC.none
  content.copy(stored, STORED_BLOCK_HEADER_BYTES)
  stored.writeUInt32BE(crc32(stored.subarray(4)), 0)
  return stored
}

/** The block's bytes; a view of `stored` when it is not compressed. Throws CorruptionError; `offset` is where it is stored. */
export function loadBlock(stored: Buffer, offset: number): Buffer {
  if (stored.length < STORED_BLOCK_HEADER_BYTES || crc32(stored.subarray(4)) !== stored.readUInt32BE(0)) {
    throw new CorruptionError("expected a block with another CRC", offset)
  }
  const size = stored.readUInt32BE(4)
  const codec = stored[8] as number
  if (codec === CODEC.none) return stored.subarray(STORED_BLOCK_HEADER_BYTES)
  if (codec !== CODEC.lz4) throw new CorruptionError(`expected a codec, found ${codec}`, offset + 8)
  const block = Buffer.allocUnsafeSlow(size)
  lz4DecompressInto(stored, STORED_BLOCK_HEADER_BYTES, stored.length - STORED_BLOCK_HEADER_BYTES, block, 0, size)
  return block
}
