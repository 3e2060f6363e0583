// 64-bit integers as two halves: `high` signed, `low` unsigned 32 bits. Timestamps are exact microseconds over the whole
// int64 range (USING TIMESTAMP takes any), and so are tokens; doubles lose the last bits beyond 2^53 and BigInt is too
// slow for the hot path.

const TWO_32 = 0x100000000

/** Negative, 0 or positive as a is less than, equal to or greater than b. */
export function compareInt64(aHigh: number, aLow: number, bHigh: number, bLow: number): number {
  if (aHigh !== bHigh) return aHigh < bHigh ? -1 : 1
  return aLow === bLow ? 0 : aLow < bLow ? -1 : 1
}

/** Upper half of an integer between -2^53 and 2^53, such as the clock's microseconds. */
export function highOf(value: number): number {
  return Math.floor(value / TWO_32)
}

/** Lower half of an integer between -2^53 and 2^53. */
export function lowOf(value: number): number {
  return value >>> 0
}

/** The value as a double: exact between -2^53 and 2^53, rounded beyond. */
export function toNumber(high: number, low: number): number {
  return high * TWO_32 + low
}

/** For cold paths. */
export function toBigInt(high: number, low: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low)
}

/** Upper half of a bigint, which wraps around at 64 bits. */
export function highOfBigInt(value: bigint): number {
  return Number(BigInt.asIntN(32, value >> 32n))
}

/** Lower half of a bigint. */
export function lowOfBigInt(value: bigint): number {
  return Number(BigInt.asUintN(32, value))
}

/** The decimal text. */
export function int64Text(high: number, low: number): string {
  if ((high === 0) || (high === -1 && low !== 0)) return String(toNumber(high, low))
  return toBigInt(high, low).toString()
}

/** The earliest timestamp; no write can have it (it is Cassandra's "no timestamp"). */
export const MIN_HIGH = -0x80000000
export const MIN_LOW = 0
