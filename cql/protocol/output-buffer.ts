// What is to be sent to one client, gathered until the end of an event: one write to the socket instead of one per
// answer, which is worth about ten times (a socket wake-up costs more than a request).
//
// In v3 and v4 the bytes are handed to the socket where they were written: they lie in a slab that is used from front to
// back, so that later answers go behind them while they are on their way. In v5 they are copied into segments and the
// slab is used again.
import { Buffer } from "../../runtime/pure.ts"
import { ByteWriter } from "../../data/bytes.ts"
import { encodeSegments } from "./segment.ts"

const SMALLEST_SLAB = 4 * 1024
/** Twice what the server lets gather: answers of 20 KiB then grow no buffer, which took a seventh of the time of a slice. */
const LARGEST_SLAB = 128 * 1024

export class OutputBuffer {
  readonly writer = new ByteWriter(SMALLEST_SLAB)
  #from = 0
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

  /** Everything that is pending, for the socket to keep. REQUIRES: only whole frames are pending. */
  take(): Buffer {
    const { writer } = this
    if (this.#inSegments) {
      const segments = encodeSegments(writer.buffer, this.#from, writer.length, this.#compressed)
      if (writer.buffer.length > LARGEST_SLAB) writer.buffer = Buffer.allocUnsafeSlow(LARGEST_SLAB)
      writer.length = 0
      this.#from = 0
      return segments
    }
    const bytes = writer.buffer.subarray(this.#from, writer.length)
    const left = writer.buffer.length - writer.length
    if (left < bytes.length || writer.buffer.length > LARGEST_SLAB) this.#newSlab(bytes.length)
    else this.#from = writer.length
    return bytes
  }

  // Room for several writes like the last one.
  #newSlab(written: number): void {
    this.writer.buffer = Buffer.allocUnsafeSlow(Math.min(Math.max(written * 8, SMALLEST_SLAB), LARGEST_SLAB))
    this.writer.length = 0
    this.#from = 0
  }
}
