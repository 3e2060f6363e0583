// The header of a message, which the specification calls frame in v3 and v4 and envelope in v5:
//
//   offset  field
//   0       u8   version     the lower 7 bits; 0x80 set in what the server sends
//   1       u8   flags       FRAME_FLAG
//   2       i16  stream      chosen by the client, echoed in the answer; -1 in events
//   4       u8   opcode
//   5       i32  length      of the body
//   9       body
//
// A frame may be split anywhere between two reads, and one read may hold many: `frameSize` looks at what there is
// without copying it. What is bad about the format: the length stands behind fields whose meaning depends on the
// version, so that an unknown version cannot be skipped: its connection ends.
import type { Buffer } from "../../runtime/pure.ts"
import { type ByteWriter, readInt32, writeInt32 } from "../../data/bytes.ts"
import { ProtocolError } from "../errors.ts"
import { hasShortHeader, isSupportedVersion, NEWEST_VERSION, unsupportedVersionMessage } from "./version.ts"

export const FRAME_HEADER_SIZE = 9
export const DEFAULT_MAX_FRAME_SIZE = 16 * 1024 * 1024
export const FRAME_FLAG = { compressed: 0x01, tracing: 0x02, customPayload: 0x04, warning: 0x08, useBeta: 0x10 } as const
export const RESPONSE_BIT = 0x80

/** The stream cannot be read any further: the client is told and the connection is closed. */
export class FatalProtocolError extends ProtocolError {
  readonly stream: number
  /** The version to say so in. */
  readonly version: number
  constructor(message: string, stream: number, version: number) {
    super(message)
    this.stream = stream
    this.version = version
  }
}

/**
 * The size of the frame that starts at `at`, header included; 0 when `bytes[at, end)` is too short to know.
 * Throws FatalProtocolError for a version that is not spoken here and for a negative length.
 */
export function frameSize(bytes: Buffer, at: number, end: number): number {
  const available = end - at
  if (available < 4) return 0
  const version = (bytes[at] as number) & 0x7f
  if (!isSupportedVersion(version)) failVersion(bytes, at, version)
  if (available < FRAME_HEADER_SIZE) return 0
  const length = readInt32(bytes, at + 5)
  if (length < 0) {
    throw new FatalProtocolError("Invalid value for envelope header body length field: " + length, frameStream(bytes, at), version)
  }
  return FRAME_HEADER_SIZE + length
}

// Clients of versions 1 and 2 are answered in their own; newer ones in the newest we have, from which they go down.
function failVersion(bytes: Buffer, at: number, version: number): never {
  const short = hasShortHeader(version)
  const stream = short ? bytes.readInt8(at + 2) : frameStream(bytes, at)
  throw new FatalProtocolError(unsupportedVersionMessage(version), stream, short ? version : NEWEST_VERSION)
}

export function frameStream(bytes: Buffer, at: number): number {
  return ((bytes[at + 2] as number) << 24 >> 16) | (bytes[at + 3] as number)
}

/** Writes the header of an answer and returns where the frame starts, for `endFrame`. */
export function beginFrame(out: ByteWriter, version: number, flags: number, stream: number, opcode: number): number {
  if (hasShortHeader(version)) return beginShortFrame(out, version, flags, stream, opcode)
  const start = out.grow(FRAME_HEADER_SIZE)
  const buffer = out.buffer
  buffer[start] = version | RESPONSE_BIT
  buffer[start + 1] = flags
  buffer[start + 2] = stream >> 8
  buffer[start + 3] = stream
  buffer[start + 4] = opcode
  return start
}

function beginShortFrame(out: ByteWriter, version: number, flags: number, stream: number, opcode: number): number {
  const start = out.grow(FRAME_HEADER_SIZE - 1)
  out.buffer.set([version | RESPONSE_BIT, flags, stream & 0xff, opcode], start)
  return start
}

/** Fills in the length of the frame that began at `start` and ends here. */
export function endFrame(out: ByteWriter, start: number): void {
  const buffer = out.buffer
  const headerSize = hasShortHeader((buffer[start] as number) & 0x7f) ? FRAME_HEADER_SIZE - 1 : FRAME_HEADER_SIZE
  writeInt32(buffer, start + headerSize - 4, out.length - start - headerSize)
}
