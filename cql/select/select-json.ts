import { Buffer } from "../../runtime/pure.ts"
import { nativeType } from "../../data/types/type-name.ts"
import { asBuffer } from "../functions/function.ts"
import { jsonName, jsonText } from "../functions/value-text.ts"
import type { Expression } from "./select-expression.ts"

/** SELECT JSON: one column with all the others as a JSON object. */
export function jsonRow(columns: readonly { readonly expression: Expression; readonly name: string }[]): Expression {
  const members = columns.map(({ expression, name }) => ({ expression, label: jsonName(name) }))
  return {
    type: nativeType("text"),
    name: "[json]",
    evaluate: (scope) => {
      const texts = members.map(({ expression, label }) => {
        const value = expression.evaluate(scope)
        return `${label}: ${jsonText(expression.type, value === null ? null : asBuffer(value))}`
      })
      return Buffer.from(`{${texts.join(", ")}}`)
    },
  }
}
