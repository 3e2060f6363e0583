// What a selector computes from a row. Expressions are shared by all runs of a plan; what changes from run to run and from
// row to row is in the scope they are evaluated in.
import type { CqlType } from "../../data/cql-type.ts"
import type { Cell } from "../../data/row.ts"
import type { AggregateFunction, AggregateState } from "../functions/function.ts"

/** The values of the row at hand by slot: a RowReader, or what was kept of a group's first row. */
export interface RowValues {
  /** Valid as long as the row is. */
  value(slot: number): Buffer | null
  /** Live cells in path order; only when the selection asked for cells. */
  cells(slot: number): readonly Cell[]
}

export interface Scope {
  row: RowValues
  /** Bound values of the selectors' terms. */
  terms: readonly (Buffer | null)[]
  /** One for each aggregate of the selection. */
  aggregates: readonly AggregateState[]
  nowSeconds: number
}

export interface Expression {
  readonly type: CqlType
  /** As the result's metadata names the column. */
  readonly name: string
  evaluate(scope: Scope): Uint8Array | null
}

/** A call of an aggregate somewhere in the selection. */
export interface AggregateCall {
  readonly function: AggregateFunction
  readonly arguments: readonly Expression[]
}
