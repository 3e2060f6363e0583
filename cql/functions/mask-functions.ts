// Functions that hide values: mask_null, mask_default, mask_replace, mask_inner, mask_outer and mask_hash. They are called
// like any other; columns that are always masked are not part of the language here.
import { Buffer, digest } from "../../runtime/pure.ts"
import type { CqlType, NativeTypeName } from "../../data/cql-type.ts"
import { packCollection } from "../../data/types/collections.ts"
import { packTuple } from "../../data/types/tuples.ts"
import { nativeType, typeName } from "../../data/types/type-name.ts"
import { encodeValue } from "../../data/types/type-operations.ts"
import { InvalidRequestError } from "../errors.ts"
import { type FunctionArgument, type Overload, type ScalarFunction, asBuffer } from "./function.ts"

const TEXT = nativeType("text")
const INT = nativeType("int")
const DEFAULT_HASH = "SHA-256"
const STRING_MASK = Buffer.from("****")

type Execute = ScalarFunction["execute"]

function mask(name: string, argumentTypes: readonly CqlType[], returnType: CqlType, execute: Execute): ScalarFunction {
  return { kind: "scalar", name, argumentTypes, returnType, deterministic: true, execute }
}

/** The first argument's type. Throws InvalidRequestError when there is no such call. */
function maskedType(name: string, parameters: string, counts: readonly number[], args: readonly FunctionArgument[]): CqlType {
  if (!counts.includes(args.length)) throw new InvalidRequestError(`Invalid number of arguments for function system.${name}(${parameters})`)
  const [value] = args
  const type = value?.type ?? null
  if (type === null) throw new InvalidRequestError(`Cannot infer type of argument ${value?.text ?? ""} in call to function system.${name}(${parameters}): use type casts to disambiguate`)
  return type
}

const maskNull: Overload = (args) => mask("mask_null", [maskedType("mask_null", "any", [1], args)], args[0]?.type as CqlType, () => null)

const maskDefault: Overload = (args) => {
  const type = maskedType("mask_default", "any", [1], args)
  const masked = defaultMask(type)
  return mask("mask_default", [type], type, () => masked)
}

const maskReplace: Overload = (args) => {
  const type = maskedType("mask_replace", "any, any", [2], args)
  return mask("mask_replace", [type, type], type, ([, replacement]) => replacement ?? null)
}

const maskHash: Overload = (args) => {
  const type = maskedType("mask_hash", "any, [text]", [1, 2], args)
  const types = args.length === 1 ? [type] : [type, TEXT]
  return mask("mask_hash", types, nativeType("blob"), ([value, algorithm]) => {
    if (value === null || value === undefined) return null
    const name = algorithm === null || algorithm === undefined ? DEFAULT_HASH : asBuffer(algorithm).toString()
    const hash = digest(name, value)
    if (hash === null) throw new InvalidRequestError(`Hash algorithm not found: ${name}`)
    return hash
  })
}

/** `hides`: is the character at `index` of `length` masked, with so many at each end? */
function maskPart(name: string, hides: (index: number, length: number, begin: number, end: number) => boolean): Overload {
  const parameters = "[text|varchar|ascii], int, int, [text]"
  return (args) => {
    const type = maskedType(name, parameters, [3, 4], args)
    if (type.kind !== "native" || (type.name !== "text" && type.name !== "ascii")) {
      throw new InvalidRequestError(`Function system.${name} requires an argument of type [text|varchar|ascii], but found argument ${args[0]?.text} of type ${typeName(type)}`)
    }
    args.slice(1).forEach((argument, index) => requireType(name, argument, index < 2 ? INT : TEXT))
    return mask(name, [type, INT, INT, TEXT].slice(0, args.length), type, ([value, begin, end, padding]) => {
      if (value === null || value === undefined) return null
      const pad = padding === null || padding === undefined ? "*" : asBuffer(padding).toString()
      if (pad.length !== 1) throw new InvalidRequestError(`The padding argument for function system.${name} should be single-character, but '${pad}' has ${pad.length} characters.`)
      const text = asBuffer(value).toString()
      const [from, to] = [count(begin), count(end)]
      return Buffer.from(Array.from({ length: text.length }, (_, index) => (hides(index, text.length, from, to) ? pad : text[index])).join(""))
    })
  }
}

function requireType(name: string, argument: FunctionArgument, type: CqlType): void {
  if (argument.test(type) !== "none") return
  throw new InvalidRequestError(`Function system.${name} requires an argument of type ${typeName(type)}, but found argument ${argument.text} of type ${argument.type === null ? "?" : typeName(argument.type)}`)
}

/** Null and what is negative hide nothing at that end. */
function count(bytes: Uint8Array | null | undefined): number {
  return bytes === null || bytes === undefined || bytes.length === 0 ? 0 : Math.max(0, asBuffer(bytes).readInt32BE(0))
}

const NATIVE_MASKS: Partial<Record<NativeTypeName, Buffer>> = {
  ascii: STRING_MASK, text: STRING_MASK, blob: Buffer.alloc(0), boolean: Buffer.alloc(1), tinyint: Buffer.alloc(1), smallint: Buffer.alloc(2), int: Buffer.alloc(4),
  float: Buffer.alloc(4), inet: Buffer.alloc(4), bigint: Buffer.alloc(8), counter: Buffer.alloc(8), double: Buffer.alloc(8), time: Buffer.alloc(8), timestamp: Buffer.alloc(8),
  uuid: Buffer.alloc(16), varint: Buffer.alloc(1), decimal: Buffer.alloc(5), duration: Buffer.alloc(3), date: Buffer.from("80000000", "hex"),
  // The least timeuuid of the epoch.
  timeuuid: Buffer.from("138140001dd211b28080808080808080", "hex"),
}

function defaultMask(type: CqlType): Buffer {
  switch (type.kind) {
    case "native":
      return NATIVE_MASKS[type.name] ?? Buffer.alloc(0)
    case "list":
    case "set":
    case "map":
      return packCollection(0, [])
    case "tuple":
      return packTuple(type.elements.map(defaultMask))
    case "udt":
      return packTuple(type.fields.map((field) => defaultMask(field.type)))
    case "vector":
      return encodeValue(type, Array.from({ length: type.dimension }, () => 0))
  }
}

export function maskFunctions(): [string, readonly Overload[]][] {
  return [
    ["mask_null", [maskNull]],
    ["mask_default", [maskDefault]],
    ["mask_replace", [maskReplace]],
    ["mask_hash", [maskHash]],
    ["mask_inner", [maskPart("mask_inner", (index, length, begin, end) => index >= begin && index < length - end)]],
    ["mask_outer", [maskPart("mask_outer", (index, length, begin, end) => index < begin || index >= length - end)]],
  ]
}
