// The values of LIMIT and PER PARTITION LIMIT.
import { NO_LIMIT } from "../../data/read-command.ts"
import { InvalidRequestError } from "../errors.ts"
import type { BoundValues } from "../request.ts"
import { type CompiledTerm, UNSET } from "../statements/term.ts"

/** `noun` names the limit in errors. Throws InvalidRequestError. */
export function boundLimit(term: CompiledTerm | null, noun: string, values: BoundValues): number {
  if (term === null) return NO_LIMIT
  const bytes = term.value(values)
  if (bytes === UNSET) return NO_LIMIT
  if (bytes === null) throw new InvalidRequestError(`Invalid null value of ${noun}`)
  if (bytes.length !== 4) throw new InvalidRequestError(`Invalid ${noun} value`)
  const limit = bytes.readInt32BE(0)
  if (limit <= 0) throw new InvalidRequestError("LIMIT must be strictly positive")
  return limit
}
