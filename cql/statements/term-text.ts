// A term as messages print it, and as a view's WHERE clause is kept.
import type { Term } from "../language/ast-terms.ts"
import { typeNodeText } from "../schema/types.ts"

export function termText(term: Term): string {
  switch (term.kind) {
    case "constant":
      return term.type === "string" ? quoteString(term.text) : term.text
    case "null":
      return "NULL"
    case "marker":
      return term.name === null ? "?" : ":" + term.name
    case "list":
      return `[${term.elements.map(termText).join(", ")}]`
    case "set":
      return `{${term.elements.map(termText).join(", ")}}`
    case "map":
      return `{${term.entries.map(({ key, value }) => `${termText(key)}: ${termText(value)}`).join(", ")}}`
    case "udt":
      return `{${term.fields.map(({ name, value }) => `${name}: ${termText(value)}`).join(", ")}}`
    case "tuple":
      return `(${term.elements.map(termText).join(", ")})`
    case "function":
      return `${term.name.keyspace === null ? "" : term.name.keyspace + "."}${term.name.name}(${term.arguments.map(termText).join(", ")})`
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

/** A string constant. */
export function quoteString(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
