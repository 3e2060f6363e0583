// RESULT of kind Rows (section 4.2.5.2):
//
//   <metadata><rows_count><rows_content>
//   metadata: <flags><columns_count>[<paging_state>][<new_metadata_id>][<keyspace><table>]<column>...
//
// The column part is encoded once for each result metadata and protocol version and then copied; rows arrive as bytes.
// NO_METADATA goes out only when the client asked with SKIP_METADATA: there are drivers that cannot read it otherwise.
import { Buffer } from "../../runtime/pure.ts"
import { ByteWriter, readInt32, writeInt32 } from "../../data/bytes.ts"
import type { ColumnSpecification, ResultMetadata } from "../metadata.ts"
import { writeBytes, writeShortBytes, writeString } from "./primitives.ts"
import { RESULT_KIND } from "./result-kind.ts"
import { writeTypeOption } from "./type-option.ts"
import { hasResultMetadataId, NEWEST_VERSION } from "./version.ts"

export const METADATA_FLAG = { globalTablesSpec: 0x01, hasMorePages: 0x02, noMetadata: 0x04, metadataChanged: 0x08 } as const

/** Columns as they go out: the flags they need, and `[<keyspace><table>]<column>...`. */
export interface EncodedColumns {
  readonly flags: number
  readonly bytes: Buffer
}

const NO_COLUMNS: EncodedColumns = { flags: METADATA_FLAG.noMetadata, bytes: Buffer.alloc(0) }

export function encodeColumns(columns: readonly ColumnSpecification[], version: number): EncodedColumns {
  const out = new ByteWriter(64)
  const first = columns[0]
  const isGlobal = first !== undefined && columns.every((column) => column.keyspace === first.keyspace && column.table === first.table)
  if (isGlobal) {
    writeString(out, first.keyspace)
    writeString(out, first.table)
  }
  for (const column of columns) {
    if (!isGlobal) {
      writeString(out, column.keyspace)
      writeString(out, column.table)
    }
    writeString(out, column.name)
    writeTypeOption(out, column.type, version)
  }
  return { flags: isGlobal ? METADATA_FLAG.globalTablesSpec : 0, bytes: out.take() }
}

/** The encoded columns of every result metadata in use. */
export class ColumnsCache {
  readonly #byVersion = Array.from({ length: NEWEST_VERSION + 1 }, () => new WeakMap<ResultMetadata, EncodedColumns>())

  get(metadata: ResultMetadata, version: number): EncodedColumns {
    const cache = this.#byVersion[version] as WeakMap<ResultMetadata, EncodedColumns>
    let encoded = cache.get(metadata)
    if (encoded === undefined) {
      encoded = encodeColumns(metadata.columns, version)
      cache.set(metadata, encoded)
    }
    return encoded
  }
}

/** Writes the metadata of a page; `encodeRows` writes all of it. */
export function writeResultMetadata(
  out: ByteWriter, version: number, cache: ColumnsCache, metadata: ResultMetadata,
  skipMetadata: boolean, metadataChanged: boolean, pagingState: Buffer | null,
): void {
  const changed = metadataChanged && hasResultMetadataId(version)
  const skip = skipMetadata && !changed
  const columns = skip ? NO_COLUMNS : cache.get(metadata, version)
  const at = out.grow(8)
  const { buffer } = out
  writeInt32(buffer, at, columns.flags | (pagingState === null ? 0 : METADATA_FLAG.hasMorePages) | (changed ? METADATA_FLAG.metadataChanged : 0))
  writeInt32(buffer, at + 4, metadata.columns.length)
  if (pagingState !== null) writeBytes(out, pagingState)
  if (changed) writeShortBytes(out, metadata.id)
  if (!skip) {
    const columnsAt = out.grow(columns.bytes.length)
    columns.bytes.copy(out.buffer, columnsAt)
  }
}

/** The same in parts, for whoever appends rows himself: everything in front of them. Returns where their number belongs. */
export function beginRows(out: ByteWriter, version: number, cache: ColumnsCache, metadata: ResultMetadata, skipMetadata: boolean, metadataChanged: boolean): number {
  const at = out.grow(4)
  writeInt32(out.buffer, at, RESULT_KIND.rows)
  writeResultMetadata(out, version, cache, metadata, skipMetadata, metadataChanged, null)
  return out.grow(4)
}

/** `from`: where `beginRows` began. */
export function endRows(out: ByteWriter, from: number, countAt: number, pagingState: Buffer | null, count: number): void {
  writeInt32(out.buffer, countAt, count)
  if (pagingState === null) return
  // Known only now, and in front of columns and rows, which make way.
  const flagsAt = from + 4
  const stateAt = from + 12
  const end = out.length
  const size = 4 + pagingState.length
  out.grow(size)
  out.buffer.copyWithin(stateAt + size, stateAt, end)
  writeInt32(out.buffer, stateAt, pagingState.length)
  pagingState.copy(out.buffer, stateAt + 4)
  writeInt32(out.buffer, flagsAt, readInt32(out.buffer, flagsAt) | METADATA_FLAG.hasMorePages)
}

/** `rows`: `count` rows of [bytes] values. */
export function encodeRows(
  out: ByteWriter, version: number, cache: ColumnsCache, metadata: ResultMetadata,
  skipMetadata: boolean, metadataChanged: boolean, pagingState: Buffer | null, count: number, rows: Buffer,
): void {
  const at = out.grow(4)
  writeInt32(out.buffer, at, RESULT_KIND.rows)
  writeResultMetadata(out, version, cache, metadata, skipMetadata, metadataChanged, pagingState)
  const countAt = out.grow(4 + rows.length)
  writeInt32(out.buffer, countAt, count)
  rows.copy(out.buffer, countAt + 4)
}
