// How values cross the border of a sandbox. A *shape* tells the sandbox's side (prelude.ts) what a type looks like there;
// a *wire* is a value as JSON can hold it. docs/functions.md has the table of what a body sees and may return.
//
//   type                           shape        wire
//   boolean                        boolean      true, false
//   tinyint, smallint, int         whole        number; text of digits on the way back
//   float, double                  number       number, or text of what JSON has no word for: NaN, Infinity, -0
//   ascii, text, uuid, timeuuid, inet  text     text
//   bigint, counter, varint, time  bigint       text of digits
//   decimal                        decimal      [digits, scale]
//   blob                           blob         text of one character per byte
//   date                           date         days since 1970
//   timestamp                      timestamp    text of milliseconds since 1970
//   duration                       duration     [months, days, text of nanoseconds]
//   list, vector                   [list, e]    array          set   [set, e]   array
//   map                            [map, k, v]  array of pairs
//   tuple                          [tuple, ..]  array with nulls
//   user type                      [udt, [name, shape] ..]     array with nulls, in the order of the fields
import type { CqlType, NativeTypeName } from "../../data/cql-type.ts"
import type { CqlValue, DecimalValue, DurationValue, UdtValue } from "../../data/types/operations.ts"
import { decodeValue, encodeValue, validate } from "../../data/types/type-operations.ts"
import { typeName } from "../../data/types/type-name.ts"
import { parseInet } from "../../data/types/inet.ts"
import { Buffer, assert } from "../../runtime/pure.ts"

export type Shape = string | readonly (string | Shape)[]
export type Wire = null | boolean | number | string | readonly Wire[]

const NATIVE_SHAPES: Readonly<Record<NativeTypeName, string>> = {
  boolean: "boolean", tinyint: "whole", smallint: "whole", int: "whole", float: "number", double: "number", ascii: "text", text: "text", uuid: "text",
  timeuuid: "text", inet: "text", bigint: "bigint", counter: "bigint", varint: "bigint", time: "bigint", decimal: "decimal", blob: "blob", date: "date",
  timestamp: "timestamp", duration: "duration",
}

/** A result that is no value of the return type. */
export class WireError extends Error {
  override readonly name = "WireError"
}

export function shapeOf(type: CqlType): Shape {
  switch (type.kind) {
    case "native":
      return NATIVE_SHAPES[type.name]
    case "list":
    case "vector":
      return ["list", shapeOf(type.element)]
    case "set":
      return ["set", shapeOf(type.element)]
    case "map":
      return ["map", shapeOf(type.key), shapeOf(type.value)]
    case "tuple":
      return ["tuple", ...type.elements.map(shapeOf)]
    case "udt":
      return ["udt", ...type.fields.map((field): Shape => [field.name, shapeOf(field.type)])]
  }
}

/** Wires of these types go in as they are; of all others as JSON text. */
export function isPlain(type: CqlType): boolean {
  const shape = shapeOf(type)
  return shape === "boolean" || shape === "whole" || shape === "number"
}

/** Null for an empty value of a type that has none. REQUIRES: the bytes are valid. */
export function toWire(type: CqlType, bytes: Buffer): Wire {
  const value = decodeValue(type, bytes)
  return value === null ? null : valueToWire(type, value)
}

function valueToWire(type: CqlType, value: CqlValue | null): Wire {
  if (value === null) return null
  switch (type.kind) {
    case "native":
      return nativeToWire(type.name, value)
    case "list":
    case "set":
    case "vector":
      return (value as readonly CqlValue[]).map((element) => valueToWire(type.element, element))
    case "map":
      return [...(value as ReadonlyMap<CqlValue, CqlValue>)].map(([key, item]) => [valueToWire(type.key, key), valueToWire(type.value, item)])
    case "tuple":
      return type.elements.map((element, index) => valueToWire(element, (value as readonly (CqlValue | null)[])[index] ?? null))
    case "udt":
      return type.fields.map((field) => valueToWire(field.type, (value as UdtValue)[field.name] ?? null))
  }
}

function isJson(value: number): boolean {
  return Number.isFinite(value) && !Object.is(value, -0)
}

function textOf(value: number): string {
  return value === 0 ? "-0" : String(value)
}

function nativeToWire(name: NativeTypeName, value: CqlValue): Wire {
  if (typeof value === "bigint") return value.toString()
  if (typeof value === "number") return isJson(value) ? value : textOf(value)
  if (name === "blob") return Buffer.from(value as Uint8Array).toString("latin1")
  if (name === "decimal") return [(value as DecimalValue).unscaled.toString(), (value as DecimalValue).scale]
  if (name === "duration") {
    const { months, days, nanoseconds } = value as DurationValue
    return [months, days, nanoseconds.toString()]
  }
  return value as string | boolean
}

/** Throws WireError. */
export function fromWire(type: CqlType, wire: Wire): Buffer | null {
  if (wire === null) return null
  const bytes = encodeValue(type, wireToValue(type, wire))
  const problem = validate(type, bytes)
  if (problem !== null) throw new WireError(problem)
  return bytes
}

function wireToValue(type: CqlType, wire: Wire): CqlValue {
  if (wire === null) throw new WireError(`null in the place of a value of type ${typeName(type)}`)
  switch (type.kind) {
    case "native":
      return nativeFromWire(type.name, wire)
    case "vector": {
      const elements = wire as readonly Wire[]
      if (elements.length !== type.dimension) throw new WireError(`expected an array of ${type.dimension}, got one of ${elements.length}`)
      return elements.map((element) => wireToValue(type.element, element))
    }
    case "list":
    case "set":
      return (wire as readonly Wire[]).map((element) => wireToValue(type.element, element))
    case "map":
      return new Map((wire as readonly (readonly [Wire, Wire])[]).map(([key, value]) => [wireToValue(type.key, key), wireToValue(type.value, value)]))
    case "tuple":
      return type.elements.map((element, index) => optional(element, (wire as readonly Wire[])[index] ?? null))
    case "udt":
      return Object.fromEntries(type.fields.map((field, index) => [field.name, optional(field.type, (wire as readonly Wire[])[index] ?? null)]))
  }
}

function optional(type: CqlType, wire: Wire): CqlValue | null {
  return wire === null ? null : wireToValue(type, wire)
}

const RANGES: Partial<Readonly<Record<NativeTypeName, readonly [bigint, bigint]>>> = {
  tinyint: [-(2n ** 7n), 2n ** 7n - 1n], smallint: [-(2n ** 15n), 2n ** 15n - 1n], int: [-(2n ** 31n), 2n ** 31n - 1n], bigint: [-(2n ** 63n), 2n ** 63n - 1n],
  counter: [-(2n ** 63n), 2n ** 63n - 1n], timestamp: [-(2n ** 63n), 2n ** 63n - 1n], time: [0n, 86_399_999_999_999n], date: [-(2n ** 31n), 2n ** 31n - 1n],
}

function inRange(name: NativeTypeName, value: bigint): bigint {
  const range = RANGES[name]
  if (range !== undefined && (value < range[0] || value > range[1])) throw new WireError(`${value} is out of the range of ${name}`)
  return value
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

function nativeFromWire(name: NativeTypeName, wire: Wire): CqlValue {
  switch (name) {
    case "boolean":
      return wire as boolean
    case "float":
    case "double":
      return Number(wire)
    case "tinyint":
    case "smallint":
    case "int":
    case "date":
      return Number(inRange(name, BigInt(wire as string | number)))
    case "bigint":
    case "counter":
    case "varint":
    case "time":
    case "timestamp":
      return inRange(name, BigInt(wire as string))
    case "decimal": {
      const [digits, scale] = wire as readonly [string, number]
      if (!Number.isInteger(scale) || Math.abs(scale) > 2 ** 31 - 1) throw new WireError(`${scale} digits are too many for a decimal`)
      return { unscaled: BigInt(digits), scale }
    }
    case "blob":
      return Buffer.from(wire as string, "latin1")
    case "duration":
      return duration(wire as readonly [number, number, string])
    case "uuid":
    case "timeuuid":
      if (!UUID.test(wire as string)) throw new WireError(`'${String(wire)}' is not a ${name}`)
      return (wire as string).toLowerCase()
    case "inet":
      if (parseInet(wire as string) === null) throw new WireError(`'${String(wire)}' is not an inet`)
      return wire as string
    case "ascii":
    case "text":
      assert(typeof wire === "string", `the wire of a ${name} is text`)
      return wire
  }
}

function duration([months, days, digits]: readonly [number, number, string]): DurationValue {
  const nanoseconds = inRange("bigint", BigInt(digits))
  for (const part of [months, days]) inRange("int", BigInt(part))
  const signs = [Math.sign(months), Math.sign(days), nanoseconds < 0n ? -1 : nanoseconds > 0n ? 1 : 0]
  if (signs.includes(1) && signs.includes(-1)) throw new WireError("the parts of a duration have the same sign")
  return { months, days, nanoseconds }
}
