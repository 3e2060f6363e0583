// The values of columns that are all restricted by =, put together to a key or a clustering: the path of nearly every
// request, so that values go from the client's frame to the key in one copy, without an object for each.
import { Buffer } from "../../runtime/pure.ts"
import type { ColumnSchema } from "../../data/schema.ts"
import type { TypeOperations } from "../../data/types/operations.ts"
import { operationsOf } from "../../data/types/type-operations.ts"
import { InvalidRequestError } from "../errors.ts"
import type { BoundValues } from "../request.ts"
import { type Restriction, requiredValue } from "../select/select-restriction.ts"
import type { CompiledTerm } from "./term.ts"

const MAX_SIZE = 0xffff
/** Around each component of a key of several columns: u16 size, u8 0. */
const KEY_OVERHEAD = 3
const LARGEST_SIZED = 64

/** A buffer of each small size: values that one request needs while it runs take no memory of their own (100 ns each). */
export class SizedBuffers {
  readonly #buffers = new Array<Buffer | null>(LARGEST_SIZED + 1).fill(null)

  /** Overwritten by the next of this size. */
  get(size: number): Buffer {
    if (size > LARGEST_SIZED) return Buffer.allocUnsafe(size)
    return (this.#buffers[size] ??= Buffer.allocUnsafeSlow(size))
  }
}

export class EqualValues {
  readonly #columns: readonly ColumnSchema[]
  readonly #terms: readonly CompiledTerm[]
  readonly #operations: readonly TypeOperations[]
  // Where the values of the request at hand lie.
  readonly #sources: Buffer[]
  readonly #starts: Int32Array
  readonly #lengths: Int32Array

  private constructor(columns: readonly ColumnSchema[], terms: readonly CompiledTerm[]) {
    this.#columns = columns
    this.#terms = terms
    this.#operations = columns.map((column) => operationsOf(column.type))
    this.#sources = columns.map(() => Buffer.alloc(0))
    this.#starts = new Int32Array(columns.length)
    this.#lengths = new Int32Array(columns.length)
  }

  /** Null when some restriction is not one column = one term. */
  static of(restrictions: readonly Restriction[]): EqualValues | null {
    const columns: ColumnSchema[] = []
    const terms: CompiledTerm[] = []
    for (const restriction of restrictions) {
      if (restriction.kind !== "eq" || restriction.term === null) return null
      columns.push(restriction.columns[0] as ColumnSchema)
      terms.push(restriction.term)
    }
    return new EqualValues(columns, terms)
  }

  /** The values as a partition key: a new buffer, or one of `buffers`. Throws InvalidRequestError. */
  key(values: BoundValues, buffers: SizedBuffers | null = null): Buffer {
    const size = this.#locate(values)
    const count = this.#columns.length
    if (size === 0 && count === 1) throw new InvalidRequestError("Key may not be empty")
    const total = count === 1 ? size : size + KEY_OVERHEAD * count
    if (total > MAX_SIZE) throw new InvalidRequestError(`Key length of ${total} is longer than maximum of ${MAX_SIZE}`)
    const key = buffers === null ? Buffer.allocUnsafe(total) : buffers.get(total)
    if (count === 1) {
      this.#copy(0, key, 0)
      return key
    }
    let at = 0
    for (let index = 0; index < count; index++) {
      at = key.writeUInt16BE(this.#lengths[index] as number, at)
      at = this.#copy(index, key, at)
      key[at++] = 0
    }
    return key
  }

  /** The values as a clustering or a prefix of one: a new buffer, or one of `buffers`. Throws InvalidRequestError. */
  clustering(values: BoundValues, buffers: SizedBuffers | null = null): Buffer {
    const size = this.#locate(values)
    const count = this.#columns.length
    const total = size + 4 * count
    if (total > MAX_SIZE) throw clusteringTooLong(total)
    const clustering = buffers === null ? Buffer.allocUnsafe(total) : buffers.get(total)
    let at = 0
    for (let index = 0; index < count; index++) {
      at = clustering.writeInt32BE(this.#lengths[index] as number, at)
      at = this.#copy(index, clustering, at)
    }
    return clustering
  }

  /** Finds and checks every value; returns the sum of their sizes. */
  #locate(values: BoundValues): number {
    let size = 0
    for (let index = 0; index < this.#terms.length; index++) {
      const term = this.#terms[index] as CompiledTerm
      const length = term.marker < 0 ? -1 : (values.lengths[term.marker] as number)
      if (length >= 0) {
        const from = values.offsets[term.marker] as number
        const problem = (this.#operations[index] as TypeOperations).validate(values.buffer, from, from + length)
        if (problem !== null) throw new InvalidRequestError(problem)
        this.#set(index, values.buffer, from, length)
      } else {
        const value = requiredValue(term, (this.#columns[index] as ColumnSchema).name, values)
        this.#set(index, value, 0, value.length)
      }
      size += this.#lengths[index] as number
    }
    return size
  }

  #set(index: number, source: Buffer, start: number, length: number): void {
    this.#sources[index] = source
    this.#starts[index] = start
    this.#lengths[index] = length
  }

  #copy(index: number, into: Buffer, at: number): number {
    const start = this.#starts[index] as number
    const length = this.#lengths[index] as number
    const source = this.#sources[index] as Buffer
    // A loop beats copy() for a few bytes.
    if (length > 32) source.copy(into, at, start, start + length)
    else for (let offset = 0; offset < length; offset++) into[at + offset] = source[start + offset] as number
    return at + length
  }
}

export function clusteringTooLong(size: number): InvalidRequestError {
  return new InvalidRequestError(`Clustering key of ${size} bytes is longer than maximum of ${MAX_SIZE}`)
}
