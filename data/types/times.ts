// timestamp (i64 milliseconds since 1970), date (u32 days with 1970-01-01 at 2^31, so that bytes sort), time (i64
// nanoseconds of the day), duration (months, days, nanoseconds as zigzag vints).
import { Buffer, assert } from "../../runtime/pure.ts"
import { compareInt64Bytes, encodeInt64, toBigInteger } from "./integers.ts"
import { type CqlValue, type DurationValue, type TypeOperations, compareBytes } from "./operations.ts"
import { readSignedVint, writeSignedVint } from "./vint.ts"

export const TIMESTAMP: TypeOperations = {
  encode: encodeInt64,
  decode: (bytes) => (bytes.length === 0 ? null : bytes.readBigInt64BE(0)),
  validate: (_bytes, from, to) => (to - from === 8 || to === from ? null : `Expected 8 or 0 byte long for date (${to - from})`),
  compare: compareInt64Bytes,
  vectorElementSize: 8,
}

export const DATE: TypeOperations = {
  encode(value) {
    assert(typeof value === "number" && Number.isInteger(value) && Math.abs(value) <= 2 ** 31, "a number of days")
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(value + 2 ** 31)
    return bytes
  },
  decode: (bytes) => (bytes.length === 0 ? null : bytes.readUInt32BE(0) - 2 ** 31),
  validate: (_bytes, from, to) => (to - from === 4 ? null : `Expected 4 byte long for date (${to - from})`),
  compare: compareBytes,
  vectorElementSize: null,
}

export const NANOSECONDS_PER_DAY = 86_400_000_000_000n

export const TIME: TypeOperations = {
  encode(value) {
    const nanoseconds = toBigInteger(value)
    assert(nanoseconds >= 0n && nanoseconds < NANOSECONDS_PER_DAY, "nanoseconds of a day")
    return encodeInt64(nanoseconds)
  },
  decode: (bytes) => (bytes.length === 0 ? null : bytes.readBigInt64BE(0)),
  validate: (_bytes, from, to) => (to - from === 8 ? null : `Expected 8 byte long for time (${to - from})`),
  compare: compareBytes,
  vectorElementSize: null,
}

function isDuration(value: CqlValue): value is DurationValue {
  return typeof value === "object" && "months" in value && "days" in value && "nanoseconds" in value && typeof value.nanoseconds === "bigint"
}

function fitsInt32(value: bigint): boolean {
  return BigInt.asIntN(32, value) === value
}

/** The three numbers, or null when the bytes end too early. */
function readParts(bytes: Uint8Array, from: number, to: number): [bigint, bigint, bigint] | null {
  const months = readSignedVint(bytes, from, to)
  const days = months === null ? null : readSignedVint(bytes, months.end, to)
  const nanoseconds = days === null ? null : readSignedVint(bytes, days.end, to)
  return months === null || days === null || nanoseconds === null ? null : [months.value, days.value, nanoseconds.value]
}

export const DURATION: TypeOperations = {
  encode(value) {
    assert(isDuration(value), "a duration is { months, days, nanoseconds }")
    return Buffer.concat([writeSignedVint(BigInt(value.months)), writeSignedVint(BigInt(value.days)), writeSignedVint(value.nanoseconds)])
  },
  decode(bytes) {
    const parts = readParts(bytes, 0, bytes.length)
    return parts === null ? null : { months: Number(parts[0]), days: Number(parts[1]), nanoseconds: parts[2] }
  },
  validate(bytes, from, to) {
    if (to - from < 3) return `Expected at least 3 bytes for a duration (${to - from})`
    const parts = readParts(bytes, from, to)
    if (parts === null) return `Not enough bytes to read a duration (${to - from})`
    const [months, days, nanoseconds] = parts
    if (!fitsInt32(months)) return `The duration months must be a 32 bits integer but was: ${months}`
    if (!fitsInt32(days)) return `The duration days must be a 32 bits integer but was: ${days}`
    const positive = months >= 0n && days >= 0n && nanoseconds >= 0n
    const negative = months <= 0n && days <= 0n && nanoseconds <= 0n
    return positive || negative ? null : `The duration months, days and nanoseconds must be all of the same sign (${months}, ${days}, ${nanoseconds})`
  },
  // Durations have no order (a month is no number of days); this one only tells equal from different.
  compare: compareBytes,
  vectorElementSize: null,
}
