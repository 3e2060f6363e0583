// RESULT of kind Prepared (section 4.2.5.4):
//
//   <id>[<result_metadata_id>]<metadata><result_metadata>
//   metadata: <flags><columns_count>[<pk_count><pk_index_1>...][<keyspace><table>]<column>...
//
// The result metadata id came with v5, the partition key's indexes with v4.
import { md5 } from "../../runtime/pure.ts"
import type { ByteWriter } from "../../data/bytes.ts"
import type { PreparedDescription } from "../metadata.ts"
import { writeShortBytes } from "./primitives.ts"
import { RESULT_KIND } from "./result-kind.ts"
import { type ColumnsCache, encodeColumns, METADATA_FLAG, writeResultMetadata } from "./result-rows.ts"
import { hasPartitionKeyIndexes, hasResultMetadataId } from "./version.ts"

export function encodePrepared(out: ByteWriter, version: number, cache: ColumnsCache, statement: PreparedDescription): void {
  const { resultMetadata } = statement
  out.int32(RESULT_KIND.prepared)
  writeShortBytes(out, statement.id)
  // A statement without rows has the digest of no columns.
  if (hasResultMetadataId(version)) writeShortBytes(out, resultMetadata === null ? md5() : resultMetadata.id)
  writeBindVariables(out, version, statement)
  if (resultMetadata === null) {
    out.int32(METADATA_FLAG.noMetadata)
    out.int32(0)
  } else {
    writeResultMetadata(out, version, cache, resultMetadata, false, false, null)
  }
}

function writeBindVariables(out: ByteWriter, version: number, statement: PreparedDescription): void {
  const columns = encodeColumns(statement.bindVariables, version)
  out.int32(columns.flags)
  out.int32(statement.bindVariables.length)
  if (hasPartitionKeyIndexes(version)) {
    out.int32(statement.partitionKeyIndexes.length)
    for (const index of statement.partitionKeyIndexes) out.uint16(index)
  }
  out.bytes(columns.bytes)
}
