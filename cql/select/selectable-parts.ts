// Parts of values in a selection: a user type's field, an element of a set or map, a slice of them.
import type { Buffer } from "../../runtime/pure.ts"
import type { CqlType } from "../../data/cql-type.ts"
import { packCollection, unpackCollection } from "../../data/types/collections.ts"
import { unpackTuple } from "../../data/types/tuples.ts"
import { typeName } from "../../data/types/type-name.ts"
import { compareValues } from "../../data/types/type-operations.ts"
import { InvalidRequestError } from "../errors.ts"
import { asBuffer } from "../functions/function.ts"
import type { Expression } from "./select-expression.ts"

export function fieldExpression(operand: Expression, field: string): Expression {
  const type = operand.type
  if (type.kind !== "udt") throw new InvalidRequestError(`Invalid field selection: ${operand.name} of type ${typeName(type)} is not a user type`)
  const index = type.fields.findIndex((candidate) => candidate.name === field)
  const found = type.fields[index]
  if (found === undefined) throw new InvalidRequestError(`${operand.name} of type ${typeName(type)} has no field ${field}`)
  return {
    type: found.type,
    name: `${operand.name}.${field}`,
    evaluate: (scope) => {
      const value = operand.evaluate(scope)
      return value === null ? null : (unpackTuple(asBuffer(value))[index] ?? null)
    },
  }
}

/** The type of what `[...]` looks for, and what it finds. */
function keyAndResult(operand: Expression, noun: string): { key: CqlType; result: CqlType; stride: number } {
  const type = operand.type
  if (type.kind === "map") return { key: type.key, result: type.value, stride: 2 }
  if (type.kind === "set") return { key: type.element, result: type.element, stride: 1 }
  if (type.kind === "list") throw new InvalidRequestError(`${noun} selection is only allowed on sets and maps, but ${operand.name} is a list`)
  throw new InvalidRequestError(`Invalid ${noun.toLowerCase()} selection: ${operand.name} is of type ${typeName(type)} is not a collection`)
}

/** `key` compiles the term for its type and gives its place in the scope. */
export function elementExpression(operand: Expression, key: (type: CqlType) => number, text: string): Expression {
  const { key: keyType, result, stride } = keyAndResult(operand, "Element")
  const compare = compareValues(keyType)
  const index = key(keyType)
  return {
    type: result,
    name: `${operand.name}[${text}]`,
    evaluate: (scope) => {
      const value = operand.evaluate(scope)
      const wanted = scope.terms[index] ?? null
      if (value === null || wanted === null) return null
      const parts = unpackCollection(asBuffer(value))
      for (let at = 0; at < parts.length; at += stride) {
        const part = parts[at] as Buffer
        if (compare(part, 0, part.length, wanted, 0, wanted.length) === 0) return parts[at + stride - 1] as Buffer
      }
      return null
    },
  }
}

export function sliceExpression(operand: Expression, from: (type: CqlType) => number | null, to: (type: CqlType) => number | null, text: string): Expression {
  const { key: keyType, stride } = keyAndResult(operand, "Slice")
  const compare = compareValues(keyType)
  const order = (a: Buffer, b: Buffer): number => compare(a, 0, a.length, b, 0, b.length)
  const fromIndex = from(keyType)
  const toIndex = to(keyType)
  return {
    type: operand.type,
    name: `${operand.name}[${text}]`,
    evaluate: (scope) => {
      const value = operand.evaluate(scope)
      if (value === null) return null
      const lower = fromIndex === null ? null : (scope.terms[fromIndex] ?? null)
      const upper = toIndex === null ? null : (scope.terms[toIndex] ?? null)
      const parts = unpackCollection(asBuffer(value))
      const kept: Buffer[] = []
      for (let at = 0; at < parts.length; at += stride) {
        const key = parts[at] as Buffer
        if ((lower === null || order(key, lower) >= 0) && (upper === null || order(key, upper) <= 0)) kept.push(...parts.slice(at, at + stride))
      }
      return kept.length === 0 ? null : packCollection(kept.length / stride, kept)
    },
  }
}
