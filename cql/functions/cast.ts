// CAST(x AS t): which types can be cast to which, and how. Numbers are cut to whole ones and wrap around as Java's do.
import { Buffer } from "../../runtime/pure.ts"
import type { CqlType, NativeTypeName } from "../../data/cql-type.ts"
import { typeName } from "../../data/types/type-name.ts"
import { InvalidRequestError } from "../errors.ts"
import { type ScalarFunction, scalar } from "./function.ts"
import {
  type NumericName, decimalToInteger, decodeAsDecimal, decodeAsNumber, decodeVarint, encodeDecimal, encodeFloating, encodeInteger, isInteger, numericName,
} from "./numbers.ts"
import { decodeDateMs, decodeMs, encodeDate, encodeMs, timeUuidMs } from "./time-functions.ts"
import { nativeText } from "./value-text.ts"

type Convert = (value: Buffer) => Buffer

/** Throws InvalidRequestError, which names the operand, when there is no such cast. */
export function castFunction(from: CqlType, to: CqlType, operand: string): ScalarFunction {
  const convert = typeName(from) === typeName(to) ? (value: Buffer) => value : conversion(from, to)
  if (convert === null) throw new InvalidRequestError(`${operand} cannot be cast to ${typeName(to)}`)
  return scalar(`castas${typeName(to)}`, [from], to, ([value]) => convert(value as Buffer))
}

function conversion(from: CqlType, to: CqlType): Convert | null {
  if (from.kind !== "native" || to.kind !== "native") return null
  const fromNumber = numericName(from)
  const toNumber = numericName(to)
  if (fromNumber !== null && toNumber !== null && toNumber !== "counter") return numeric(fromNumber, toNumber)
  if (to.name === "text" || to.name === "ascii") return toText(from.name, to.name)
  return betweenTimes(from.name, to.name)
}

function numeric(from: NumericName, to: NumericName): Convert {
  if (to === "float" || to === "double") return (value) => encodeFloating(to, decodeAsNumber(from, value))
  if (to === "decimal") return (value) => encodeDecimal(decodeAsDecimal(from, value))
  return (value) => (isInteger(from) ? encodeInteger(to, decodeVarint(value)) : encodeInteger(to, saturated(from, to, value)))
}

/** Java casts a floating number beyond the type's range to its nearest end. */
function saturated(from: NumericName, to: NumericName, value: Buffer): bigint {
  if (from === "decimal") return decimalToInteger(decodeAsDecimal(from, value))
  const number = decodeAsNumber(from, value)
  if (Number.isNaN(number)) return 0n
  const bits = to === "bigint" ? 63n : 31n
  const max = (1n << bits) - 1n
  const whole = Number.isFinite(number) ? BigInt(Math.trunc(number)) : number > 0 ? max : -max - 1n
  if (to === "varint") return whole
  return whole > max ? max : whole < -max - 1n ? -max - 1n : whole
}

const NO_TEXT: readonly NativeTypeName[] = ["blob", "duration"]

function toText(from: NativeTypeName, to: "text" | "ascii"): Convert | null {
  if (NO_TEXT.includes(from) || (from === "text" && to === "ascii")) return null
  return (value) => Buffer.from(nativeText(from, value) ?? "")
}

function betweenTimes(from: NativeTypeName, to: NativeTypeName): Convert | null {
  if (from === "timeuuid" && to === "timestamp") return (value) => encodeMs(timeUuidMs(value))
  if (from === "timeuuid" && to === "date") return (value) => encodeDate(timeUuidMs(value))
  if (from === "timestamp" && to === "date") return (value) => encodeDate(decodeMs(value))
  if (from === "date" && to === "timestamp") return (value) => encodeMs(decodeDateMs(value))
  return null
}
