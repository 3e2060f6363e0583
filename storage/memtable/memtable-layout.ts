// How a memtable's records lie in the slabs. Links and counts are native 32-bit integers ("ints", index from the record's
// start); keys and rows are bytes.
//
//   partition   int 0  next partition with the same token (their keys differ), in key order
//               int 1  key size, 16 bits; bit 16: the rows are chunked
//               int 2  rows: none, one row's address, a vector, or a chunk directory
//               int 3  how many rows (different clusterings)
//               int 4  extras, 0 for most
//               byte 20  key
//   row         int 0  the next older fragment of the same row
//               int 1  fragments from here on
//               byte 8 the row, as row-format.ts says
//   vector      int 0  capacity; then addresses of rows in clustering order
//   directory   int 0  capacity, int 1 how many chunks; then their addresses
//   chunk       int 0  how many rows; then their addresses, up to CHUNK_ROWS
//   extras      int 0  static row, int 1 first range tombstone, int 2 how many range tombstones,
//               int 3  1: there is a partition deletion, ints 4-6 its timestamp and local deletion time
//   range tombstone  int 0 next, byte 8 the tombstone as row-format.ts says
//
// A partition with one row is 20 bytes and its key, and the row: no vector.
export const PARTITION = { next: 0, key: 1, rows: 2, count: 3, extras: 4, keyByte: 20, chunkedBit: 0x10000, keyMask: 0xffff } as const
export const ROW = { next: 0, fragments: 1, byte: 8 } as const
export const VECTOR = { capacity: 0, rows: 1 } as const
export const DIRECTORY = { capacity: 0, count: 1, chunks: 2 } as const
export const CHUNK = { count: 0, rows: 1 } as const
export const EXTRAS = { static: 0, tombstones: 1, tombstoneCount: 2, deleted: 3, timestampHigh: 4, timestampLow: 5, localDeletionTime: 6, bytes: 32 } as const

/** Rows of one chunk: with its count exactly 1 KiB. */
export const CHUNK_ROWS = 255
/** Fragments of one row before they are merged. */
export const MAX_FRAGMENTS = 4
