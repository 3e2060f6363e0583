// The bind variables of one statement: collected while its terms are compiled, and the values that arrive for them.
import { Buffer } from "../../runtime/pure.ts"
import { InvalidRequestError } from "../errors.ts"
import type { BindMarker } from "../language/ast-terms.ts"
import type { ColumnSpecification } from "../metadata.ts"
import type { BoundValues } from "../request.ts"
import type { TableSchema } from "../../data/schema.ts"

export class BindVariables {
  readonly #specifications: ColumnSpecification[] = []
  /** What each marker stands for, also when the client gave it another name. */
  readonly #targets: ColumnSpecification[] = []

  /** Notes that the marker stands for `receiver`; returns its index in the bound values. */
  add(marker: BindMarker, receiver: ColumnSpecification): number {
    this.#targets[marker.index] = receiver
    this.#specifications[marker.index] = marker.name === null ? receiver : { ...receiver, name: marker.name }
    return marker.index
  }

  /** By marker index. */
  specifications(): readonly ColumnSpecification[] {
    return this.#specifications
  }

  /** For each partition key column the index of a marker that is compared with it or inserted into it; empty when one has none. */
  partitionKeyIndexes(table: TableSchema): readonly number[] {
    const indexes: number[] = []
    for (const column of table.partitionKey) {
      const isTarget = (target: ColumnSpecification): boolean => target.name === column.name && target.table === table.name && target.keyspace === table.keyspace
      const index = this.#targets.findLastIndex(isTarget)
      if (index < 0) return []
      indexes.push(index)
    }
    return indexes
  }
}

export const NO_VALUES: BoundValues = { buffer: Buffer.alloc(0), count: 0, offsets: new Int32Array(0), lengths: new Int32Array(0), names: null }

/**
 * The values in the order of the statement's markers, one for each: as they came, or looked up by name.
 * Throws InvalidRequestError when their number does not fit or a name is missing.
 */
export function orderValues(values: BoundValues, variables: readonly ColumnSpecification[]): BoundValues {
  if (values.names === null) {
    if (values.count === variables.length) return values
    throw new InvalidRequestError("Invalid amount of bind variables")
  }
  return orderByName(values, values.names, variables)
}

function orderByName(values: BoundValues, names: readonly string[], variables: readonly ColumnSpecification[]): BoundValues {
  const offsets = new Int32Array(variables.length)
  const lengths = new Int32Array(variables.length)
  variables.forEach((variable, index) => {
    const from = names.indexOf(variable.name)
    if (from < 0) throw new InvalidRequestError("Invalid amount of bind variables")
    offsets[index] = values.offsets[from] as number
    lengths[index] = values.lengths[from] as number
  })
  return { buffer: values.buffer, count: variables.length, offsets, lengths, names: null }
}
