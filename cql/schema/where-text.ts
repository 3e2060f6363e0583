// The WHERE clause of a view as text.
import { quoteIdentifier } from "../../data/types/type-name.ts"
import type { Relation } from "../language/ast-relations.ts"

/** The relations that a view may have; others are refused before their text is wanted. */
export type ViewRelation = Extract<Relation, { kind: "comparison" | "isNotNull" | "in" }>

const TOKEN = /'(?:[^']|'')*'|"(?:[^"]|"")*"|[A-Za-z0-9_]+|[^]/g

/** The text with the column's name changed. Strings are left alone; so are words that stand for a function. */
export function renameInWhereClause(whereClause: string, from: string, to: string): string {
  const old = quoteIdentifier(from)
  return whereClause.replace(TOKEN, (token: string, at: number) =>
    token === old && whereClause[at + token.length] !== "(" ? quoteIdentifier(to) : token,
  )
}
