// Numbers of CQL's ten numeric types as JavaScript values: bigint for the whole ones, number for float and double,
// unscaled digits and scale for decimal. For aggregates, casts, arithmetic; not for the path of every row.
import { Buffer, assert } from "../../runtime/pure.ts"
import type { CqlType } from "../../data/cql-type.ts"
import { InvalidRequestError } from "../errors.ts"
import { asBuffer } from "./function.ts"

export const INTEGER_TYPES = ["tinyint", "smallint", "int", "bigint", "counter", "varint"] as const
export const NUMERIC_TYPES = [...INTEGER_TYPES, "float", "double", "decimal"] as const
export type IntegerName = (typeof INTEGER_TYPES)[number]
export type NumericName = (typeof NUMERIC_TYPES)[number]

/** unscaled × 10^-scale. */
export interface Decimal {
  readonly unscaled: bigint
  readonly scale: number
}

/** The numeric type's name, or null for other types. */
export function numericName(type: CqlType): NumericName | null {
  if (type.kind !== "native") return null
  return (NUMERIC_TYPES as readonly string[]).includes(type.name) ? (type.name as NumericName) : null
}
export function isInteger(name: NumericName): name is IntegerName {
  return (INTEGER_TYPES as readonly string[]).includes(name)
}

export function decodeVarint(bytes: Uint8Array): bigint {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return bytes.length > 0 && (bytes[0] as number) >= 0x80 ? value - (1n << BigInt(8 * bytes.length)) : value
}

export function encodeVarint(value: bigint): Buffer {
  let size = 1
  while (BigInt.asIntN(8 * size, value) !== value) size++
  const out = Buffer.alloc(size)
  let rest = value
  for (let at = size - 1; at >= 0; at--) {
    out[at] = Number(rest & 0xffn)
    rest >>= 8n
  }
  return out
}

const SIZES: Readonly<Record<Exclude<IntegerName, "varint">, number>> = { tinyint: 1, smallint: 2, int: 4, bigint: 8, counter: 8 }

export function decodeInteger(bytes: Uint8Array): bigint {
  return decodeVarint(bytes)
}

/** Fixed-size types wrap around, as Java's do. */
export function encodeInteger(name: IntegerName, value: bigint): Buffer {
  if (name === "varint") return encodeVarint(value)
  const size = SIZES[name]
  const out = Buffer.alloc(size)
  let rest = BigInt.asUintN(8 * size, value)
  for (let at = size - 1; at >= 0; at--) {
    out[at] = Number(rest & 0xffn)
    rest >>= 8n
  }
  return out
}

export function decodeDecimal(bytes: Uint8Array): Decimal {
  const source = asBuffer(bytes)
  return { scale: source.readInt32BE(0), unscaled: decodeVarint(source.subarray(4)) }
}
/** Throws InvalidRequestError when the scale is no 32-bit number: that of a product may be any. */
export function encodeDecimal(value: Decimal): Buffer {
  if (value.scale !== (value.scale | 0)) throw new InvalidRequestError(`A decimal's scale cannot be ${value.scale}`)
  const scale = Buffer.alloc(4)
  scale.writeInt32BE(value.scale)
  return Buffer.concat([scale, encodeVarint(value.unscaled)])
}

/** REQUIRES: a float or double. */
export function decodeFloating(name: NumericName, bytes: Uint8Array): number {
  const source = asBuffer(bytes)
  assert(name === "float" || name === "double", "a floating-point type")
  return name === "float" ? source.readFloatBE(0) : source.readDoubleBE(0)
}
export function encodeFloating(name: "float" | "double", value: number): Buffer {
  const out = Buffer.alloc(name === "float" ? 4 : 8)
  if (name === "float") out.writeFloatBE(value)
  else out.writeDoubleBE(value)
  return out
}

export function decodeAsNumber(name: NumericName, bytes: Uint8Array): number {
  if (name === "float" || name === "double") return decodeFloating(name, bytes)
  if (name === "decimal") return Number(decimalText(decodeDecimal(bytes)))
  return Number(decodeVarint(bytes))
}

export function decodeAsDecimal(name: NumericName, bytes: Uint8Array): Decimal {
  if (name === "decimal") return decodeDecimal(bytes)
  if (name === "float" || name === "double") return parseDecimal(decodeFloating(name, bytes))
  return { unscaled: decodeVarint(bytes), scale: 0 }
}

/** The exact digits JavaScript prints for the number. Throws InvalidRequestError for NaN and the infinities. */
export function parseDecimal(value: number): Decimal {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value))
  if (match === null) throw new InvalidRequestError(`${value} is no decimal`)
  const fraction = match[3] ?? ""
  const digits = BigInt(`${match[1] ?? ""}${match[2] ?? ""}${fraction}`)
  return { unscaled: digits, scale: fraction.length - Number(match[4] ?? 0) }
}

/** A scale is any 32-bit number, so that two bytes of digits may stand for gigabytes: nothing is calculated with those. */
const MAX_SHIFT = 10_000

/** 10^exponent. Throws InvalidRequestError when it is too large to calculate with. */
export function powerOfTen(exponent: number): bigint {
  if (exponent > MAX_SHIFT) throw new InvalidRequestError(`Decimals that differ by more than ${MAX_SHIFT} digits cannot be calculated with`)
  return 10n ** BigInt(exponent)
}

/** Whole part, rounded towards zero. */
export function decimalToInteger(value: Decimal): bigint {
  return rescale(value, 0)
}

/** As java.math.BigDecimal prints: plain, or with an exponent when the number is very small or its scale negative. */
export function decimalText(value: Decimal): string {
  const negative = value.unscaled < 0n
  const digits = (negative ? -value.unscaled : value.unscaled).toString()
  const sign = negative ? "-" : ""
  const exponent = digits.length - 1 - value.scale
  if (value.scale >= 0 && exponent >= -6) {
    if (value.scale === 0) return sign + digits
    const padded = digits.padStart(value.scale + 1, "0")
    return `${sign}${padded.slice(0, -value.scale)}.${padded.slice(-value.scale)}`
  }
  const mantissa = digits.length > 1 ? `${digits[0]}.${digits.slice(1)}` : digits
  return `${sign}${mantissa}E${exponent >= 0 ? "+" : ""}${exponent}`
}

export function addDecimals(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale)
  return { unscaled: rescale(a, scale) + rescale(b, scale), scale }
}

/** The unscaled digits at another scale; digits are cut towards zero. */
export function rescale(value: Decimal, scale: number): bigint {
  const shift = scale - value.scale
  return shift >= 0 ? value.unscaled * powerOfTen(shift) : value.unscaled / powerOfTen(-shift)
}
