// The relations of a WHERE clause and the conditions of IF.
import type { Term } from "./ast-terms.ts"

export type ComparisonOperator = "=" | "<" | "<=" | ">" | ">=" | "!="

/** What stands after IN: a list of terms, or one marker that holds the whole list. */
export type InValues = { readonly kind: "values"; readonly values: readonly Term[] } | { readonly kind: "marker"; readonly marker: Term }

export type Relation =
  /** `c = t`. */
  | { readonly kind: "comparison"; readonly column: string; readonly operator: ComparisonOperator; readonly value: Term }
  /** `c IN (...)`, `c IN ?`. */
  | { readonly kind: "in"; readonly column: string; readonly values: InValues }
  | { readonly kind: "contains"; readonly column: string; readonly key: boolean; readonly value: Term }
  | { readonly kind: "like"; readonly column: string; readonly value: Term }
  | { readonly kind: "isNotNull"; readonly column: string }
  /** `c[k] = t`. */
  | { readonly kind: "element"; readonly column: string; readonly key: Term; readonly operator: ComparisonOperator; readonly value: Term }
  /** `TOKEN(a, b) > t`. */
  | { readonly kind: "token"; readonly columns: readonly string[]; readonly operator: ComparisonOperator; readonly value: Term }
  /** `(a, b) > (1, 2)`; the value is a tuple or a marker. */
  | { readonly kind: "tupleComparison"; readonly columns: readonly string[]; readonly operator: ComparisonOperator; readonly value: Term }
  /** `(a, b) IN ((1, 2), ?)`, `(a, b) IN ?`; the values are tuples or markers. */
  | { readonly kind: "tupleIn"; readonly columns: readonly string[]; readonly values: InValues }
  /** `expr(index, t)`. */
  | { readonly kind: "customIndex"; readonly index: QualifiedIndexName; readonly value: Term }

export interface QualifiedIndexName {
  readonly keyspace: string | null
  readonly name: string
}

/** What an IF condition looks at: a column, `c[k]` or `c.field`. */
export type ConditionTarget =
  | { readonly kind: "column" }
  | { readonly kind: "element"; readonly key: Term }
  | { readonly kind: "field"; readonly field: string }

export type Condition =
  | { readonly kind: "comparison"; readonly column: string; readonly target: ConditionTarget; readonly operator: ComparisonOperator; readonly value: Term }
  | { readonly kind: "in"; readonly column: string; readonly target: ConditionTarget; readonly values: InValues }
  | { readonly kind: "contains"; readonly column: string; readonly target: ConditionTarget; readonly key: boolean; readonly value: Term }
