// LZ4 blocks without any header, in one reusable piece of WebAssembly memory: [table][source][slack][target][slack]. The
// memory grows to the largest block that was ever asked for; what is larger than MAX_BYTES is refused, so that a node does
// not hold on to hundreds of megabytes because of one frame (pure.ts sends those elsewhere).
import { SLACK, TABLE_BYTES, lz4Program } from "./lz4-program.ts"

/** Of source or target. */
export const MAX_BYTES = 1 << 20
const PAGE_BYTES = 1 << 16

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number }
  decompress(source: number, sourceEnd: number, target: number, targetEnd: number): number
  compress(source: number, sourceEnd: number, target: number, table: number): number
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
   * or -1 when it is damaged or holds more. REQUIRES: length and size up to MAX_BYTES.
   */
  decompress(source: Uint8Array, from: number, length: number, target: Uint8Array, at: number, size: number): number {
    const to = this.#place(source, from, length, size)
    const count = this.#exports.decompress(TABLE_BYTES, TABLE_BYTES + length, to, to + size)
    if (count === size) target.set(this.#bytes.subarray(to, to + count), at)
    return count
  }

  /** Compresses `source[from, from + length)`; the result is valid until the next call. REQUIRES: length up to MAX_BYTES. */
  compress(source: Uint8Array, from: number, length: number): Uint8Array {
    const to = this.#place(source, from, length, lz4Bound(length))
    return this.#bytes.subarray(to, to + this.#exports.compress(TABLE_BYTES, TABLE_BYTES + length, to, 0))
  }

  /** Copies the source in and returns where the target begins. */
  #place(source: Uint8Array, from: number, length: number, size: number): number {
    const to = TABLE_BYTES + length + SLACK
    const missing = to + size + SLACK - this.#bytes.length
    if (missing > 0) {
      this.#exports.memory.grow(Math.ceil(missing / PAGE_BYTES))
      this.#bytes = new Uint8Array(this.#exports.memory.buffer)
    }
    this.#bytes.set(from === 0 && length === source.length ? source : source.subarray(from, from + length), TABLE_BYTES)
    return to
  }
}
