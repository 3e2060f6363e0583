// What a walk over a file has read ahead of itself: a window of the file in memory. A walk reads block after block; with one
// system call for each they cost more than decompressing them. The window begins small, since most walks are short,
// and doubles with each one that was not enough.
import type { ReadFile } from "../../runtime/disk.ts"
import { Buffer } from "../../runtime/pure.ts"
import { readNowAt } from "./read-at.ts"

const FIRST_BYTES = 16 << 10
const MOST_BYTES = 256 << 10
const NO_BYTES = Buffer.alloc(0)

export class ReadAhead {
  #window: Buffer = NO_BYTES
  #from = 0
  #to = 0
  #bytes = FIRST_BYTES

  /** The bytes [at, at + size) if the window has them, else null. Valid until the next `fill`. */
  get(at: number, size: number): Buffer | null {
    if (at < this.#from || at + size > this.#to) return null
    return this.#window.subarray(at - this.#from, at - this.#from + size)
  }

  /** Reads on from `at`, at least `size` bytes unless the file ends, and returns the first `size`. */
  fill(file: ReadFile, at: number, size: number): Buffer {
    const bytes = Math.max(size, Math.min(this.#bytes, file.size - at))
    if (this.#window.length < bytes) this.#window = Buffer.allocUnsafeSlow(bytes)
    const count = readNowAt(file, this.#window.subarray(0, bytes), at)
    this.#from = at
    this.#to = at + count
    this.#bytes = Math.min(this.#bytes * 2, MOST_BYTES)
    return this.#window.subarray(0, Math.min(size, count))
  }
}
