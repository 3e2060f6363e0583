// Constants as serialised values: which type a constant fits, and how its text becomes bytes. The messages are those of
// Cassandra's types.
import { Buffer } from "../../runtime/pure.ts"
import type { CqlType, NativeTypeName } from "../../data/cql-type.ts"
import { parseInet } from "../../data/types/inet.ts"
import { nativeType } from "../../data/types/type-name.ts"
import type { DecimalValue } from "../../data/types/operations.ts"
import { encodeValue } from "../../data/types/type-operations.ts"
import { parseUuid } from "../../data/types/uuids.ts"
import { InvalidRequestError } from "../errors.ts"
import type { Constant, ConstantType } from "../language/ast-terms.ts"
import { parseDate, parseTimeOfDay, parseTimestamp } from "./civil-time.ts"
import { parseDuration } from "./duration-text.ts"

export type Assignable = "exact" | "weak" | "none"

const FITS: Readonly<Record<ConstantType, ReadonlySet<NativeTypeName>>> = {
  string: new Set(["ascii", "text", "inet", "date", "time", "timestamp"]),
  integer: new Set(["bigint", "counter", "date", "decimal", "double", "duration", "float", "int", "smallint", "time", "timestamp", "tinyint", "varint"]),
  uuid: new Set(["uuid", "timeuuid"]),
  float: new Set(["decimal", "double", "float"]),
  boolean: new Set(["boolean"]),
  hex: new Set(["blob"]),
  duration: new Set(["duration"]),
}

/** Can the constant be a value of the type? Exact: it is the type the constant would have on its own. */
export function testConstant(constant: Constant, type: CqlType): Assignable {
  if (type.kind !== "native") return "none"
  if (preferredType(constant) === type.name) return "exact"
  return FITS[constant.type].has(type.name) ? "weak" : "none"
}

/** The type a constant has where nothing else decides. */
export function preferredType(constant: Constant): NativeTypeName {
  switch (constant.type) {
    case "string":
      return isAscii(constant.text) ? "ascii" : "text"
    case "integer": {
      const value = BigInt(constant.text)
      return BigInt.asIntN(32, value) === value ? "int" : BigInt.asIntN(64, value) === value ? "bigint" : "varint"
    }
    case "uuid":
      return constant.text[14] === "1" ? "timeuuid" : "uuid"
    case "float":
      return Number.isFinite(Number(constant.text)) || /[ny]$/i.test(constant.text) ? "double" : "decimal"
    case "boolean":
      return "boolean"
    case "hex":
      return "blob"
    case "duration":
      return "duration"
  }
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 127) return false
  return true
}

/** REQUIRES: testConstant is not "none". Throws InvalidRequestError when the text is no value of the type. */
export function encodeConstant(constant: Constant, type: CqlType, nowMicros: () => number): Buffer {
  const name = (type as Extract<CqlType, { kind: "native" }>).name
  if (constant.type === "string") return encodeString(constant.text, name, nowMicros)
  if (constant.type === "hex") return encodeHex(constant.text)
  return encodeText(constant.text, name)
}

function encodeHex(text: string): Buffer {
  if (text.length % 2 !== 0) throw new InvalidRequestError(`cannot parse '${text.slice(2)}' as hex bytes`)
  return Buffer.from(text.slice(2), "hex")
}

function encodeString(text: string, name: NativeTypeName, nowMicros: () => number): Buffer {
  switch (name) {
    case "text":
      return Buffer.from(text, "utf8")
    case "ascii":
      if (!isAscii(text)) throw new InvalidRequestError("Invalid ASCII character in string literal: java.nio.charset.UnmappableCharacterException: Input length = 1")
      return Buffer.from(text, "latin1")
    case "inet": {
      if (text === "") return Buffer.alloc(0)
      const address = parseInet(text)
      if (address === null) throw new InvalidRequestError(`Unable to make inet address from '${text}'`)
      return address
    }
    case "timestamp":
      if (text === "") return Buffer.alloc(0)
      if (text.toLowerCase() === "now") return encodeValue(nativeType("timestamp"), Math.floor(nowMicros() / 1000))
      return encodeTimestamp(text)
    default:
      return encodeText(text, name)
  }
}

function encodeTimestamp(text: string): Buffer {
  if (/^-?\d+$/.test(text)) return encodeValue(nativeType("timestamp"), inRange(text, 64, `Unable to make long (for date) from: '${text}'`))
  const ms = parseTimestamp(text)
  if (ms === null) throw new InvalidRequestError(`Unable to parse a date/time from '${text}'`)
  return encodeValue(nativeType("timestamp"), ms)
}

function encodeText(text: string, name: NativeTypeName): Buffer {
  const type = nativeType(name)
  switch (name) {
    case "tinyint":
      return encodeValue(type, Number(inRange(text, 8, `Unable to make byte from '${text}'`)))
    case "smallint":
      return encodeValue(type, Number(inRange(text, 16, `Unable to make short from '${text}'`)))
    case "int":
      return encodeValue(type, Number(inRange(text, 32, `Unable to make int from '${text}'`)))
    case "bigint":
    case "counter":
      return encodeValue(type, inRange(text, 64, `Unable to make long from '${text}'`))
    case "varint":
      return encodeValue(type, BigInt(text))
    case "float":
    case "double":
      return encodeValue(type, Number(text))
    case "decimal":
      return encodeValue(type, parseDecimal(text))
    case "boolean":
      return encodeValue(type, text === "true")
    case "uuid":
    case "timeuuid":
      return encodeUuid(text, name)
    default:
      return encodeTemporal(text, name)
  }
}

function encodeUuid(text: string, name: "uuid" | "timeuuid"): Buffer {
  const uuid = parseUuid(text)
  if (uuid === null) throw new InvalidRequestError(`Unable to make UUID from '${text}'`)
  if (name === "timeuuid" && text[14] !== "1") throw new InvalidRequestError("TimeUUID supports only version 1 UUIDs")
  return uuid
}

function encodeTemporal(text: string, name: NativeTypeName): Buffer {
  switch (name) {
    case "timestamp":
      return encodeTimestamp(text)
    case "date":
      return encodeDate(text)
    case "time":
      return encodeTime(text)
    case "duration": {
      const duration = parseDuration(text)
      if (duration === null) throw new InvalidRequestError(`Unable to convert '${text}' to a duration`)
      return encodeValue(nativeType(name), duration)
    }
    default:
      throw new InvalidRequestError(`Unable to make ${name} from '${text}'`)
  }
}

const DAYS_SHIFT = 2 ** 31

function encodeDate(text: string): Buffer {
  if (/^-?\d+$/.test(text)) {
    // A number is the serialised form: days counted from 2^31 days before 1970.
    const days = BigInt(text)
    if (days < 0n || days > 0xffffffffn) throw new InvalidRequestError(`Unable to make unsigned int (for date) from: '${text}'`)
    return encodeValue(nativeType("date"), Number(days) - DAYS_SHIFT)
  }
  const days = parseDate(text)
  if (days === null || days < -DAYS_SHIFT || days >= DAYS_SHIFT) throw new InvalidRequestError(`Unable to coerce '${text}' to a formatted date (long)`)
  return encodeValue(nativeType("date"), days)
}

const NANOSECONDS_PER_DAY = 86_400_000_000_000n

function encodeTime(text: string): Buffer {
  if (/^-?\d+$/.test(text)) {
    const nanoseconds = BigInt(text)
    if (nanoseconds < 0n || nanoseconds >= NANOSECONDS_PER_DAY) throw new InvalidRequestError(`Unable to make long (for time) from: '${text}'`)
    return encodeValue(nativeType("time"), nanoseconds)
  }
  const nanoseconds = parseTimeOfDay(text)
  if (nanoseconds === null) throw new InvalidRequestError(`(TimeType) Unable to coerce '${text}' to a formatted time (long)`)
  return encodeValue(nativeType("time"), nanoseconds)
}

function inRange(text: string, bits: number, message: string): bigint {
  const value = BigInt(text)
  if (BigInt.asIntN(bits, value) !== value) throw new InvalidRequestError(message)
  return value
}

/** A decimal of more digits or a larger exponent than this is refused: it would cost more memory than a statement should. */
const MAX_EXPONENT = 1_000_000

function parseDecimal(text: string): DecimalValue {
  const match = /^(-?\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text)
  const exponent = Number(match?.[3] ?? 0)
  if (match === null || Math.abs(exponent) > MAX_EXPONENT) throw new InvalidRequestError(`unable to make BigDecimal from '${text}'`)
  const fraction = match[2] ?? ""
  return { unscaled: BigInt((match[1] as string) + fraction), scale: fraction.length - exponent }
}
