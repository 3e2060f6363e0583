// `c = c + n` and `c = c - n`: what is to be added goes to the leader, which knows the shard.
import { countBytes, countOf } from "../../data/counters.ts"
import type { ColumnSchema } from "../../data/schema.ts"
import { InvalidRequestError } from "../errors.ts"
import { type CompiledTerm, UNSET } from "../statements/term.ts"
import type { Operation } from "./write-operation.ts"

const MIN_COUNT = -(2n ** 63n)

export function counterOperation(column: ColumnSchema, term: CompiledTerm, sign: 1n | -1n): Operation {
  if (term.constant === null) throw new InvalidRequestError("Invalid null value for counter increment/decrement")
  return { column, simple: null, apply: (row, values) => {
    const bytes = term.value(values)
    if (bytes === null || (bytes !== UNSET && bytes.length === 0)) throw new InvalidRequestError("Invalid null value for counter increment")
    if (bytes === UNSET) return
    const count = countOf(bytes)
    if (sign < 0n && count === MIN_COUNT) {
      throw new InvalidRequestError(`The negation of ${count} overflows supported counter precision (signed 8 bytes integer)`)
    }
    row.add(column.id, countBytes(sign * count))
  } }
}
