// Serialised values as text, the way Cassandra prints them: for CAST(x AS text) and for JSON.
import type { Buffer } from "../../runtime/pure.ts"
import type { CqlType, NativeTypeName } from "../../data/cql-type.ts"
import { formatInetInFull } from "../../data/types/inet.ts"
import { unpackCollection } from "../../data/types/collections.ts"
import type { DurationValue } from "../../data/types/operations.ts"
import { unpackTuple } from "../../data/types/tuples.ts"
import { operationsOf } from "../../data/types/type-operations.ts"
import { decimalText } from "./numbers.ts"
import type { Decimal } from "./numbers.ts"

const NANOSECONDS_PER_SECOND = 1_000_000_000n

/** Null for the empty value of a type that has none. */
export function nativeText(name: NativeTypeName, bytes: Buffer): string | null {
  if (name === "blob") return "0x" + bytes.toString("hex")
  const value = operationsOf({ kind: "native", name }).decode(bytes)
  if (value === null) return null
  switch (name) {
    case "float":
      return javaNumber(Math.fround(value as number), true)
    case "double":
      return javaNumber(value as number, false)
    case "decimal":
      return decimalText(value as Decimal)
    case "timestamp":
      return timestampText(Number(value as bigint), "T")
    case "date":
      return dateText(value as number)
    case "time":
      return timeText(value as bigint)
    case "duration":
      return durationText(value as DurationValue)
    case "inet":
      return formatInetInFull(bytes)
    default:
      return String(value)
  }
}

/** As java.lang.Double and Float print: always a fraction, an exponent outside 10^-3..10^7. */
export function javaNumber(value: number, single: boolean): string {
  if (!Number.isFinite(value)) return String(value)
  const [digits, exponent] = shortestDigits(value, single)
  const sign = value < 0 || Object.is(value, -0) ? "-" : ""
  if (value === 0) return sign + "0.0"
  if (exponent < -3 || exponent >= 7) return `${sign}${digits[0]}.${digits.slice(1) || "0"}E${exponent}`
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0")
  return `${sign}${whole}.${digits.slice(exponent + 1) || "0"}`
}

/** The fewest digits that read back as the value, and the exponent of the first. */
function shortestDigits(value: number, single: boolean): [string, number] {
  let text = Math.abs(value).toExponential()
  if (single) {
    for (let precision = 0; precision < 9; precision++) {
      text = Math.abs(value).toExponential(precision)
      if (Math.fround(Number(text)) === Math.abs(value)) break
    }
  }
  const [mantissa, exponent] = text.split("e") as [string, string]
  return [mantissa.replace(".", ""), Number(exponent)]
}

/** Year, month and day of a day since 1970-01-01 (proleptic Gregorian). */
export function civilDate(days: number): { year: number; month: number; day: number } {
  // Eras of 400 years that begin on 1 March, so that the leap day is the last of its year.
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor((dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365)
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day: dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1 }
}

const pad = (value: number, size: number): string => String(value).padStart(size, "0")

export function dateText(days: number): string {
  const { year, month, day } = civilDate(days)
  return `${year < 0 ? "-" : ""}${pad(Math.abs(year), 4)}-${pad(month, 2)}-${pad(day, 2)}`
}

/** UTC, with milliseconds and "Z". */
export function timestampText(ms: number, separator: string): string {
  const days = Math.floor(ms / 86_400_000)
  const rest = ms - days * 86_400_000
  const seconds = Math.floor(rest / 1000)
  return `${dateText(days)}${separator}${clockText(seconds)}.${pad(rest % 1000, 3)}Z`
}

function clockText(seconds: number): string {
  return `${pad(Math.floor(seconds / 3600), 2)}:${pad(Math.floor(seconds / 60) % 60, 2)}:${pad(seconds % 60, 2)}`
}

export function timeText(nanoseconds: bigint): string {
  return `${clockText(Number(nanoseconds / NANOSECONDS_PER_SECOND))}.${pad(Number(nanoseconds % NANOSECONDS_PER_SECOND), 9)}`
}

export function durationText(value: DurationValue): string {
  const negative = value.months < 0 || value.days < 0 || value.nanoseconds < 0n
  let rest = value.nanoseconds < 0n ? -value.nanoseconds : value.nanoseconds
  const months = Math.abs(value.months)
  let text = ""
  const part = (amount: number | bigint, unit: string): void => {
    if (BigInt(amount) !== 0n) text += `${amount}${unit}`
  }
  part(Math.floor(months / 12), "y")
  part(months % 12, "mo")
  part(Math.abs(value.days), "d")
  for (const [unit, size] of [["h", 3_600_000_000_000n], ["m", 60_000_000_000n], ["s", NANOSECONDS_PER_SECOND], ["ms", 1_000_000n], ["us", 1000n], ["ns", 1n]] as const) {
    part(rest / size, unit)
    rest %= size
  }
  return (negative ? "-" : "") + text
}

const QUOTED: readonly NativeTypeName[] = ["ascii", "text", "blob", "date", "duration", "inet", "time", "timestamp", "timeuuid", "uuid"]

/** A value as JSON. */
export function jsonText(type: CqlType, bytes: Buffer | null): string {
  if (bytes === null) return "null"
  switch (type.kind) {
    case "native":
      return nativeJson(type.name, bytes)
    case "list":
    case "set":
      return `[${unpackCollection(bytes).map((element) => jsonText(type.element, element)).join(", ")}]`
    case "map": {
      const parts = unpackCollection(bytes)
      const entries: string[] = []
      for (let at = 0; at < parts.length; at += 2) entries.push(`${jsonKey(type.key, parts[at] as Buffer)}: ${jsonText(type.value, parts[at + 1] as Buffer)}`)
      return `{${entries.join(", ")}}`
    }
    case "tuple":
      return `[${unpackTuple(bytes).map((element, index) => jsonText(type.elements[index] as CqlType, element)).join(", ")}]`
    case "udt": {
      const parts = unpackTuple(bytes)
      return `{${type.fields.map((field, index) => `${jsonName(field.name)}: ${jsonText(field.type, parts[index] ?? null)}`).join(", ")}}`
    }
    case "vector":
      return `[${(operationsOf(type).decode(bytes) as number[]).map((element) => jsonText(type.element, operationsOf(type.element).encode(element))).join(", ")}]`
  }
}

function nativeJson(name: NativeTypeName, bytes: Buffer): string {
  if (name === "timestamp") return JSON.stringify(bytes.length === 0 ? "" : timestampText(Number(bytes.readBigInt64BE(0)), " "))
  const text = nativeText(name, bytes)
  if (text === null) return '""'
  // JSON has no words for these.
  if ((name === "double" || name === "float") && !/\d/.test(text)) return "null"
  return QUOTED.includes(name) ? JSON.stringify(text) : text
}

function jsonKey(type: CqlType, bytes: Buffer): string {
  const text = jsonText(type, bytes)
  return text.startsWith('"') ? text : JSON.stringify(text)
}

/** Names that are not lower case keep their CQL quotes inside the JSON string. */
export function jsonName(name: string): string {
  return name === name.toLowerCase() ? JSON.stringify(name) : JSON.stringify(`"${name}"`)
}
