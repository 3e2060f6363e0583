// The values of a request, found but not copied: offsets and lengths into the bytes the client sent. One of these
// serves request after request; its arrays grow to the largest seen.
import { Buffer } from "../../runtime/pure.ts"
import { readInt32 } from "../../data/bytes.ts"
import { ProtocolError } from "../errors.ts"
import type { BoundValues } from "../request.ts"
import { type BodyReader, notEnoughBytes } from "./primitives.ts"
import { hasUnsetValues } from "./version.ts"

const NULL = -1
const UNSET = -2
const NO_BYTES = Buffer.alloc(0)

export class PooledValues implements BoundValues {
  buffer: Buffer = NO_BYTES
  count = 0
  offsets: Int32Array
  lengths: Int32Array
  names: string[] | null = null

  constructor(capacity: number) {
    this.offsets = new Int32Array(capacity)
    this.lengths = new Int32Array(capacity)
  }

  clear(): void {
    this.count = 0
    this.names = null
  }

  /** Reads `<n>[<name_1>]<value_1>...`. Throws ProtocolError. */
  read(body: BodyReader, version: number, named: boolean): void {
    const count = body.short("the number of values")
    if (count > this.offsets.length) this.#enlarge(count)
    this.buffer = body.buffer
    this.count = count
    if (named) this.#readNamed(body, version, count)
    else this.#readPositional(body, version, count)
  }

  // The hottest loop of the protocol: indexes the buffer directly, after its own bounds check.
  #readPositional(body: BodyReader, version: number, count: number): void {
    this.names = null
    const { buffer, end } = body
    const { offsets, lengths } = this
    let at = body.at
    for (let i = 0; i < count; i++) {
      if (end - at < 4) notEnoughBytes("the 4 bytes length of a value")
      const size = readInt32(buffer, at)
      at += 4
      offsets[i] = at
      if (size >= 0) {
        if (size > end - at) notEnoughBytes("a value preceded by its 4 bytes length")
        lengths[i] = size
        at += size
      } else {
        lengths[i] = absentValue(size, version)
      }
    }
    body.at = at
  }

  #readNamed(body: BodyReader, version: number, count: number): void {
    const names = []
    for (let i = 0; i < count; i++) {
      names.push(body.string())
      const size = body.int("the 4 bytes length of a value")
      this.offsets[i] = body.take(Math.max(size, 0), "a value preceded by its 4 bytes length")
      this.lengths[i] = size >= 0 ? size : absentValue(size, version)
    }
    this.names = names
  }

  #enlarge(count: number): void {
    this.offsets = new Int32Array(count)
    this.lengths = new Int32Array(count)
  }
}

function absentValue(size: number, version: number): number {
  if (size === NULL || !hasUnsetValues(version)) return NULL
  if (size === UNSET) return UNSET
  throw new ProtocolError("Invalid ByteBuf length " + size)
}
