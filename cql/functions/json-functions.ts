import { Buffer } from "../../runtime/pure.ts"
import type { Overload, ScalarFunction } from "./function.ts"
import { asBuffer, native } from "./function.ts"
import { jsonText } from "./value-text.ts"

/** to_json(): any value as JSON text; null is the text null. */
function toJson(name: string): Overload {
  return (args): ScalarFunction | null => {
    const type = args.length === 1 ? args[0]?.type : null
    if (type === null || type === undefined) return null
    return {
      kind: "scalar", name, argumentTypes: [type], returnType: native("text"), deterministic: true,
      execute: ([value]) => Buffer.from(jsonText(type, value === null || value === undefined ? null : asBuffer(value))),
    }
  }
}

export function jsonFunctions(): [string, readonly Overload[]][] {
  return ["to_json", "tojson"].map((name) => [name, [toJson(name)]])
}
