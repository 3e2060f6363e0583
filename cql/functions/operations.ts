// What an operator does with operands of two types: arithmetic of numbers, strings put together, and points in time moved by
// a duration.
import { Buffer } from "../../runtime/pure.ts"
import type { CqlType, NativeTypeName } from "../../data/cql-type.ts"
import { nativeType } from "../../data/types/type-name.ts"
import { type ArithmeticOperator, arithmeticType, calculate, operationFailure } from "./arithmetic.ts"
import { addDuration } from "./duration-arithmetic.ts"
import { numericName } from "./numbers.ts"
import { decodeDateMs, decodeDuration, decodeMs, encodeDate, encodeMs } from "./time-functions.ts"
import { durationText } from "./value-text.ts"

export interface Operation {
  readonly type: CqlType
  /** Operands are serialised and not null or empty. Throws RequestErrors. */
  calculate(left: Buffer, right: Buffer): Buffer
}

/** Null when there is no such operation. */
export function findOperation(operator: ArithmeticOperator, left: CqlType, right: CqlType): Operation | null {
  const leftNumber = numericName(left)
  const rightNumber = numericName(right)
  if (leftNumber !== null && rightNumber !== null) {
    return { type: nativeType(arithmeticType(leftNumber, rightNumber)), calculate: (a, b) => calculate(operator, a, leftNumber, b, rightNumber) }
  }
  if (left.kind !== "native" || right.kind !== "native") return null
  if (operator === "+" && isString(left.name) && isString(right.name)) {
    return { type: nativeType(left.name === "ascii" && right.name === "ascii" ? "ascii" : "text"), calculate: (a, b) => Buffer.concat([a, b]) }
  }
  if ((operator !== "+" && operator !== "-") || right.name !== "duration") return null
  return moveInTime(left.name, operator)
}

function isString(name: NativeTypeName): boolean {
  return name === "ascii" || name === "text"
}

function moveInTime(name: NativeTypeName, operator: "+" | "-"): Operation | null {
  const sign = operator === "+" ? 1 : -1
  if (name === "timestamp") {
    return { type: nativeType(name), calculate: (time, duration) => encodeMs(addDuration(decodeMs(time), decodeDuration(duration), sign)) }
  }
  if (name !== "date") return null
  return {
    type: nativeType(name),
    calculate: (date, bytes) => {
      const duration = decodeDuration(bytes)
      if (duration.nanoseconds !== 0n) throw operationFailure(operator, "date", "duration", `The duration must have a day precision. Was: ${durationText(duration)}`)
      return encodeDate(addDuration(decodeDateMs(date), duration, sign))
    },
  }
}
