// JSON to serialised values, as INSERT JSON takes it. Numbers keep their digits: they are read from the text, not as
// doubles. Every type also takes a string that holds the value.
import type { Buffer } from "../../runtime/pure.ts"
import type { CqlType, NativeTypeName } from "../../data/cql-type.ts"
import { packCollection, sortedElements } from "../../data/types/collections.ts"
import { packTuple } from "../../data/types/tuples.ts"
import { compareValues } from "../../data/types/type-operations.ts"
import { InvalidRequestError } from "../errors.ts"
import type { Constant, ConstantType } from "../language/ast-terms.ts"
import { encodeConstant, testConstant } from "./literals.ts"
import { packMap, packVector } from "./pack-values.ts"

/** A number by its digits. */
class JsonNumber {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
  get isInteger(): boolean {
    return /^-?\d+$/.test(this.text)
  }
}

export type JsonValue = null | boolean | string | JsonNumber | readonly JsonValue[] | ReadonlyMap<string, JsonValue>

/** Throws the built-in SyntaxError. */
export function parseJson(text: string): JsonValue {
  // The third argument of a reviver holds the source of a primitive value; the library types do not know it yet.
  const revive = (_key: string, value: unknown, context?: { readonly source: string }): unknown => {
    if (typeof value === "number") return new JsonNumber(context?.source ?? String(value))
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof JsonNumber) && !(value instanceof Map)
    return isObject ? new Map(Object.entries(value)) : value
  }
  return JSON.parse(text, revive) as JsonValue
}

/** Null for a JSON null. Throws InvalidRequestError. */
export function encodeJson(type: CqlType, json: JsonValue, nowMicros: () => number): Buffer | null {
  if (json === null) return null
  const encode = (inner: CqlType, value: JsonValue): Buffer | null => encodeJson(inner, value, nowMicros)
  switch (type.kind) {
    case "native":
      return encodeConstant(constantOf(type.name, json), type, nowMicros)
    case "list": {
      const elements = elementsOf("list", json, (value) => encode(type.element, value))
      return packCollection(elements.length, elements)
    }
    case "set": {
      const elements = sortedElements(elementsOf("set", json, (value) => encode(type.element, value)), compareValues(type.element))
      return packCollection(elements.length, elements)
    }
    case "vector": {
      const elements = elementsOf("vector", json, (value) => encode(type.element, value))
      if (elements.length !== type.dimension) throw new InvalidRequestError(`Expected a vector of ${type.dimension} elements, but got ${elements.length}`)
      return packVector(type.element, elements)
    }
    case "map":
      return encodeMap(type.key, type.value, json, encode)
    case "tuple":
      return encodeTuple(type.elements, json, encode)
    case "udt":
      return encodeUserType(type, json, encode)
  }
}

type Encode = (type: CqlType, value: JsonValue) => Buffer | null

function elementsOf(kind: string, json: JsonValue, encode: (value: JsonValue) => Buffer | null): Buffer[] {
  return arrayOf(kind, json).map((value) => {
    const bytes = encode(value)
    if (bytes === null) throw new InvalidRequestError(`Invalid null element in ${kind}`)
    return bytes
  })
}

const ARRAY_KINDS: Readonly<Record<string, string>> = { set: " (representing a set)", tuple: " representation of a tuple" }

/** A collection may come as a string that holds its JSON. */
function arrayOf(kind: string, json: JsonValue): readonly JsonValue[] {
  const value = typeof json === "string" ? parsedInside(kind, json) : json
  if (!Array.isArray(value)) throw new InvalidRequestError(`Expected a list${ARRAY_KINDS[kind] ?? ""}, but got a ${kindOf(value)}: ${textOf(value)}`)
  return value
}

function mapOf(kind: string, json: JsonValue): ReadonlyMap<string, JsonValue> {
  const value = typeof json === "string" ? parsedInside(kind, json) : json
  if (!(value instanceof Map)) throw new InvalidRequestError(`Expected a map, but got a ${kindOf(value)}: ${textOf(value)}`)
  return value as ReadonlyMap<string, JsonValue>
}

function parsedInside(kind: string, text: string): JsonValue {
  try {
    return parseJson(text)
  } catch {
    throw new InvalidRequestError(`Could not decode JSON string as a ${kind}: ${text}`)
  }
}

function encodeMap(keyType: CqlType, valueType: CqlType, json: JsonValue, encode: Encode): Buffer {
  const keys: Buffer[] = []
  const values: Buffer[] = []
  for (const [name, item] of mapOf("map", json)) {
    const key = encode(keyType, name)
    const value = encode(valueType, item)
    if (key === null || value === null) throw new InvalidRequestError("Invalid null value in map")
    keys.push(key)
    values.push(value)
  }
  return packMap(keys, values, keyType)
}

function encodeTuple(types: readonly CqlType[], json: JsonValue, encode: Encode): Buffer {
  const values = arrayOf("tuple", json)
  if (values.length > types.length) throw new InvalidRequestError(`Tuple contains extra items (expected ${types.length}): ${textOf(values)}`)
  if (values.length < types.length) throw new InvalidRequestError(`Tuple is missing items (expected ${types.length}): ${textOf(values)}`)
  return packTuple(types.map((type, index) => encode(type, values[index] as JsonValue)))
}

function encodeUserType({ name: typeName, fields }: Extract<CqlType, { kind: "udt" }>, json: JsonValue, encode: Encode): Buffer {
  const given = foldNames(mapOf("user type", json))
  const unknown = [...given.keys()].find((name) => !fields.some((field) => field.name === name))
  if (unknown !== undefined) throw new InvalidRequestError(`Unknown field '${unknown}' in value of user defined type ${typeName}`)
  return packTuple(fields.map((field) => encode(field.type, given.get(field.name) ?? null)))
}

/** Names in lower case, unless they carry double quotes of their own. */
export function foldNames(map: ReadonlyMap<string, JsonValue>): Map<string, JsonValue> {
  return new Map([...map].map(([name, value]) => [/^".*"$/s.test(name) ? name.slice(1, -1) : name.toLowerCase(), value]))
}

/** The constant of CQL that says the same. */
function constantOf(name: NativeTypeName, json: JsonValue): Constant {
  const refusal = refusalOf(name, json)
  if (refusal !== null) throw new InvalidRequestError(refusal)
  const constant = literalOf(name, json)
  if (constant === null || testConstant(constant, { kind: "native", name }) === "none") {
    throw new InvalidRequestError(`Expected ${/^[aeiou]/.test(name) ? "an" : "a"} ${name} value, but got a ${kindOf(json)}: ${textOf(json)}`)
  }
  return constant
}

const JAVA_NAMES: Partial<Record<NativeTypeName, string>> = { tinyint: "byte", smallint: "short", int: "int", bigint: "long", counter: "long" }

/** What some types say of JSON that is no value of theirs; null: nothing, or nothing of their own. */
function refusalOf(name: NativeTypeName, json: JsonValue): string | null {
  const text = json instanceof JsonNumber ? json.text : typeof json === "string" ? json : null
  switch (name) {
    case "tinyint":
    case "smallint":
    case "int":
    case "bigint":
    case "counter":
      if (name === "int" && json instanceof JsonNumber && kindOf(json) !== "Integer") return `Expected an int value, but got a ${kindOf(json)}: ${json.text}`
      return text === null || /^-?\d+$/.test(text) ? null : `Unable to make ${JAVA_NAMES[name]} from '${text}'`
    case "varint":
      return text === null || /^-?\d+$/.test(text) ? null : `Value '${text}' is not a valid representation of a varint value`
    case "decimal":
      return text === null || DECIMAL.test(text) ? null : `Value '${text}' is not a valid representation of a decimal value`
    case "blob":
      return typeof json !== "string" || /^0x/i.test(json) ? null : `Value '${json}' is not a valid blob representation: String representation of blob is missing 0x prefix: ${json}`
    case "text":
      return typeof json === "string" ? null : `Expected a UTF-8 string, but got a ${kindOf(json)}: ${textOf(json)}`
    default:
      return null
  }
}

const DECIMAL = /^-?\d+\.?\d*(?:e[+-]?\d+)?$/i

/** Null when JSON of this kind is no value of the type. */
function literalOf(name: NativeTypeName, json: JsonValue): Constant | null {
  if (json instanceof JsonNumber) return { kind: "constant", type: json.isInteger ? "integer" : "float", text: json.text }
  if (typeof json === "boolean") return { kind: "constant", type: "boolean", text: String(json) }
  if (typeof json !== "string") return null
  const type = stringForms(name, json)
  return type === null ? null : { kind: "constant", type, text: type === "boolean" ? json.toLowerCase() : json }
}

/** What a string is for a type; null when it cannot be one of its values. */
function stringForms(name: NativeTypeName, text: string): ConstantType | null {
  switch (name) {
    case "tinyint":
    case "smallint":
    case "int":
    case "bigint":
    case "counter":
    case "varint":
      return /^-?\d+$/.test(text) ? "integer" : null
    case "float":
    case "double":
      return /^-?(?:\d+\.?\d*(?:e[+-]?\d+)?|NaN|Infinity)$/i.test(text) ? "float" : null
    case "decimal":
      return DECIMAL.test(text) ? "float" : null
    case "boolean":
      return /^(?:true|false)$/i.test(text) ? "boolean" : null
    case "blob":
      return /^0x[0-9a-f]*$/i.test(text) ? "hex" : null
    case "uuid":
    case "timeuuid":
      return "uuid"
    case "duration":
      return "duration"
    default:
      return "string"
  }
}

function wholeKind(value: bigint): string {
  return BigInt.asIntN(32, value) === value ? "Integer" : BigInt.asIntN(64, value) === value ? "Long" : "BigInteger"
}

function kindOf(json: JsonValue): string {
  if (json instanceof JsonNumber) return json.isInteger ? wholeKind(BigInt(json.text)) : "Double"
  if (json instanceof Map) return "LinkedHashMap"
  if (Array.isArray(json)) return "ArrayList"
  return typeof json === "boolean" ? "Boolean" : json === null ? "null" : "String"
}

function textOf(json: JsonValue): string {
  if (json instanceof JsonNumber) return json.text
  if (json instanceof Map) return `{${[...(json as ReadonlyMap<string, JsonValue>)].map(([name, value]) => `${name}=${textOf(value)}`).join(", ")}}`
  if (Array.isArray(json)) return `[${json.map(textOf).join(", ")}]`
  return String(json)
}
