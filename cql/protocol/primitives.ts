// The building blocks of message bodies (section 3 of the specification): [byte], [short], [int], [string], [long
// string], [bytes], [short bytes], [string list], [string map], ... `BodyReader` reads them where they lie, in a chunk
// read from the socket; it is bounds-checked against its body, because more frames follow behind. It is one object per
// server, set to one body after the other, so that reading a request allocates nothing.
import { assert, Buffer } from "../../runtime/pure.ts"
import { type ByteWriter, readInt32 } from "../../data/bytes.ts"
import { ProtocolError } from "../errors.ts"

const NO_BYTES = Buffer.alloc(0)
const MAX_STRING_BYTES = 0xffff
const REPLACEMENT = "\ufffd"

/** A request that is not what its opcode says: answered with a protocol error; the connection goes on. */
export function notEnoughBytes(what: string): never {
  throw new ProtocolError("Not enough bytes to read " + what)
}

export class BodyReader {
  buffer: Buffer = NO_BYTES
  at = 0
  end = 0

  reset(buffer: Buffer, at: number, end: number): void {
    this.buffer = buffer
    this.at = at
    this.end = end
  }

  byte(what: string): number {
    const at = this.at
    if (this.end - at < 1) notEnoughBytes(what)
    this.at = at + 1
    return this.buffer[at] as number
  }
  short(what: string): number {
    const at = this.at
    if (this.end - at < 2) notEnoughBytes(what)
    this.at = at + 2
    return ((this.buffer[at] as number) << 8) | (this.buffer[at + 1] as number)
  }
  int(what: string): number {
    const at = this.at
    if (this.end - at < 4) notEnoughBytes(what)
    this.at = at + 4
    return readInt32(this.buffer, at)
  }
  /** Moves past `size` bytes and returns where they start. */
  take(size: number, what: string): number {
    const at = this.at
    if (size > this.end - at) notEnoughBytes(what)
    this.at = at + size
    return at
  }
  string(): string {
    const size = this.short("the 2 bytes length of a string")
    return this.#utf8(this.take(size, "an UTF8 serialized string preceded by its 2 bytes length"))
  }
  longString(): string {
    const size = this.int("the 4 bytes length of a string")
    if (size < 0) throw new ProtocolError("Invalid string length " + size)
    return this.#utf8(this.take(size, "an UTF8 serialized string preceded by its 4 bytes length"))
  }
  /** A view of [bytes]; null for a negative length. */
  bytes(): Buffer | null {
    const size = this.int("the 4 bytes length of a byte array")
    if (size < 0) return null
    const at = this.take(size, "a byte array preceded by its 4 bytes length")
    return this.buffer.subarray(at, at + size)
  }
  stringList(): string[] {
    const count = this.short("the size of a string list")
    const list = []
    for (let i = 0; i < count; i++) list.push(this.string())
    return list
  }
  stringMap(): Map<string, string> {
    const count = this.short("the size of a string map")
    const map = new Map<string, string>()
    for (let i = 0; i < count; i++) {
      const key = this.string()
      map.set(key, this.string())
    }
    return map
  }
  /** Custom payloads are meant for query handlers of somebody else's: read over. */
  skipBytesMap(): void {
    const count = this.short("the size of a bytes map")
    for (let i = 0; i < count; i++) {
      this.take(this.short("the 2 bytes length of a string"), "an UTF8 serialized string preceded by its 2 bytes length")
      this.bytes()
    }
  }

  // What was taken last, [from, at), as text. Damaged UTF-8 decodes to replacement characters, so that the strict and
  // slow decoder has to look only at texts that hold one.
  #utf8(from: number): string {
    const text = this.buffer.toString("utf8", from, this.at)
    if (text.includes(REPLACEMENT)) requireUtf8(this.buffer.subarray(from, this.at))
    return text
  }
}

function requireUtf8(bytes: Buffer): void {
  if (!Buffer.from(bytes.toString("utf8"), "utf8").equals(bytes)) {
    throw new ProtocolError("Cannot decode string as UTF8: '" + bytes.subarray(0, 64).toString("hex") + "'")
  }
}

/** REQUIRES: at most 65,535 bytes. */
export function writeString(out: ByteWriter, text: string): void {
  const size = Buffer.byteLength(text)
  assert(size <= MAX_STRING_BYTES, "a [string] of the protocol holds at most 65535 bytes")
  out.uint16(size)
  const at = out.grow(size)
  out.buffer.write(text, at, size, "utf8")
}

/** A text for people, cut where it does not fit into a [string]. */
export function writeMessage(out: ByteWriter, text: string): void {
  // A UTF-16 unit takes at most three bytes.
  const fits = text.length * 3 <= MAX_STRING_BYTES || Buffer.byteLength(text) <= MAX_STRING_BYTES
  writeString(out, fits ? text : text.slice(0, Math.floor(MAX_STRING_BYTES / 3)))
}

export function writeStringList(out: ByteWriter, list: readonly string[]): void {
  out.uint16(list.length)
  for (const text of list) writeString(out, text)
}

export function writeMessageList(out: ByteWriter, list: readonly string[]): void {
  const count = Math.min(list.length, 0xffff)
  out.uint16(count)
  for (let i = 0; i < count; i++) writeMessage(out, list[i] as string)
}

export function writeShortBytes(out: ByteWriter, bytes: Uint8Array): void {
  out.uint16(bytes.length)
  out.bytes(bytes)
}

export function writeBytes(out: ByteWriter, bytes: Uint8Array): void {
  out.int32(bytes.length)
  out.bytes(bytes)
}
