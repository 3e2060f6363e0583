// Frames of the internode transport: the messages of one event-loop turn to one peer, in one binary WebSocket message. Big-endian.
//
//   offset  field
//   0       u8   version    1
//   1       u8   lane       LANE: 0 control, 1 data, 2 bulk
//   2       u16  count      messages in the frame, at least 1
//   4       count times:
//             u32  length
//             ...  the message
//   end-4   u32  crc        CRC-32 of everything before it
//
// A frame is at most FRAME_SIZE bytes, or holds exactly one message of up to MAX_MESSAGE_SIZE. The length of the frame itself is
// WebSocket's to carry. Nothing of a frame is delivered unless all of it is right; a wrong one ends the connection.
//
// Versions: 1: this one. The handshake (network-handshake.ts) compares versions before the first frame.
// Example: two messages "a" and "bc" on the data lane:
//   01 01 0002 | 00000001 61 | 00000002 6263 | crc
// What is bad about it: TCP and the CRC both check the bytes; a message over 64 KiB is copied into a buffer of its own size.
import type { Lane } from "../network.ts"
import { crc32 } from "../pure.ts"

export const FRAME_VERSION = 1
export const FRAME_SIZE = 64 * 1024
export const MAX_MESSAGE_SIZE = 32 * 1024 * 1024
const HEADER_SIZE = 4
const CRC_SIZE = 4
const MAX_COUNT = 0xffff
/** What a frame adds to its first message. */
export const FRAME_OVERHEAD = HEADER_SIZE + 4 + CRC_SIZE
/** The longest frame there is: the bound to give to the WebSocket. */
export const MAX_FRAME_SIZE = MAX_MESSAGE_SIZE + FRAME_OVERHEAD

/** Bytes that are no frame, and why. */
export class FrameError extends Error {
  override readonly name = "FrameError"
}

/** A frame being filled. Reusable after `reset`. */
export class Frame {
  readonly #buffer: Buffer
  #length = HEADER_SIZE
  #count = 0

  constructor(size = FRAME_SIZE) {
    this.#buffer = Buffer.allocUnsafeSlow(size)
  }

  get isEmpty(): boolean {
    return this.#count === 0
  }
  get count(): number {
    return this.#count
  }
  /** Bytes of the messages added, without the frame's own. */
  get messageBytes(): number {
    return this.#length - HEADER_SIZE - 4 * this.#count
  }
  get isStandardSize(): boolean {
    return this.#buffer.length === FRAME_SIZE
  }
  hasRoom(messageSize: number): boolean {
    return this.#length + 4 + messageSize + CRC_SIZE <= this.#buffer.length && this.#count < MAX_COUNT
  }

  /** Copies the message. REQUIRES: `hasRoom`. */
  add(message: Uint8Array): void {
    const at = this.#length
    this.#buffer.writeUInt32BE(message.length, at)
    this.#buffer.set(message, at + 4)
    this.#length = at + 4 + message.length
    this.#count++
  }

  /** The finished frame: a view, valid until `reset`. */
  seal(lane: Lane): Buffer {
    const buffer = this.#buffer
    buffer[0] = FRAME_VERSION
    buffer[1] = lane
    buffer.writeUInt16BE(this.#count, 2)
    buffer.writeUInt32BE(crc32(buffer.subarray(0, this.#length)), this.#length)
    return buffer.subarray(0, this.#length + CRC_SIZE)
  }

  reset(): void {
    this.#length = HEADER_SIZE
    this.#count = 0
  }
}

/** A frame with one message. */
export function frameOf(lane: Lane, message: Uint8Array): Buffer {
  const frame = new Frame(message.length + FRAME_OVERHEAD)
  frame.add(message)
  return frame.seal(lane)
}

/** Checks the frame, then calls `receive` for each message, in order. Throws FrameError before the first call when it is damaged. */
export function readFrame(bytes: Buffer, receive: (lane: Lane, message: Buffer) => void): void {
  checkFrame(bytes)
  const lane = bytes[1] as Lane
  const end = bytes.length - CRC_SIZE
  let at = HEADER_SIZE
  while (at < end) {
    const from = at + 4
    at = from + bytes.readUInt32BE(at)
    receive(lane, bytes.subarray(from, at))
  }
}

function checkFrame(bytes: Buffer): void {
  if (bytes.length < FRAME_OVERHEAD) throw new FrameError(`a frame of ${bytes.length} bytes, at least ${FRAME_OVERHEAD} expected`)
  const end = bytes.length - CRC_SIZE
  if (crc32(bytes.subarray(0, end)) !== bytes.readUInt32BE(end)) throw new FrameError(`wrong CRC over a frame of ${bytes.length} bytes`)
  if (bytes[0] !== FRAME_VERSION) throw new FrameError(`frame version ${bytes[0]}, ${FRAME_VERSION} expected`)
  const lane = bytes[1] as number
  if (lane > 2) throw new FrameError(`lane ${lane}`)
  let left = bytes.readUInt16BE(2)
  let at = HEADER_SIZE
  for (; left > 0; left--) {
    if (end - at < 4) throw new FrameError(`${left} messages more than the frame holds`)
    const length = bytes.readUInt32BE(at)
    if (length > end - at - 4) throw new FrameError(`a message of ${length} bytes, ${end - at - 4} are left`)
    at += 4 + length
  }
  if (at !== end) throw new FrameError(`${end - at} bytes behind the last message`)
}
