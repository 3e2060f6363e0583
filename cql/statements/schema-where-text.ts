// The WHERE clause of a view as CQL text, the way Cassandra stores it.
import { quoteIdentifier } from "../../data/types/type-name.ts"
import type { Relation } from "../language/ast-relations.ts"
import { termText } from "./term-text.ts"

/** The relations that a view may have; others are refused before their text is wanted. */
export type ViewRelation = Extract<Relation, { kind: "comparison" | "isNotNull" | "in" }>

export function relationText(relation: ViewRelation): string {
  const column = quoteIdentifier(relation.column)
  switch (relation.kind) {
    case "isNotNull":
      return `${column} IS NOT NULL`
    case "comparison":
      return `${column} ${relation.operator} ${termText(relation.value)}`
    case "in":
      return `${column} IN ${relation.values.kind === "values" ? `(${relation.values.values.map(termText).join(", ")})` : termText(relation.values.marker)}`
  }
}

const TOKEN = /'(?:[^']|'')*'|"(?:[^"]|"")*"|[A-Za-z0-9_]+|[^]/g

/** The text with the column's name changed. Strings are left alone; so are words that stand for a function. */
export function renameInWhereClause(whereClause: string, from: string, to: string): string {
  const old = quoteIdentifier(from)
  return whereClause.replace(TOKEN, (token: string, at: number) =>
    token === old && whereClause[at + token.length] !== "(" ? quoteIdentifier(to) : token,
  )
}
