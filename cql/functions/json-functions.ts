import { Buffer } from "../../runtime/pure.ts"
import type { Overload, ScalarFunction } from "./function.ts"
import type { CqlType } from "../../data/cql-type.ts"
import { typeName } from "../../data/types/type-name.ts"
import { FunctionFailureError, InvalidRequestError } from "../errors.ts"
import { type JsonValue, encodeJson, parseJson } from "../statements/json-values.ts"
import { asBuffer, native } from "./function.ts"
import { jsonText } from "./value-text.ts"

/** to_json(): any value as JSON text; null is the text null. */
function toJson(name: string): Overload {
  return (args): ScalarFunction | null => {
    const [argument] = args
    if (argument === undefined || args.length !== 1) return null
    const { type } = argument
    if (type === null) throw new InvalidRequestError(`Cannot infer type of argument ${argument.text} in call to function system.${name}(any): use type casts to disambiguate`)
    return {
      kind: "scalar", name, argumentTypes: [type], returnType: native("text"), deterministic: true,
      execute: ([value]) => Buffer.from(jsonText(type, value === null || value === undefined ? null : asBuffer(value))),
    }
  }
}

/** from_json(): a value of whatever type the place has that gets it. */
function fromJson(name: string): Overload {
  return (args, { receiver }): ScalarFunction => {
    if (receiver === null) throw new InvalidRequestError(`${name}() cannot be used in the selection clause of a SELECT statement`)
    if (args.length !== 1) throw new InvalidRequestError(`Invalid number of arguments for function system.${name}(text)`)
    const [argument] = args
    if (argument !== undefined && argument.test(native("text")) === "none") {
      throw new InvalidRequestError(`Function system.${name} requires an argument of type text, but found argument ${argument.text} of type ${argument.type === null ? "?" : typeName(argument.type)}`)
    }
    return {
      kind: "scalar", name, argumentTypes: [native("text")], returnType: receiver, deterministic: true,
      execute: ([json], context) => (json === null || json === undefined ? null : decode(name, receiver, asBuffer(json).toString(), context.nowMicros)),
    }
  }
}

function decode(name: string, type: CqlType, text: string, nowMicros: () => number): Uint8Array | null {
  const fail = (message: string): FunctionFailureError => new FunctionFailureError("system", name, ["text"], message)
  let json: JsonValue
  try {
    json = parseJson(text)
  } catch (error) {
    throw fail(`execution of 'system.${name}[text]' failed: Could not decode JSON string '${text}': ${(error as Error).message}`)
  }
  try {
    return encodeJson(type, json, nowMicros)
  } catch (error) {
    throw error instanceof InvalidRequestError ? fail(error.message) : error
  }
}

export function jsonFunctions(): [string, readonly Overload[]][] {
  return [
    ...["to_json", "tojson"].map((name): [string, readonly Overload[]] => [name, [toJson(name)]]),
    ...["from_json", "fromjson"].map((name): [string, readonly Overload[]] => [name, [fromJson(name)]]),
  ]
}
