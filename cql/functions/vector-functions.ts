// similarity_cosine, similarity_euclidean and similarity_dot_product of two vectors of floats: 1 is as near as can be.
import { Buffer } from "../../runtime/pure.ts"
import type { CqlType } from "../../data/cql-type.ts"
import { nativeType } from "../../data/types/type-name.ts"
import { InvalidRequestError } from "../errors.ts"
import { type FunctionArgument, type Overload, asBuffer, scalar } from "./function.ts"

type Similarity = (a: readonly number[], b: readonly number[]) => number

const dot: Similarity = (a, b) => a.reduce((sum, value, index) => sum + value * (b[index] as number), 0)

const SIMILARITIES: Readonly<Record<string, Similarity>> = {
  similarity_cosine: (a, b) => {
    const lengths = dot(a, a) * dot(b, b)
    if (lengths === 0) throw new InvalidRequestError("Function system.similarity_cosine doesn't support all-zero vectors.")
    return (1 + dot(a, b) / Math.sqrt(lengths)) / 2
  },
  similarity_euclidean: (a, b) => 1 / (1 + a.reduce((sum, value, index) => sum + (value - (b[index] as number)) ** 2, 0)),
  similarity_dot_product: (a, b) => (1 + dot(a, b)) / 2,
}

/** The vector type that an argument names; a list literal is whatever the other argument is. */
function vectorType(args: readonly FunctionArgument[]): CqlType | null {
  for (const { type } of args) if (type !== null && type.kind === "vector" && type.element.kind === "native" && type.element.name === "float") return type
  return null
}

function similarity(name: string, compute: Similarity): Overload {
  return (args) => {
    const type = args.length === 2 ? vectorType(args) : null
    if (type === null) return null
    if (args.some((argument) => argument.test(type) === "none")) throw new InvalidRequestError("All arguments must have the same vector dimensions")
    return scalar(name, [type, type], nativeType("float"), ([a, b]) => {
      const out = Buffer.alloc(4)
      out.writeFloatBE(compute(floats(a as Buffer), floats(b as Buffer)))
      return out
    })
  }
}

function floats(bytes: Uint8Array): number[] {
  const source = asBuffer(bytes)
  return Array.from({ length: source.length / 4 }, (_, index) => source.readFloatBE(4 * index))
}

export function vectorFunctions(): [string, readonly Overload[]][] {
  return Object.entries(SIMILARITIES).map(([name, compute]) => [name, [similarity(name, compute)]])
}
