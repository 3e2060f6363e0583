// What is to be sent to one client, gathered until the end of an event: one write to the socket instead of one per
// answer, which is worth about ten times (a socket wake-up costs more than a request).
//
// In v3 and v4 the bytes are handed to the socket where they were written. Mostly the kernel takes them at once and the slab
// is used again from its front (new slabs for answers of 20 KiB cost a fifth of their time, in page faults and in giving
// them back). While some are on their way later answers go behind them, and into a new slab when there is no room. In v5
// bytes are copied into segments and the slab is always used again.
import { Buffer } from "../../runtime/pure.ts"
import { ByteWriter } from "../../data/bytes.ts"
import { encodeSegments } from "./segment.ts"

const SMALLEST_SLAB = 4 * 1024
/** Twice what the server lets gather: answers of 20 KiB then grow no buffer, which took a seventh of the time of a slice. */
const LARGEST_SLAB = 128 * 1024
/** After so many small writes in a row the slab is exchanged for a smaller one: many connections are idle most of the time. */
const SMALL_WRITES = 64

export class OutputBuffer {
  readonly writer = new ByteWriter(SMALLEST_SLAB)
  #from = 0
  /** Writes in a row that a much smaller slab would have held. */
  #small = 0
  #inSegments = false
  #compressed = false

  /** Bytes that wait to be taken. */
  get pending(): number {
    return this.writer.length - this.#from
  }

  /** From the next `take` on. REQUIRES: nothing is pending. */
  startSegments(compressed: boolean): void {
    this.#inSegments = true
    this.#compressed = compressed
  }

  /** Everything that is pending, for the socket. REQUIRES: only whole frames are pending; `taken` follows. */
  take(): Buffer {
    const { writer } = this
    return this.#inSegments ? encodeSegments(writer.buffer, this.#from, writer.length, this.#compressed) : writer.buffer.subarray(this.#from, writer.length)
  }

  /** The socket has what `take` gave; `isFree`: nobody looks at it, or at anything taken before it, any more. */
  taken(isFree: boolean): void {
    const { writer } = this
    const written = this.pending
    const capacity = writer.buffer.length
    if (isFree || this.#inSegments) {
      this.#small = written * 16 < capacity ? this.#small + 1 : 0
      if (capacity > LARGEST_SLAB || this.#small > SMALL_WRITES) this.#newSlab(written)
      writer.length = 0
      this.#from = 0
    } else if (capacity - writer.length < written || capacity > LARGEST_SLAB) {
      this.#newSlab(written)
    } else this.#from = writer.length
  }

  // Room for several writes like the last one.
  #newSlab(written: number): void {
    this.writer.buffer = Buffer.allocUnsafeSlow(Math.min(Math.max(written * 8, SMALLEST_SLAB), LARGEST_SLAB))
    this.writer.length = 0
    this.#from = 0
    this.#small = 0
  }
}
