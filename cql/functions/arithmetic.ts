// + - * / % of numbers. The type of the result is the wider of the two: whole numbers by size (they wrap around), a
// floating one with a 64-bit one gives double, varint with a floating one gives decimal. Fixed-size whole numbers become
// decimals by way of a double, as in Cassandra, which shows in the scale: 2 is 2.0.
import type { Buffer } from "../../runtime/pure.ts"
import { FunctionFailureError } from "../errors.ts"
import {
  type Decimal, type IntegerName, type NumericName, addDecimals, decodeAsDecimal, decodeAsNumber, decodeVarint, encodeDecimal, encodeFloating, encodeInteger,
  isInteger, rescale,
} from "./numbers.ts"

export type ArithmeticOperator = "+" | "-" | "*" | "/" | "%"

const BY_SIZE: readonly IntegerName[] = ["tinyint", "smallint", "int", "bigint", "varint"]
/** Digits behind the point that a quotient of decimals has at least before trailing zeros are dropped, and at most. */
const MIN_QUOTIENT_SCALE = 32
const MAX_QUOTIENT_SCALE = 1000

export function arithmeticType(a: NumericName, b: NumericName): NumericName {
  const left = a === "counter" ? "bigint" : a
  const right = b === "counter" ? "bigint" : b
  if (left === "decimal" || right === "decimal") return "decimal"
  if (isInteger(left) && isInteger(right)) return BY_SIZE[Math.max(BY_SIZE.indexOf(left), BY_SIZE.indexOf(right))] as NumericName
  if (left === "varint" || right === "varint") return "decimal"
  const both = [left, right]
  return both.includes("double") || both.includes("bigint") ? "double" : "float"
}

const FUNCTION_NAMES: Readonly<Record<ArithmeticOperator, string>> = { "+": "_add", "-": "_substract", "*": "_multiply", "/": "_divide", "%": "_modulo" }

/** What an operation on values of these types answers when it cannot be done. */
export function operationFailure(operator: ArithmeticOperator, leftType: string, rightType: string, cause: string): FunctionFailureError {
  return new FunctionFailureError("system", FUNCTION_NAMES[operator], [leftType, rightType], `the operation '${leftType} ${operator} ${rightType}' failed: ${cause}`)
}

/** `left` and `right` are serialised and not null or empty. Throws FunctionFailureError for a division by zero. */
export function calculate(operator: ArithmeticOperator, left: Buffer, leftType: NumericName, right: Buffer, rightType: NumericName): Buffer {
  const type = arithmeticType(leftType, rightType)
  if (type === "float" || type === "double") return encodeFloating(type, floating(operator, decodeAsNumber(leftType, left), decodeAsNumber(rightType, right)))
  const fail = (cause: string): never => {
    throw operationFailure(operator, leftType, rightType, cause)
  }
  if (type === "decimal") return encodeDecimal(decimal(operator, decimalOperand(leftType, left), decimalOperand(rightType, right), fail))
  const onZero = type === "varint" ? "BigInteger divide by zero" : "/ by zero"
  return encodeInteger(type as IntegerName, integer(operator, decodeVarint(left), decodeVarint(right), () => fail(onZero)))
}

function decimalOperand(type: NumericName, bytes: Buffer): Decimal {
  const value = decodeAsDecimal(type, bytes)
  if (!isInteger(type) || type === "varint") return value
  // Up to 10^7 a double is printed with a digit behind the point, beyond with an exponent that takes the zeros.
  const size = value.unscaled < 0n ? -value.unscaled : value.unscaled
  return size < 10_000_000n ? { unscaled: value.unscaled * 10n, scale: 1 } : stripZeros(value)
}

function floating(operator: ArithmeticOperator, a: number, b: number): number {
  switch (operator) {
    case "+":
      return a + b
    case "-":
      return a - b
    case "*":
      return a * b
    case "/":
      return a / b
    case "%":
      return a % b
  }
}

function integer(operator: ArithmeticOperator, a: bigint, b: bigint, onZero: () => never): bigint {
  if ((operator === "/" || operator === "%") && b === 0n) onZero()
  switch (operator) {
    case "+":
      return a + b
    case "-":
      return a - b
    case "*":
      return a * b
    case "/":
      return a / b
    case "%":
      return a % b
  }
}

function decimal(operator: ArithmeticOperator, a: Decimal, b: Decimal, fail: (cause: string) => never): Decimal {
  switch (operator) {
    case "+":
      return addDecimals(a, b)
    case "-":
      return addDecimals(a, { unscaled: -b.unscaled, scale: b.scale })
    case "*":
      return { unscaled: a.unscaled * b.unscaled, scale: a.scale + b.scale }
    case "/":
      return b.unscaled === 0n ? fail("BigInteger divide by zero") : quotient(a, b)
    case "%": {
      if (b.unscaled === 0n) fail("Division by zero")
      const scale = Math.max(a.scale, b.scale)
      return { unscaled: rescale(a, scale) % rescale(b, scale), scale }
    }
  }
}

/** REQUIRES: `b` is not zero. */
function quotient(a: Decimal, b: Decimal): Decimal {
  const scale = Math.min(MAX_QUOTIENT_SCALE, Math.max(MIN_QUOTIENT_SCALE, a.scale, b.scale))
  // a / b at this scale, one digit more for rounding half up.
  const digits = rescale(a, scale + 1 + b.scale) / b.unscaled
  const half = digits < 0n ? -5n : 5n
  return stripZeros({ unscaled: (digits + half) / 10n, scale })
}

function stripZeros(value: Decimal): Decimal {
  let { unscaled, scale } = value
  if (unscaled === 0n) return { unscaled, scale: 0 }
  while (unscaled % 10n === 0n) {
    unscaled /= 10n
    scale--
  }
  return { unscaled, scale }
}

export function negate(value: Buffer, type: NumericName): Buffer {
  if (type === "float" || type === "double") return encodeFloating(type, -decodeAsNumber(type, value))
  if (type === "decimal") {
    const { unscaled, scale } = decodeAsDecimal(type, value)
    return encodeDecimal({ unscaled: -unscaled, scale })
  }
  return encodeInteger(type as IntegerName, -decodeVarint(value))
}
