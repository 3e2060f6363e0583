// The SSTable: an immutable file with the partitions of one table in token order (then by key, unsigned bytes).
// Big-endian. Version 2.
//
//   file header   u32 magic "BLVt", u8 version, 3×u8 0
//   blocks        one behind the other; behind every 128 of them (and the last) their index block
//   summary       u32 crc of the rest, then an index entry for each index block, in the form of an index block
//   filter        u32 crc of the rest, u8 hashes, 3×u8 0, then the bits (bloom-filter.ts)
//   statistics    u32 crc of the rest, JSON (SSTableStatistics)
//   dictionary    u32 crc of the rest, the last 4 KiB of the first block; all blocks with codec 5 were compressed with it
//   footer        80 bytes: { u64 offset, u32 length } of summary, filter and statistics; u32 blocks; u64 fileSize;
//                 { u64 offset, u32 length } of the dictionary; 12×u8 0; u32 crc of the bytes before it in the footer; u32 magic "BLVt"
//
//   stored block  u32 crc of the rest, u32 size of the block, u8 codec (0: none, 1: LZ4, 2: Snappy, 3: zlib, 4: Zstandard,
//                 5: LZ4 with the dictionary), u24 room that a reader needs behind it, the block's bytes; blocks and index blocks alike
//
//   block         entries, then u16 how many, u16 how many of them are partition headers. A block is closed when its
//                 entries reach a size that the table's compression options say (sstable-codec.ts; 4 KiB unless
//                 they do), at most 64 KiB. In memory it has tables of its entries (sstable-block.ts).
//   entry         a partition header, or an item of the row format: the static row, then range tombstones (disjoint, in
//                 order), then rows. A partition may go on over several blocks.
//   partition header
//   0   u32  size          of this entry
//   4   u8   0x80          0x81 with a partition deletion
//   5   u8   0
//   6   u16  keySize
//   8   [0x81: i64 timestamp, u32 localDeletionTime]
//       key           its token is its hash, and not stored
//
//   index block   index entries, then for each u32 its offset, then u32 how many
//   index entry   what a block begins with, enough to find any partition or row without reading another block
//   0   u32  size          of this entry
//   4   u8   flags         1: the block begins within a partition; 2: and with a row of it (then there is a clustering)
//   5   u8   0
//   6   u16  keySize
//   8   i32  tokenHigh, u32 tokenLow
//   16  u64  offset        of the stored block; in the summary: of the stored index block
//   24  u32  storedSize    of it, with its header
//   28  u16  clusteringSize, u16 0
//   32  key, clustering
//
// The file is written under another name, synced, renamed, and its directory synced: under its own name it is whole.
//
// Versions: 2 this one; 1 had one index, in memory as a whole, and is refused, as a newer one is. A worked example is
// testdata/sstable.hex.
// What is bad about it: the filter is in memory while the file is open (1.25 bytes a partition), with the summary (0.01 %
// of the data); an index entry repeats the whole key; range tombstones of a partition stand in front of its rows, so that
// a page from the middle of a partition with very many of them reads them all; a block that is damaged takes its neighbours
// in it along, an index block half a megabyte of them.
import { Buffer, crc32 } from "../../runtime/pure.ts"
import { CorruptionError } from "../../data/bytes.ts"

export const SSTABLE_VERSION = 2
export const SSTABLE_MAGIC = 0x424c5674
export const FILE_HEADER_BYTES = 8
export const FOOTER_BYTES = 80
/** Blocks for each index block. */
export const INDEX_FANOUT = 128
export const PARTITION_FLAG = 0x80
export const PARTITION_DELETED_FLAG = 0x81
export const PARTITION_HEADER_BYTES = 8
export const DELETION_BYTES = 12
export const INDEX_ENTRY_BYTES = 32
export const INDEX_FLAG = { continues: 1, atRow: 2 } as const

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
  /** Seconds. Null: nothing expires. */
  readonly minTtl: number | null
  readonly maxTtl: number | null
  /** When deletions were made and cells expire: [start of the span in seconds, how many], ascending; spans without any are left out. */
  readonly tombstoneTimes: { readonly spanSeconds: number; readonly counts: readonly (readonly [number, number])[] }
  /** No partition deletion, no range tombstone, no static row: whoever wants none of the rows wants nothing of it. */
  readonly onlyRows: boolean
  /** The lowest and the highest clustering of a row, encoded, in hexadecimal. Null: no clustering columns, or no rows. */
  readonly minClustering: string | null
  readonly maxClustering: string | null
}

export interface Section {
  readonly offset: number
  readonly length: number
}

export interface Footer {
  readonly summary: Section
  readonly filter: Section
  readonly statistics: Section
  readonly dictionary: Section
  readonly blocks: number
}

export function encodeFileHeader(): Buffer {
  const header = Buffer.alloc(FILE_HEADER_BYTES)
  header.writeUInt32BE(SSTABLE_MAGIC, 0)
  header[4] = SSTABLE_VERSION
  return header
}

/** Null when it is the header of an SSTable of this version, else what it is. */
export function checkFileHeader(bytes: Buffer): "damaged" | "newer" | "older" | null {
  if (bytes.length < FILE_HEADER_BYTES || bytes.readUInt32BE(0) !== SSTABLE_MAGIC) return "damaged"
  const version = bytes[4] as number
  if (version === SSTABLE_VERSION) return null
  return version > SSTABLE_VERSION ? "newer" : "older"
}

export function encodeFooter(footer: Footer, fileSize: number): Buffer {
  const bytes = Buffer.alloc(FOOTER_BYTES)
  let at = 0
  for (const { offset, length } of [footer.summary, footer.filter, footer.statistics]) {
    bytes.writeBigUInt64BE(BigInt(offset), at)
    bytes.writeUInt32BE(length, at + 8)
    at += 12
  }
  bytes.writeUInt32BE(footer.blocks, 36)
  bytes.writeBigUInt64BE(BigInt(fileSize), 40)
  bytes.writeBigUInt64BE(BigInt(footer.dictionary.offset), 48)
  bytes.writeUInt32BE(footer.dictionary.length, 56)
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
  return { summary: section(0), filter: section(12), statistics: section(24), dictionary: section(48), blocks: bytes.readUInt32BE(36) }
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
