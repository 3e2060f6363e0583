// Where a SELECT goes on after a page. It holds everything the next page needs beside the statement and its values, so
// that any node can resume. Big-endian.
//
//   offset  field
//   0       u8   version       1
//   1       u32  crc           CRC-32 of what follows
//   5       u32  tableId
//   9       u32  limit         rows (groups) that LIMIT still allows
//   13      u32  taken         rows (groups) of the partition that were returned
//   17      u8   inside        1: the clustering follows the key; 0: the partition is finished
//   18      u16  keySize, key
//           clustering         the rest, when inside
//
// Versions: 1 this one. What is bad about it: nothing ties it to the statement but the table.
import { Buffer, crc32 } from "../../runtime/pure.ts"
import { ByteReader, ByteWriter, CorruptionError } from "../../data/bytes.ts"
import type { TableId } from "../../data/schema.ts"
import { ProtocolError } from "../errors.ts"

export interface PagingState {
  readonly limit: number
  readonly taken: number
  readonly key: Buffer
  /** Null: the partition is finished. */
  readonly clustering: Buffer | null
}

const VERSION = 1
const CHECKED_FROM = 5

export function encodePagingState(table: TableId, state: PagingState): Buffer {
  const out = new ByteWriter(64)
  out.uint8(VERSION)
  out.uint32(0)
  out.uint32(table)
  out.uint32(state.limit)
  out.uint32(state.taken)
  out.uint8(state.clustering === null ? 0 : 1)
  out.uint16(state.key.length)
  out.bytes(state.key)
  if (state.clustering !== null) out.bytes(state.clustering)
  out.patchUint32(1, crc32(out.view(CHECKED_FROM)))
  return out.take()
}

/** Copies what it returns. Throws ProtocolError when the bytes are no paging state of this table. */
export function decodePagingState(table: TableId, bytes: Uint8Array): PagingState {
  try {
    return read(table, new ByteReader(Buffer.from(bytes)))
  } catch (error) {
    if (error instanceof CorruptionError) throw new ProtocolError("Invalid value for the paging state")
    throw error
  }
}

function read(table: TableId, reader: ByteReader): PagingState {
  if (reader.uint8("version") !== VERSION) reader.fail(`version ${VERSION}`)
  const crc = reader.uint32("CRC")
  if (crc !== crc32(reader.buffer.subarray(CHECKED_FROM))) reader.fail("a CRC that fits")
  if (reader.uint32("table") !== table) reader.fail(`table ${table}`)
  const limit = reader.uint32("limit")
  const taken = reader.uint32("taken")
  const inside = reader.uint8("inside") === 1
  const key = reader.bytes(reader.uint16("key size"), "key")
  return { limit, taken, key, clustering: inside ? reader.bytes(reader.remaining, "clustering") : null }
}
