// LZ4 blocks without any header, in one reusable piece of WebAssembly memory: two tables (the compressor's, and how it begins
// with the last dictionary), source, slack, target, slack; the dictionary before the source (compressing) or the target. The
// memory grows to the largest block that was ever asked for; what is larger than MAX_BYTES is refused, so that a node does
// not hold on to hundreds of megabytes because of one frame (pure.ts sends those elsewhere).
import { SLACK, TABLE_BYTES, lz4Program } from "./lz4-program.ts"

/** Of source or target. */
export const MAX_BYTES = 1 << 20
const PAGE_BYTES = 1 << 16

const NO_BYTES = new Uint8Array(0)
const PRIMED_AT = TABLE_BYTES
const SOURCE_AT = 2 * TABLE_BYTES

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number }
  decompress(source: number, sourceEnd: number, dictionary: number, target: number, targetEnd: number): number
  prime(dictionary: number, end: number, table: number): number
  compress(dictionary: number, source: number, sourceEnd: number, target: number, table: number): number
}
// The types of Node.js do not name it.
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: unknown }
}

/** How large a block of `length` bytes may become. */
export function lz4Bound(length: number): number {
  return length + Math.ceil(length / 255) + 16
}

export class Lz4 {
  readonly #exports: Exports
  #bytes: Uint8Array

  constructor() {
    this.#exports = new WebAssembly.Instance(new WebAssembly.Module(lz4Program())).exports as Exports
    this.#bytes = new Uint8Array(this.#exports.memory.buffer)
  }

  /**
   * Decompresses the block at `source[from, from + length)` to `target[at, at + size)`; returns how many bytes it holds,
   * or -1 when it is damaged or holds more. REQUIRES: length and size up to MAX_BYTES; the dictionary that it was compressed with.
   */
  decompress(source: Uint8Array, from: number, length: number, target: Uint8Array, at: number, size: number, dictionary: Uint8Array = NO_BYTES): number {
    const dictionaryAt = SOURCE_AT + length + SLACK
    const to = dictionaryAt + dictionary.length
    this.#grow(to + size)
    this.#bytes.set(source.subarray(from, from + length), SOURCE_AT)
    if (dictionary.length > 0) this.#bytes.set(dictionary, dictionaryAt)
    const count = this.#exports.decompress(SOURCE_AT, SOURCE_AT + length, dictionaryAt, to, to + size)
    if (count === size) target.set(this.#bytes.subarray(to, to + count), at)
    return count
  }

  /** Compresses the source; the result is valid until the next call. REQUIRES: its length up to MAX_BYTES; a dictionary never changes its bytes. */
  compress(source: Uint8Array, dictionary: Uint8Array = NO_BYTES): Uint8Array {
    const from = SOURCE_AT + dictionary.length
    const end = from + source.length
    const to = end + SLACK
    this.#grow(to + lz4Bound(source.length))
    this.#bytes.set(dictionary, SOURCE_AT)
    this.#bytes.set(source, from)
    if (dictionary !== this.#primedFor) {
      this.#exports.prime(SOURCE_AT, from, PRIMED_AT)
      this.#primedFor = dictionary
    }
    // Ten times as fast as remembering the dictionary anew for every block.
    this.#bytes.copyWithin(0, PRIMED_AT, PRIMED_AT + TABLE_BYTES)
    return this.#bytes.subarray(to, to + this.#exports.compress(SOURCE_AT, from, end, to, 0))
  }
  #primedFor: Uint8Array | null = null

  #grow(end: number): void {
    const missing = end + SLACK - this.#bytes.length
    if (missing <= 0) return
    this.#exports.memory.grow(Math.ceil(missing / PAGE_BYTES))
    this.#bytes = new Uint8Array(this.#exports.memory.buffer)
  }
}
