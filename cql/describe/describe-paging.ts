// Where a DESCRIBE goes on after a page. Big-endian.
//
//   offset  field
//   0       u8   version     1
//   1       16   schema version, the bytes of its UUID
//   17      u32  row         the first row of the next page
//
// Versions: 1 this one. What is bad about it: the statement is worked out again for every page.
import type { Buffer } from "../../runtime/pure.ts"
import { ByteReader, ByteWriter, CorruptionError } from "../../data/bytes.ts"
import { formatUuid, parseUuid } from "../../data/types/uuids.ts"
import { InvalidRequestError } from "../errors.ts"

const VERSION = 1

export function encodeDescribeState(row: number, schemaVersion: string): Buffer {
  const out = new ByteWriter(32)
  out.uint8(VERSION)
  out.bytes(parseUuid(schemaVersion) as Buffer)
  out.uint32(row)
  return out.take()
}

/** The row to go on at. Throws InvalidRequestError. */
export function decodeDescribeState(state: Uint8Array, schemaVersion: string): number {
  try {
    const reader = new ByteReader(state)
    if (reader.uint8("version") !== VERSION) throw new InvalidRequestError("Incompatible paging state")
    if (formatUuid(reader.bytes(16, "schema version")) !== schemaVersion) {
      throw new InvalidRequestError("The schema has changed since the previous page of the DESCRIBE statement result. Please retry the DESCRIBE statement.")
    }
    return reader.uint32("row")
  } catch (error) {
    if (error instanceof CorruptionError) throw new InvalidRequestError("Invalid paging state.")
    throw error
  }
}
