// EXECUTE: <id>[<result_metadata_id>]<query_parameters>. Both ids are [short bytes], the second only in v5.
import type { Buffer } from "../../runtime/pure.ts"
import { readInt32 } from "../../data/bytes.ts"
import type { BodyReader } from "./primitives.ts"
import type { PooledQueryOptions } from "./query-options.ts"
import { hasResultMetadataId } from "./version.ts"

const SLOTS = 256
const ID_SIZE = 16

/**
 * The texts of the ids seen last. A client runs the same few statements over and over: comparing 16 bytes costs less
 * than making a string of them, and the string that is reused already knows its hash.
 */
export class IdTexts {
  readonly #words = new Int32Array(SLOTS * 4)
  readonly #texts = new Array<string>(SLOTS).fill("\0".repeat(ID_SIZE))

  /** The latin1 text of `buffer[at, at + size)`. */
  text(buffer: Buffer, at: number, size: number): string {
    if (size !== ID_SIZE) return buffer.toString("latin1", at, at + size)
    const a = readInt32(buffer, at)
    const b = readInt32(buffer, at + 4)
    const c = readInt32(buffer, at + 8)
    const d = readInt32(buffer, at + 12)
    const slot = d & (SLOTS - 1)
    const words = this.#words
    const base = slot * 4
    if (words[base] === a && words[base + 1] === b && words[base + 2] === c && words[base + 3] === d) return this.#texts[slot] as string
    words[base] = a
    words[base + 1] = b
    words[base + 2] = c
    words[base + 3] = d
    const text = buffer.toString("latin1", at, at + ID_SIZE)
    this.#texts[slot] = text
    return text
  }
}

/** One EXECUTE, decoded into the same object every time. */
export class ExecuteDecoder {
  readonly #ids = new IdTexts()
  id = ""
  resultMetadataId: string | null = null

  /** Throws ProtocolError. */
  read(body: BodyReader, version: number, options: PooledQueryOptions): void {
    this.id = this.#readId(body)
    this.resultMetadataId = hasResultMetadataId(version) ? this.#readId(body) : null
    options.read(body, version)
  }

  #readId(body: BodyReader): string {
    const size = body.short("the 2 bytes length of an id")
    const at = body.take(size, "a byte array preceded by its 2 bytes length")
    return this.#ids.text(body.buffer, at, size)
  }
}
