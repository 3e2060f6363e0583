// Cuts what arrives on one connection into frames.
//
// How it works: whole units (frames in v3 and v4 and before STARTUP; segments in v5) are handed on where they lie in the
// chunk that was read. A unit whose end has not come yet is gathered in a buffer of its own and handed on from there;
// the rest of the chunk is again read in place. So bytes are copied only at the edges of reads.
//
// INVARIANTS: frames come out in the order they came in. Gathering grows with what has arrived, never with what a header
// promises. While the sink is stopped nothing comes out: what was read already is held until `resume`.
//
// It knows nothing of opcodes. Too large frames are read over and reported, with whatever follows them intact.
import { Buffer } from "../../runtime/pure.ts"
import { frameSize, frameStream } from "./frame.ts"
import { SegmentDecoder } from "./segment.ts"

const NO_BYTES = Buffer.alloc(0)
const KEPT_BYTES = 64 * 1024

export interface FrameSink {
  /** One whole frame, `bytes[at, end)`; valid during the call. */
  frame(bytes: Buffer, at: number, end: number): void
  /** A frame was read over. */
  tooLarge(version: number, stream: number, size: number): void
  /** True when no more frames are wanted for now. */
  readonly stopped: boolean
}

/** Bytes of one unit, gathered from several reads. */
class Gathered {
  buffer: Buffer = NO_BYTES
  length = 0

  append(bytes: Buffer, from: number, to: number): void {
    const needed = this.length + to - from
    if (needed > this.buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.buffer.length * 2, 1024))
      this.buffer.copy(larger, 0, 0, this.length)
      this.buffer = larger
    }
    bytes.copy(this.buffer, this.length, from, to)
    this.length = needed
  }
  clear(): void {
    this.length = 0
    if (this.buffer.length > KEPT_BYTES) this.buffer = NO_BYTES
  }
}

export class FrameInput {
  readonly #sink: FrameSink
  readonly #maxFrameSize: number
  #segments: SegmentDecoder | null = null
  #closed = false
  readonly #partial = new Gathered()
  /** v5: an envelope that spans segments. */
  readonly #envelope = new Gathered()
  /** What is left of a frame that is read over, and how to report it. */
  #skip = 0
  #skipVersion = 0
  #skipStream = 0
  #skipSize = 0
  /** Held while the sink is stopped: the rest of a segment's payload, then bytes as read. */
  #heldPayload: Buffer | null = null
  #held: Buffer | null = null

  constructor(sink: FrameSink, maxFrameSize: number) {
    this.#sink = sink
    this.#maxFrameSize = maxFrameSize
  }

  /** From the next byte on. */
  startSegments(version: number, compressed: boolean): void {
    this.#segments = new SegmentDecoder(version, compressed)
  }

  /** Drops what is held and what comes. */
  close(): void {
    this.#closed = true
    this.#held = null
    this.#heldPayload = null
    this.#partial.clear()
    this.#envelope.clear()
  }

  /** Takes `bytes`, valid during the call. Throws FatalProtocolError. */
  receive(bytes: Buffer): void {
    if (this.#closed) return
    if (this.#held !== null) this.#held = Buffer.concat([this.#held, bytes])
    else if (this.#heldPayload !== null || this.#sink.stopped) this.#held = Buffer.from(bytes)
    else this.#process(bytes)
  }

  /** Goes on with what was held. REQUIRES: the sink is not stopped. Throws FatalProtocolError. */
  resume(): void {
    const payload = this.#heldPayload
    if (payload !== null) {
      this.#heldPayload = null
      this.#envelopes(payload, 0, payload.length)
      if (this.#sink.stopped) return
    }
    const held = this.#held
    if (held === null) return
    this.#held = null
    this.#process(held)
  }

  #process(bytes: Buffer): void {
    const from = this.#partial.length > 0 ? this.#complete(bytes) : 0
    const at = this.#run(bytes, from)
    if (at === bytes.length || this.#closed) return
    if (this.#sink.stopped) this.#held = Buffer.from(bytes.subarray(at))
    else this.#partial.append(bytes, at, bytes.length)
  }

  // Hands on every whole unit of `bytes[at, ...)`; returns where it stopped.
  #run(bytes: Buffer, from: number): number {
    const end = bytes.length
    let at = from
    while (at < end && !this.#sink.stopped && !this.#closed) {
      if (this.#skip > 0 && this.#segments === null) {
        at += this.#skipSome(end - at)
        continue
      }
      const size = this.#unitSize(bytes, at, end)
      if (size === 0) break
      if (this.#isTooLarge(size)) {
        this.#beginSkip(bytes, at, size, 0)
        continue
      }
      if (size > end - at) break
      this.#unit(bytes, at, at + size)
      at += size
    }
    return at
  }

  // Adds what the gathered unit lacks; returns where the next one starts.
  #complete(bytes: Buffer): number {
    const partial = this.#partial
    let at = 0
    for (;;) {
      const size = this.#unitSize(partial.buffer, 0, partial.length)
      if (this.#isTooLarge(size)) {
        this.#beginSkip(partial.buffer, 0, size, partial.length)
        partial.clear()
        return at
      }
      if (size === partial.length) {
        const unit = partial.buffer
        partial.clear()
        this.#unit(unit, 0, size)
        return at
      }
      if (at === bytes.length) return at
      // As long as the size is unknown byte by byte: the header is short.
      const wanted = size === 0 ? 1 : Math.min(size - partial.length, bytes.length - at)
      partial.append(bytes, at, at + wanted)
      at += wanted
    }
  }

  #unitSize(bytes: Buffer, at: number, end: number): number {
    return this.#segments === null ? frameSize(bytes, at, end) : this.#segments.size(bytes, at, end)
  }
  #isTooLarge(size: number): boolean {
    return size > this.#maxFrameSize && this.#segments === null
  }
  #unit(bytes: Buffer, at: number, end: number): void {
    if (this.#segments === null) this.#sink.frame(bytes, at, end)
    else this.#segment(this.#segments, bytes, at, end)
  }

  #segment(segment: SegmentDecoder, bytes: Buffer, at: number, end: number): void {
    segment.open(bytes, at, end)
    if (!segment.isSelfContained) this.#envelopePart(segment, segment.payload, segment.from, segment.to)
    else if (this.#envelope.length > 0 || this.#skip > 0) throw segment.fatal("A self-contained frame interrupts an envelope that spans several")
    else this.#envelopes(segment.payload, segment.from, segment.to)
  }

  #envelopes(bytes: Buffer, from: number, end: number): void {
    let at = from
    while (at < end && !this.#closed) {
      if (this.#sink.stopped) {
        this.#heldPayload = Buffer.from(bytes.subarray(at, end))
        return
      }
      const size = frameSize(bytes, at, end)
      if (size === 0 || size > end - at) throw (this.#segments as SegmentDecoder).fatal("A self-contained frame ends within an envelope")
      if (size > this.#maxFrameSize) this.#sink.tooLarge((bytes[at] as number) & 0x7f, frameStream(bytes, at), size)
      else this.#sink.frame(bytes, at, at + size)
      at += size
    }
  }

  #envelopePart(segment: SegmentDecoder, bytes: Buffer, from: number, to: number): void {
    if (this.#skip > 0) {
      if (to - from > this.#skip) throw segment.fatal("More bytes than the envelope has that spans these frames")
      this.#skipSome(to - from)
      return
    }
    const envelope = this.#envelope
    envelope.append(bytes, from, to)
    const size = frameSize(envelope.buffer, 0, envelope.length)
    if (size === 0) return
    if (envelope.length > size) throw segment.fatal("More bytes than the envelope has that spans these frames")
    if (size > this.#maxFrameSize) {
      this.#beginSkip(envelope.buffer, 0, size, envelope.length)
      envelope.clear()
    } else if (envelope.length === size) {
      const whole = envelope.buffer
      envelope.clear()
      this.#sink.frame(whole, 0, size)
    }
  }

  #beginSkip(bytes: Buffer, at: number, size: number, arrived: number): void {
    this.#skipVersion = (bytes[at] as number) & 0x7f
    this.#skipStream = frameStream(bytes, at)
    this.#skipSize = size
    this.#skip = size
    this.#skipSome(arrived)
  }

  #skipSome(available: number): number {
    const skipped = Math.min(available, this.#skip)
    this.#skip -= skipped
    if (this.#skip === 0) this.#sink.tooLarge(this.#skipVersion, this.#skipStream, this.#skipSize)
    return skipped
  }
}
