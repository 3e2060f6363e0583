// <query_parameters> of QUERY and EXECUTE, and the part of them that BATCH has (section 4.1.4):
//
//   <consistency><flags>[<n>[name_1]<value_1>...][<result_page_size>][<paging_state>][<serial_consistency>]
//   [<timestamp>][<keyspace>][<now_in_seconds>]
//
// flags is a [byte], in v5 an [int]. Cassandra reads over flags it does not know, and so do we.
import type { Buffer } from "../../runtime/pure.ts"
import { CONSISTENCY, type Consistency, ProtocolError } from "../errors.ts"
import type { QueryOptions } from "../request.ts"
import { PooledValues } from "./bound-values.ts"
import type { BodyReader } from "./primitives.ts"
import { hasRequestKeyspace, hasWideQueryFlags } from "./version.ts"

export const QUERY_FLAG = {
  values: 0x01, skipMetadata: 0x02, pageSize: 0x04, pagingState: 0x08, serialConsistency: 0x10, defaultTimestamp: 0x20,
  namesForValues: 0x40, keyspace: 0x80, nowInSeconds: 0x100,
} as const

const SERVER_TIME = -1
const OPTIONAL_FLAGS =
  QUERY_FLAG.pageSize | QUERY_FLAG.pagingState | QUERY_FLAG.serialConsistency | QUERY_FLAG.keyspace | QUERY_FLAG.nowInSeconds

export class PooledQueryOptions implements QueryOptions {
  consistency: Consistency = CONSISTENCY.one
  serialConsistency: Consistency = CONSISTENCY.serial
  readonly values = new PooledValues(32)
  skipMetadata = false
  pageSize = 0
  pagingState: Buffer | null = null
  hasTimestamp = false
  timestampHigh = 0
  timestampLow = 0
  keyspace: string | null = null
  nowSeconds = SERVER_TIME

  /** Reads all of it. Throws ProtocolError. */
  read(body: BodyReader, version: number): void {
    this.consistency = readConsistency(body)
    const flags = readFlags(body, version)
    this.skipMetadata = (flags & QUERY_FLAG.skipMetadata) !== 0
    if ((flags & QUERY_FLAG.values) !== 0) this.values.read(body, version, (flags & QUERY_FLAG.namesForValues) !== 0)
    else this.values.clear()
    this.#readRest(body, version, flags)
  }

  #readRest(body: BodyReader, version: number, flags: number): void {
    this.pageSize = 0
    this.pagingState = null
    this.serialConsistency = CONSISTENCY.serial
    this.keyspace = null
    this.nowSeconds = SERVER_TIME
    if ((flags & OPTIONAL_FLAGS) !== 0) {
      if ((flags & QUERY_FLAG.pageSize) !== 0) this.pageSize = Math.max(body.int("the result page size"), 0)
      if ((flags & QUERY_FLAG.pagingState) !== 0) this.pagingState = body.bytes()
      if ((flags & QUERY_FLAG.serialConsistency) !== 0) this.serialConsistency = readConsistency(body)
    }
    this.hasTimestamp = (flags & QUERY_FLAG.defaultTimestamp) !== 0
    if (this.hasTimestamp) this.#readTimestamp(body)
    if ((flags & OPTIONAL_FLAGS) !== 0 && hasRequestKeyspace(version)) {
      if ((flags & QUERY_FLAG.keyspace) !== 0) this.keyspace = body.string()
      // An unsigned number of seconds: good until 2106.
      if ((flags & QUERY_FLAG.nowInSeconds) !== 0) this.nowSeconds = body.int("now in seconds") >>> 0
    }
  }

  #readTimestamp(body: BodyReader): void {
    this.timestampHigh = body.int("the default timestamp")
    this.timestampLow = body.int("the default timestamp") >>> 0
    if (this.timestampHigh === -0x80000000 && this.timestampLow === 0) {
      throw new ProtocolError(
        "Out of bound timestamp, must be in [-9223372036854775807, 9223372036854775807] (got -9223372036854775808)",
      )
    }
  }
}

function readFlags(body: BodyReader, version: number): number {
  return hasWideQueryFlags(version) ? body.int("the query flags") : body.byte("the query flags")
}

export function readConsistency(body: BodyReader): Consistency {
  const code = body.short("a consistency level")
  if (code > CONSISTENCY.localOne) throw new ProtocolError("Unknown code " + code + " for a consistency level")
  return code as Consistency
}
