// Terms and relations as CQL text again, the way Cassandra stores the WHERE clause of a view.
import { quoteIdentifier } from "../../data/types/type-name.ts"
import type { Relation } from "../language/ast-relations.ts"
import type { FunctionName, Term } from "../language/ast-terms.ts"
import { typeNodeText } from "./schema-types.ts"

/** A string constant. */
export function quoteString(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

export function termText(term: Term): string {
  switch (term.kind) {
    case "constant":
      return term.type === "string" ? quoteString(term.text) : term.text
    case "null":
      return "null"
    case "marker":
      return term.name === null ? "?" : `:${quoteIdentifier(term.name)}`
    case "list":
      return `[${term.elements.map(termText).join(", ")}]`
    case "set":
      return `{${term.elements.map(termText).join(", ")}}`
    case "map":
      return `{${term.entries.map(({ key, value }) => `${termText(key)}: ${termText(value)}`).join(", ")}}`
    case "udt":
      return `{${term.fields.map(({ name, value }) => `${quoteIdentifier(name)}: ${termText(value)}`).join(", ")}}`
    case "tuple":
      return `(${term.elements.map(termText).join(", ")})`
    case "function":
      return `${functionName(term.name)}(${term.arguments.map(termText).join(", ")})`
    case "typeHint":
      return `(${typeNodeText(term.type)})${termText(term.operand)}`
    case "cast":
      return `CAST(${termText(term.operand)} AS ${typeNodeText(term.type)})`
    case "arithmetic":
      return `${termText(term.left)} ${term.operator} ${termText(term.right)}`
    case "negation":
      return `-${termText(term.operand)}`
  }
}

function functionName(name: FunctionName): string {
  return (name.keyspace === null ? "" : `${quoteIdentifier(name.keyspace)}.`) + quoteIdentifier(name.name)
}

/** The relations that a view may have; others are refused before their text is wanted. */
export type ViewRelation = Extract<Relation, { kind: "comparison" | "isNotNull" }>

export function relationText(relation: ViewRelation): string {
  const column = quoteIdentifier(relation.column)
  return relation.kind === "isNotNull" ? `${column} IS NOT NULL` : `${column} ${relation.operator} ${termText(relation.value)}`
}

const TOKEN = /'(?:[^']|'')*'|"(?:[^"]|"")*"|[A-Za-z0-9_]+|[^]/g

/** The text with the column's name changed. Strings are left alone; so are words that stand for a function. */
export function renameInWhereClause(whereClause: string, from: string, to: string): string {
  const old = quoteIdentifier(from)
  return whereClause.replace(TOKEN, (token: string, at: number) =>
    token === old && whereClause[at + token.length] !== "(" ? quoteIdentifier(to) : token,
  )
}
