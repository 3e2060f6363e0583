// The one reader and the one writer of binary forms. Big-endian, bounds-checked.
import { Buffer, assert } from "../runtime/pure.ts"

/** Bytes that are not what their format says. Names what was being read and where; callers add the file. */
export class CorruptionError extends Error {
  override readonly name = "CorruptionError"
  readonly offset: number
  constructor(what: string, offset: number) {
    super(`at offset ${offset}: ${what}`)
    this.offset = offset
  }
}

const SHORT = 32

// As Buffer's own (`readInt32BE` and so on) without their checks of arguments, which cost as much as the rest of them: 10 ns
// each, and a write passes fifty. REQUIRES: the bytes are there.
export function readInt32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)
}
export function readUint32(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at) >>> 0
}
export function readUint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
}
/** Also of unsigned ones. */
export function writeInt32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 24
  bytes[at + 1] = value >> 16
  bytes[at + 2] = value >> 8
  bytes[at + 3] = value
}
export function writeUint16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8
  bytes[at + 1] = value
}

export class ByteReader {
  readonly buffer: Buffer
  readonly end: number
  at: number

  constructor(bytes: Uint8Array, from = 0, to = bytes.length) {
    this.buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.at = from
    this.end = to
  }

  get remaining(): number {
    return this.end - this.at
  }
  uint8(what: string): number {
    const at = this.#take(1, what)
    return this.buffer[at] as number
  }
  uint16(what: string): number {
    return readUint16(this.buffer, this.#take(2, what))
  }
  uint32(what: string): number {
    return readUint32(this.buffer, this.#take(4, what))
  }
  int32(what: string): number {
    return readInt32(this.buffer, this.#take(4, what))
  }
  /** A view of the next `size` bytes. */
  bytes(size: number, what: string): Buffer {
    if (size < 0) this.fail(`a size for ${what}, found ${size}`)
    const at = this.#take(size, what)
    return this.buffer.subarray(at, at + size)
  }
  skip(size: number, what: string): void {
    this.#take(size, what)
  }
  fail(expected: string): never {
    throw new CorruptionError(`expected ${expected}`, this.at)
  }

  #take(size: number, what: string): number {
    const at = this.at
    if (size > this.end - at) throw new CorruptionError(`${what} needs ${size} bytes, ${this.end - at} are left`, at)
    this.at = at + size
    return at
  }
}

/** A growing buffer. `length` is what has been written; `view` is valid until the next write or `reset`. */
export class ByteWriter {
  buffer: Buffer
  length = 0

  constructor(capacity = 256) {
    this.buffer = Buffer.allocUnsafe(capacity)
  }

  reset(): void {
    this.length = 0
  }
  /** Gives memory back. REQUIRES: nothing is written. */
  shrink(capacity: number): void {
    assert(this.length === 0, "only an empty writer shrinks")
    this.buffer = Buffer.allocUnsafe(capacity)
  }
  view(from = 0): Buffer {
    return this.buffer.subarray(from, this.length)
  }
  /** A copy of what has been written. */
  take(): Buffer {
    return Buffer.from(this.view())
  }
  /** Makes room for `size` more bytes and returns where they start; `length` is moved past them. */
  grow(size: number): number {
    const at = this.length
    const needed = at + size
    if (needed > this.buffer.length) this.#enlarge(needed)
    this.length = needed
    return at
  }
  uint8(value: number): void {
    const at = this.grow(1)
    this.buffer[at] = value
  }
  uint16(value: number): void {
    const at = this.grow(2)
    writeUint16(this.buffer, at, value)
  }
  uint32(value: number): void {
    const at = this.grow(4)
    writeInt32(this.buffer, at, value)
  }
  int32(value: number): void {
    const at = this.grow(4)
    writeInt32(this.buffer, at, value)
  }
  timestamp(high: number, low: number): void {
    const at = this.grow(8)
    writeInt32(this.buffer, at, high)
    writeInt32(this.buffer, at + 4, low)
  }
  bytes(value: Uint8Array): void {
    const at = this.grow(value.length)
    this.buffer.set(value, at)
  }
  /** Copies `source[from, to)`. */
  copy(source: Buffer, from: number, to: number): void {
    const size = to - from
    const at = this.grow(size)
    const target = this.buffer
    // Below some 32 bytes a loop is cheaper than a native copy (50 ns).
    if (size > SHORT) source.copy(target, at, from, to)
    else for (let index = 0; index < size; index++) target[at + index] = source[from + index] as number
  }
  patchUint32(at: number, value: number): void {
    writeInt32(this.buffer, at, value)
  }

  #enlarge(needed: number): void {
    let capacity = this.buffer.length * 2
    while (capacity < needed) capacity *= 2
    const larger = Buffer.allocUnsafe(capacity)
    this.buffer.copy(larger, 0, 0, this.length)
    this.buffer = larger
  }
}
