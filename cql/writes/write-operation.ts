import type { ColumnSchema } from "../../data/schema.ts"
import type { BoundValues } from "../request.ts"
import type { ExistingRow } from "./existing-rows.ts"
import type { RowDraft } from "./row-draft.ts"
import type { CompiledTerm } from "../statements/term.ts"

/** What one assignment, or one deletion of a column, does to a row. */
export interface Operation {
  readonly column: ColumnSchema
  /** Non-null: the operation puts this term's value into the column, which is stored as one cell. */
  readonly simple: CompiledTerm | null
  /** `apply` looks at the existing row. */
  readonly needsRead?: boolean
  /** Throws InvalidRequestError. `existing`: the row (or static row) before the write; null when there is none, or none is needed. */
  apply(row: RowDraft, values: BoundValues, existing: ExistingRow | null): void
}
