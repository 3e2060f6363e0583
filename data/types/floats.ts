// float and double (IEEE 754, ordered as Java does: -0 before 0, NaN last), decimal ({ i32 scale, varint unscaled }).
import { Buffer, assert } from "../../runtime/pure.ts"
import { decodeVarint, encodeVarint } from "./integers.ts"
import { type CqlValue, type DecimalValue, type TypeOperations, compareEmpty } from "./operations.ts"

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function compareNumbers(x: number, y: number): number {
  if (x < y) return -1
  if (x > y) return 1
  if (x === y) return x !== 0 || Object.is(x, y) ? 0 : Object.is(x, -0) ? -1 : 1
  return Number.isNaN(x) ? (Number.isNaN(y) ? 0 : 1) : -1
}

export const FLOAT: TypeOperations = {
  encode(value) {
    assert(typeof value === "number", "a number for a float")
    const bytes = Buffer.alloc(4)
    bytes.writeFloatBE(value)
    return bytes
  },
  decode: (bytes) => (bytes.length === 0 ? null : bytes.readFloatBE(0)),
  validate: (_bytes, from, to) => (to - from === 4 || to === from ? null : `Expected 4 or 0 byte value for a float (${to - from})`),
  compare: (a, aFrom, aTo, b, bFrom, bTo) =>
    compareEmpty(aFrom, aTo, bFrom, bTo) ?? compareNumbers(view(a).getFloat32(aFrom), view(b).getFloat32(bFrom)),
  vectorElementSize: 4,
}

export const DOUBLE: TypeOperations = {
  encode(value) {
    assert(typeof value === "number", "a number for a double")
    const bytes = Buffer.alloc(8)
    bytes.writeDoubleBE(value)
    return bytes
  },
  decode: (bytes) => (bytes.length === 0 ? null : bytes.readDoubleBE(0)),
  validate: (_bytes, from, to) => (to - from === 8 || to === from ? null : `Expected 8 or 0 byte value for a double (${to - from})`),
  compare: (a, aFrom, aTo, b, bFrom, bTo) =>
    compareEmpty(aFrom, aTo, bFrom, bTo) ?? compareNumbers(view(a).getFloat64(aFrom), view(b).getFloat64(bFrom)),
  vectorElementSize: 8,
}

function isDecimal(value: CqlValue): value is DecimalValue {
  return typeof value === "object" && "unscaled" in value && typeof value.unscaled === "bigint" && "scale" in value && typeof value.scale === "number"
}

export function decodeDecimal(bytes: Uint8Array): DecimalValue {
  return { unscaled: decodeVarint(bytes.subarray(4)), scale: view(bytes).getInt32(0) }
}

function digits(magnitude: bigint): number {
  return magnitude.toString().length
}

/** By numeric value. The place of the first digit decides before anything is scaled up: scales go up to 2^31. */
function compareDecimals(x: DecimalValue, y: DecimalValue): number {
  const sign = x.unscaled > 0n ? 1 : x.unscaled < 0n ? -1 : 0
  const otherSign = y.unscaled > 0n ? 1 : y.unscaled < 0n ? -1 : 0
  if (sign !== otherSign) return sign - otherSign
  if (sign === 0) return 0
  const magnitude = sign < 0 ? -x.unscaled : x.unscaled
  const otherMagnitude = sign < 0 ? -y.unscaled : y.unscaled
  const places = digits(magnitude) - x.scale - (digits(otherMagnitude) - y.scale)
  if (places !== 0) return sign * places
  // The same place of the first digit: the scales differ by no more than the counts of digits do.
  const scales = x.scale - y.scale
  const left = scales < 0 ? magnitude * 10n ** BigInt(-scales) : magnitude
  const right = scales > 0 ? otherMagnitude * 10n ** BigInt(scales) : otherMagnitude
  return left === right ? 0 : left < right ? -sign : sign
}

export const DECIMAL: TypeOperations = {
  encode(value) {
    assert(isDecimal(value), "a decimal is { unscaled, scale }")
    const scale = Buffer.alloc(4)
    scale.writeInt32BE(value.scale)
    return Buffer.concat([scale, encodeVarint(value.unscaled)])
  },
  decode: (bytes) => (bytes.length === 0 ? null : decodeDecimal(bytes)),
  validate: (_bytes, from, to) => (to === from || to - from >= 4 ? null : `Expected 0 or at least 4 bytes (${to - from})`),
  compare: (a, aFrom, aTo, b, bFrom, bTo) =>
    compareEmpty(aFrom, aTo, bFrom, bTo) ?? compareDecimals(decodeDecimal(a.subarray(aFrom, aTo)), decodeDecimal(b.subarray(bFrom, bTo))),
  vectorElementSize: null,
}
