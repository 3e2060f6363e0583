// Statements that read before they write: operations on lists by index or by value. The rows are read at the write's own
// consistency level, one partition after the other, and the statement encoded with what was found.
//
// Two such writes at once may both start from the same list: as in Cassandra, only conditional updates exclude that.
import { type Consistency, InvalidRequestError, consistencyName } from "../cql/errors.ts"
import type { PriorRows } from "../cql/plan.ts"
import type { BoundValues, QueryOptions } from "../cql/request.ts"
import { CONSISTENCY } from "../cql/errors.ts"
import { Buffer } from "../runtime/pure.ts"
import type { Coordinator } from "./coordinator.ts"

/** Throws InvalidRequestError for a level at which nothing can be read. */
export function validateForPriorReads(consistency: Consistency): void {
  if (consistency === CONSISTENCY.any) {
    throw new InvalidRequestError(`Write operation require a read but consistency ${consistencyName(consistency)} is not supported on reads`)
  }
}

/** Rejects with RequestErrors. */
export async function runPriorReads(coordinator: Coordinator, prior: PriorRows, consistency: Consistency): Promise<void> {
  for (const { command, sink } of prior.reads) {
    await new Promise<void>((resolve, reject) => {
      coordinator.read(command, consistency, sink, { done: (error) => (error === null ? resolve() : reject(error)) })
    })
  }
}

/** The values as they are now: those of a request go away with its frame. */
export function ownValues(values: BoundValues): BoundValues {
  const { buffer, count, offsets, lengths, names } = values
  return { buffer: Buffer.from(buffer), count, offsets: offsets.slice(0, count), lengths: lengths.slice(0, count), names: names === null ? null : [...names] }
}

export function ownOptions(options: QueryOptions): QueryOptions {
  const { pagingState } = options
  return { ...options, values: ownValues(options.values), pagingState: pagingState === null ? null : Buffer.from(pagingState) }
}
