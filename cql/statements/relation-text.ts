// A relation as messages print it.
import { quoteIdentifier } from "../../data/types/type-name.ts"
import type { Relation } from "../language/ast-relations.ts"
import { termText } from "./term-text.ts"

type Comparison = Extract<Relation, { readonly operator: string; readonly value: unknown }>

export function relationText(relation: Comparison): string {
  return `${leftText(relation)} ${relation.operator} ${termText(relation.value)}`
}

function leftText(relation: Comparison): string {
  switch (relation.kind) {
    case "comparison":
      return quoteIdentifier(relation.column)
    case "element":
      return `${quoteIdentifier(relation.column)}[${termText(relation.key)}]`
    case "token":
      return `token(${relation.columns.map(quoteIdentifier).join(", ")})`
    case "tupleComparison":
      return `(${relation.columns.map(quoteIdentifier).join(", ")})`
  }
}
