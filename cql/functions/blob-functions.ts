// <type>_as_blob and blob_as_<type>: the bytes of a value, and bytes as a value.
import { Buffer } from "../../runtime/pure.ts"
import type { NativeTypeName } from "../../data/cql-type.ts"
import { InvalidRequestError } from "../errors.ts"
import { type Overload, type ScalarFunction, native } from "./function.ts"

const BLOB = native("blob")
/** By the name in the function; varchar is text under another name. */
const NAMES: readonly (readonly [string, NativeTypeName])[] = [
  ["ascii", "ascii"], ["bigint", "bigint"], ["boolean", "boolean"], ["counter", "counter"], ["date", "date"], ["decimal", "decimal"],
  ["double", "double"], ["duration", "duration"], ["float", "float"], ["inet", "inet"], ["int", "int"], ["smallint", "smallint"], ["text", "text"], ["time", "time"],
  ["timestamp", "timestamp"], ["timeuuid", "timeuuid"], ["tinyint", "tinyint"], ["uuid", "uuid"], ["varchar", "text"], ["varint", "varint"],
]

/** `isValid` says whether bytes are a serialised value of the type. */
export function blobFunctions(isValid: (type: NativeTypeName, bytes: Uint8Array) => boolean): [string, readonly Overload[]][] {
  const functions: [string, readonly Overload[]][] = []
  for (const [word, type] of NAMES) {
    for (const name of [`${word}_as_blob`, `${word}asblob`]) functions.push([name, [toBlob(name, type)]])
    for (const name of [`blob_as_${word}`, `blobas${word}`]) functions.push([name, [fromBlob(name, word, type, isValid)]])
  }
  return functions
}

function toBlob(name: string, type: NativeTypeName): ScalarFunction {
  return { kind: "scalar", name, argumentTypes: [native(type)], returnType: BLOB, deterministic: true, execute: ([value]) => value ?? null }
}

function fromBlob(name: string, word: string, type: NativeTypeName, isValid: (type: NativeTypeName, bytes: Uint8Array) => boolean): ScalarFunction {
  return {
    kind: "scalar", name, argumentTypes: [BLOB], returnType: native(type), deterministic: true,
    execute: ([value]) => {
      if (value === null || value === undefined) return null
      if (isValid(type, value)) return value
      throw new InvalidRequestError(`In call to function system.${name}, value 0x${Buffer.from(value).toString("hex")} is not a valid binary representation for type ${word === "varchar" ? "text" : word}`)
    },
  }
}
