// BATCH: <type><n><query_1>...<query_n><query_parameters without values>, each query being
// <kind><string_or_id><n>[<name_1>]<value_1>... (section 4.1.7). The names never worked in any server (they come before
// the flag that announces them), so values are positional.
import { ProtocolError } from "../errors.ts"
import type { BatchEntry, BatchType } from "../request.ts"
import { PooledValues } from "./bound-values.ts"
import type { BodyReader } from "./primitives.ts"
import type { PooledQueryOptions } from "./query-options.ts"

const TYPES: readonly BatchType[] = ["LOGGED", "UNLOGGED", "COUNTER"]
const KEPT_ENTRIES = 1024

class PooledEntry implements BatchEntry {
  query: string | null = null
  preparedId: string | null = null
  readonly values = new PooledValues(8)
}

/** Decodes batches into the same objects every time. */
export class BatchDecoder {
  readonly #pool: PooledEntry[] = []
  type: BatchType = "LOGGED"
  /** As long as the batch. */
  readonly entries: PooledEntry[] = []

  /** Throws ProtocolError. */
  read(body: BodyReader, version: number, options: PooledQueryOptions): void {
    this.type = readType(body)
    const count = body.short("the number of queries")
    this.entries.length = 0
    if (this.#pool.length > KEPT_ENTRIES) this.#pool.length = KEPT_ENTRIES
    for (let i = 0; i < count; i++) this.entries.push(this.#readEntry(i, body, version))
    options.read(body, version)
  }

  #readEntry(index: number, body: BodyReader, version: number): PooledEntry {
    const entry = (this.#pool[index] ??= new PooledEntry())
    const kind = body.byte("the kind of a query")
    if (kind === 0) {
      entry.query = body.longString()
      entry.preparedId = null
    } else if (kind === 1) {
      const size = body.short("the 2 bytes length of an id")
      const at = body.take(size, "a byte array preceded by its 2 bytes length")
      entry.query = null
      entry.preparedId = body.buffer.toString("latin1", at, at + size)
    } else {
      throw new ProtocolError("Invalid query kind in BATCH messages. Must be 0 or 1 but got " + kind)
    }
    entry.values.read(body, version, false)
    return entry
  }
}

function readType(body: BodyReader): BatchType {
  const code = body.byte("the type of a batch")
  const type = TYPES[code]
  if (type === undefined) throw new ProtocolError("Invalid BATCH message type " + code)
  return type
}
