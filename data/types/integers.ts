// tinyint, smallint, int, bigint, counter: big-endian two's complement; varint: as many bytes as the number needs.
import { Buffer, assert } from "../../runtime/pure.ts"
import { type CqlValue, type TypeOperations, compareBytes, compareEmpty, int32At } from "./operations.ts"

function wholeNumber(value: CqlValue, bits: number): number {
  assert(typeof value === "number" && Number.isInteger(value) && value >= -(2 ** (bits - 1)) && value < 2 ** (bits - 1), `an integer of ${bits} bits`)
  return value
}

export function toBigInteger(value: CqlValue): bigint {
  assert(typeof value === "bigint" || (typeof value === "number" && Number.isSafeInteger(value)), "a bigint or an exact number")
  return BigInt(value)
}

export const TINYINT: TypeOperations = {
  encode: (value) => Buffer.from([wholeNumber(value, 8) & 0xff]),
  decode: (bytes) => (bytes.length === 0 ? null : bytes.readInt8(0)),
  validate: (_bytes, from, to) => (to - from === 1 ? null : `Expected 1 byte for a tinyint (${to - from})`),
  compare: (a, aFrom, aTo, b, bFrom, bTo) =>
    compareEmpty(aFrom, aTo, bFrom, bTo) ?? ((a[aFrom] as number) << 24 >> 24) - ((b[bFrom] as number) << 24 >> 24),
  vectorElementSize: null,
}

export const SMALLINT: TypeOperations = {
  encode(value) {
    const bytes = Buffer.alloc(2)
    bytes.writeInt16BE(wholeNumber(value, 16))
    return bytes
  },
  decode: (bytes) => (bytes.length === 0 ? null : bytes.readInt16BE(0)),
  validate: (_bytes, from, to) => (to - from === 2 ? null : `Expected 2 bytes for a smallint (${to - from})`),
  compare(a, aFrom, aTo, b, bFrom, bTo) {
    const empty = compareEmpty(aFrom, aTo, bFrom, bTo)
    if (empty !== null) return empty
    const difference = ((a[aFrom] as number) << 24 >> 24) - ((b[bFrom] as number) << 24 >> 24)
    return difference !== 0 ? difference : (a[aFrom + 1] as number) - (b[bFrom + 1] as number)
  },
  vectorElementSize: null,
}

export const INT: TypeOperations = {
  encode(value) {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(wholeNumber(value, 32))
    return bytes
  },
  decode: (bytes) => (bytes.length === 0 ? null : bytes.readInt32BE(0)),
  validate: (_bytes, from, to) => (to - from === 4 || to === from ? null : `Expected 4 or 0 byte int (${to - from})`),
  compare(a, aFrom, aTo, b, bFrom, bTo) {
    if (aFrom === aTo || bFrom === bTo) return compareEmpty(aFrom, aTo, bFrom, bTo) as number
    const x = int32At(a, aFrom)
    const y = int32At(b, bFrom)
    return x < y ? -1 : x > y ? 1 : 0
  },
  vectorElementSize: 4,
}

/** Signed 64 bits. */
export function compareInt64Bytes(a: Uint8Array, aFrom: number, aTo: number, b: Uint8Array, bFrom: number, bTo: number): number {
  if (aFrom === aTo || bFrom === bTo) return compareEmpty(aFrom, aTo, bFrom, bTo) as number
  const high = int32At(a, aFrom)
  const otherHigh = int32At(b, bFrom)
  if (high !== otherHigh) return high < otherHigh ? -1 : 1
  const low = int32At(a, aFrom + 4) >>> 0
  const otherLow = int32At(b, bFrom + 4) >>> 0
  return low < otherLow ? -1 : low > otherLow ? 1 : 0
}

export function encodeInt64(value: CqlValue): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(toBigInteger(value))
  return bytes
}

export const BIGINT: TypeOperations = {
  encode: encodeInt64,
  decode: (bytes) => (bytes.length === 0 ? null : bytes.readBigInt64BE(0)),
  validate: (_bytes, from, to) => (to - from === 8 || to === from ? null : `Expected 8 or 0 byte long (${to - from})`),
  compare: compareInt64Bytes,
  vectorElementSize: 8,
}

/** A counter's value as clients see it; its context is storage's. */
export const COUNTER: TypeOperations = { ...BIGINT, vectorElementSize: null }

/** The shortest two's complement form, at least one byte, as Java's BigInteger.toByteArray. */
export function encodeVarint(value: bigint): Buffer {
  // Bits of the magnitude plus one for the sign, rounded up to bytes.
  const magnitude = value < 0n ? -value - 1n : value
  const hexDigits = magnitude.toString(16)
  const bits = (hexDigits.length - 1) * 4 + (32 - Math.clz32(Number.parseInt(hexDigits.charAt(0), 16)))
  const size = Math.floor(bits / 8) + 1
  return Buffer.from(BigInt.asUintN(size * 8, value).toString(16).padStart(size * 2, "0"), "hex")
}

export function decodeVarint(bytes: Uint8Array): bigint {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")
  return hex === "" ? 0n : BigInt.asIntN(bytes.length * 8, BigInt("0x" + hex))
}

/** Start of the number without the leading bytes that only repeat its sign. */
function significantFrom(bytes: Uint8Array, from: number, to: number): number {
  let at = from
  while (at + 1 < to) {
    const byte = bytes[at] as number
    const nextNegative = (bytes[at + 1] as number) >= 0x80
    if (byte === 0 ? nextNegative : byte !== 0xff || !nextNegative) break
    at++
  }
  return at
}

export const VARINT: TypeOperations = {
  encode: (value) => encodeVarint(toBigInteger(value)),
  decode: (bytes) => (bytes.length === 0 ? null : decodeVarint(bytes)),
  validate: () => null,
  compare(a, aFrom, aTo, b, bFrom, bTo) {
    const empty = compareEmpty(aFrom, aTo, bFrom, bTo)
    if (empty !== null) return empty
    const aNegative = (a[aFrom] as number) >= 0x80
    const bNegative = (b[bFrom] as number) >= 0x80
    if (aNegative !== bNegative) return aNegative ? -1 : 1
    const aAt = significantFrom(a, aFrom, aTo)
    const bAt = significantFrom(b, bFrom, bTo)
    const sizes = aTo - aAt - (bTo - bAt)
    if (sizes !== 0) return aNegative ? -sizes : sizes
    return compareBytes(a, aAt, aTo, b, bAt, bTo)
  },
  vectorElementSize: null,
}
