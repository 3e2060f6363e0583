// abs, exp, log, log10 and round of every numeric type; the result is of the argument's type. Whole numbers go through
// double and are cut, as Java's casts do.
import type { Buffer } from "../../runtime/pure.ts"
import { type Overload, native, scalar } from "./function.ts"
import {
  type IntegerName, NUMERIC_TYPES, type NumericName, decimalToInteger, decodeAsDecimal, decodeAsNumber, decodeVarint, encodeDecimal, encodeFloating, encodeInteger,
  isInteger, parseDecimal, powerOfTen,
} from "./numbers.ts"

type OneNumber = (value: number) => number

/** Applied through double. */
function throughDouble(name: string, type: NumericName, compute: OneNumber): Overload {
  return scalar(name, [native(type)], native(type), ([value]) => {
    const result = compute(decodeAsNumber(type, value as Buffer))
    if (type === "float" || type === "double") return encodeFloating(type, result)
    if (type === "decimal") return encodeDecimal(parseDecimal(result))
    return encodeInteger(type as IntegerName, saturated(type as IntegerName, result))
  })
}

/** Java's cast of a double: NaN is 0, and what is beyond the type's range becomes its nearest end; narrow types go through int. */
function saturated(type: IntegerName, value: number): bigint {
  if (Number.isNaN(value)) return 0n
  if (type === "varint") return Number.isFinite(value) ? BigInt(Math.trunc(value)) : 0n
  const max = type === "bigint" || type === "counter" ? 2n ** 63n - 1n : 2n ** 31n - 1n
  if (!Number.isFinite(value)) return value > 0 ? max : -max - 1n
  const whole = BigInt(Math.trunc(value))
  return whole > max ? max : whole < -max - 1n ? -max - 1n : whole
}

function absolute(type: NumericName): Overload {
  return scalar("abs", [native(type)], native(type), ([value]) => {
    const bytes = value as Buffer
    if (type === "float" || type === "double") return encodeFloating(type, Math.abs(decodeAsNumber(type, bytes)))
    if (type === "decimal") {
      const { unscaled, scale } = decodeAsDecimal(type, bytes)
      return encodeDecimal({ unscaled: unscaled < 0n ? -unscaled : unscaled, scale })
    }
    const whole = decodeVarint(bytes)
    return encodeInteger(type as IntegerName, whole < 0n ? -whole : whole)
  })
}

/** Half away from zero for decimals, half up for floating numbers, as Java's. */
function round(type: NumericName): Overload {
  return scalar("round", [native(type)], native(type), ([value]) => {
    const bytes = value as Buffer
    if (isInteger(type)) return bytes
    if (type === "float" || type === "double") return encodeFloating(type, Math.round(decodeAsNumber(type, bytes)))
    const { unscaled, scale } = decodeAsDecimal(type, bytes)
    if (scale <= 0) return bytes
    const half = 5n * powerOfTen(scale - 1)
    return encodeDecimal({ unscaled: decimalToInteger({ unscaled: unscaled + (unscaled < 0n ? -half : half), scale }), scale: 0 })
  })
}

export function mathFunctions(): [string, readonly Overload[]][] {
  const types = NUMERIC_TYPES.filter((type) => type !== "counter")
  return [
    ["abs", types.map(absolute)],
    ["round", types.map(round)],
    ["exp", types.map((type) => throughDouble("exp", type, Math.exp))],
    ["log", types.map((type) => throughDouble("log", type, Math.log))],
    ["log10", types.map((type) => throughDouble("log10", type, Math.log10))],
  ]
}
